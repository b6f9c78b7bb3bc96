"""Traces of two networks and their comparison."""
