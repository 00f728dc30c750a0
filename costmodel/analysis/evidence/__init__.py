"""Printed figures and textbook claims, against what is computed."""
