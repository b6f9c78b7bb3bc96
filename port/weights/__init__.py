"""Weights on their way from one framework to the other, as numpy arrays by name."""
