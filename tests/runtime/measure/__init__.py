"""Measured seconds."""
