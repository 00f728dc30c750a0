"""What the textbooks say of these networks, as statements that are computed."""

from costmodel.zoo.claims import depthwise, early, inception, residual, scaling


__all__ = ["depthwise", "early", "inception", "residual", "scaling"]
