"""Stages, log lines, metrics, what is printed and how, and the signals that end a run."""
