"""Kernels and lowering."""
