"""Scores on benchmarks: whole data sets through a network, clip by clip, the same for both columns."""
