"""What a run says of itself: stages, log lines, metrics; and the signals that end it."""
