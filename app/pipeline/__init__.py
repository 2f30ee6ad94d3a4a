"""The order of things: what a run, a plan, a verification and a replay do, through the adapters."""
