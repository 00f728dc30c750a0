"""Readers from foreign operators to ours, one for each of our operators."""
