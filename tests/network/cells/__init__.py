"""Cells of searched networks."""
