"""Symbols, windows, extents and the rest of the mathematics."""
