"""The scoreboard: known mistakes planted into known good ports, and what the engine says of them."""
