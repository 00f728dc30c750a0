"""Analyses: folds over a network."""
