"""Pure mathematics: symbols, windows, extents, tallies, and queries on formulas."""
