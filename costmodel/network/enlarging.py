"""Verbs that make maps larger: transposed convolution and upsampling."""

from __future__ import annotations

from costmodel.algebra.symbols import Dim
from costmodel.network import operators as op
from costmodel.network.sizes import Size, sizes
from costmodel.network.value import Value, apply


def conv_transpose(
    x: Value,
    channels: Dim,
    kernel: Size,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
    groups: Dim = 1,
    *,
    bias: bool = True,
    name: str | None = None,
) -> Value:
    """Convolve transposed: a map of (H − 1)·s − 2p + d(k − 1) + 1 rows, and more.

    >>> from costmodel.network.build import image
    >>> print(conv_transpose(image(8, 7, 7), 4, kernel=2, stride=2).shape)
    4×14×14
    """
    given = sizes(
        x, "conv_transpose", name, kernel=kernel, stride=stride, padding=padding,
        output_padding=output_padding, dilation=dilation,
    )  # fmt: skip
    return apply(op.ConvTranspose, [x], name, channels, *given, groups, bias)


def upsample(
    x: Value, scale: Size = 2, mode: str = "nearest", *, name: str | None = None
) -> Value:
    """Enlarge a map by whole factors: nearest, bilinear, bicubic or area.

    A row of one axis takes linear, a volume trilinear in their place.

    >>> from costmodel.network.build import image
    >>> print(upsample(image()).shape)
    3×2*H×2*W
    """
    return apply(op.Resize, [x], name, mode, *sizes(x, "upsample", name, scale=scale))
