"""Facts about the networks that both columns share: limits, defaults, checks of their input."""
