"""Held-out networks, and what was measured of them."""
