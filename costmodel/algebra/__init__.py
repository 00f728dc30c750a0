"""Pure mathematics: symbols, windows, extents, tallies, and questions to formulas."""
