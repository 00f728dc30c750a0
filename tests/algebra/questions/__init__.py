"""Questions to formulas."""
