"""One small file a command, and the one place that wires settings, telemetry and adapters together."""
