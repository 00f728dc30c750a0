"""Formulas as code: numpy, exact fractions, Python, JavaScript, LaTeX."""
