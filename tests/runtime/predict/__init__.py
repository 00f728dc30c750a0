"""Predicted seconds."""
