"""Checks of operators that another package adds; tests run them where it is there."""
