"""Training: settings, the loop and what is kept of a run, the same for both columns."""
