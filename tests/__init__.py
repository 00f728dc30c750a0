"""Tests: laws on generated networks, tables of cases, and texts of errors."""
