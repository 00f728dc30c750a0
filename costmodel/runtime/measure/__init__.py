"""Measure seconds: clocks, rounds, operators in place, results and where they hold."""
