"""Weights of any pair of networks from one framework to the other: the map, its proof, and files of any size."""
