"""Operators that only move elements: views, slices, joins, padding, folding."""
