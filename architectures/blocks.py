"""Blocks that several papers share."""

from __future__ import annotations

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    activation,
    conv,
    global_average_pool,
    multiply,
)


def squeeze_excite(
    x: Value,
    squeezed: Dim,
    inner: str = "relu",
    gate: str = "sigmoid",
    *,
    bias: bool = True,
) -> Value:
    """Gate each channel by the means of all channels: s = σ(W₂ δ(W₁ z)).

    **Source**: Hu, Shen, Sun 2017, arXiv:1709.01507, equations 2 to 4.
    """
    z = global_average_pool(x)
    s = activation(conv(z, squeezed, kernel=1, bias=bias), inner)
    return multiply(x, activation(conv(s, x.channels, kernel=1, bias=bias), gate))
