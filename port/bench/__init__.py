"""How fast the networks are, and how close to what the machine can do. Knows no framework."""
