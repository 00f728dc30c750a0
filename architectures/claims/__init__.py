"""Statements of textbooks about these networks, checked by computation."""

from architectures.claims import depthwise, early, inception, residual, scaling


__all__ = ["depthwise", "early", "inception", "residual", "scaling"]
