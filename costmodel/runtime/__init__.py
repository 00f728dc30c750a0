"""Seconds: what a device is asked for, how fast it is, and what a network will take."""
