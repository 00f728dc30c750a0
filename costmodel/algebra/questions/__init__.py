"""Questions to formulas: budgets, legal values, growth, comparison, interpolation."""
