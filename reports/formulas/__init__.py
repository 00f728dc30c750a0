"""Formulas as MathML, and numbers as people read them."""
