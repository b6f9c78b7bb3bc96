"""Data sets of video super-resolution: where their frames lie, what is wrong with them, batches for training."""
