"""Sizes for both axes, given as one number or as a pair."""

from __future__ import annotations

from typing import TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, exact_div
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.value import scoped


Size: TypeAlias = Dim | tuple[Dim, Dim]
"""One number for both axes, or a (height, width) pair."""


def pair(size: Size) -> tuple[Dim, Dim]:
    """Return one number for both axes as a pair; what is no pair is refused later."""
    return size if isinstance(size, tuple) else (size, size)


def _is_size(value: object) -> bool:
    """Say whether a kernel may have this side; if not, the layer says what is wrong."""
    return isinstance(value, sympy.Expr) or (type(value) is int and value >= 1)


def half(
    kernel: tuple[Dim, Dim], dilation: tuple[Dim, Dim], name: str | None
) -> tuple[Dim, Dim]:
    """Return the padding d(k−1)/2 of both axes; none where a layer cannot be made."""
    if not all(len(p) == 2 and all(map(_is_size, p)) for p in (kernel, dilation)):
        return 0, 0
    try:
        height, width = (exact_div(d * (k - 1), 2) for k, d in zip(kernel, dilation))
    except CostModelError:
        raise at(
            "conv",
            scoped(name or "conv"),
            f"no padding keeps the size under the even kernel {op.by(kernel)}; "
            "give padding=",
        ) from None
    return height, width
