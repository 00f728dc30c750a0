"""Searched cells: genotypes as values, and the networks that they describe."""
