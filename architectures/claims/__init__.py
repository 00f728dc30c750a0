"""Statements of textbooks about these networks, checked by computation."""

from costmodel.zoo.claims import depthwise, early, inception, residual, scaling


__all__ = ["depthwise", "early", "inception", "residual", "scaling"]
