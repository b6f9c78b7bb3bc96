"""Small networks with known good ports, into which `python -m port selftest` plants mistakes."""
