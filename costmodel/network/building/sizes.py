"""Sizes along the spatial axes, given as one number or as a tuple."""

from __future__ import annotations

from typing import TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, exact_div
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.building.builder import Value, scoped
from costmodel.network.operator import on_every_axis, sizes_of
from costmodel.network.shape import AXES


Size: TypeAlias = Dim | tuple[Dim, ...]
"""One number for every axis, or a tuple such as a (height, width) pair."""


def axes_of(x: Value) -> int:
    """Return the number of spatial axes of a value; 2 if it is no feature map."""
    count = len(x.shape.spatial) if isinstance(x, Value) else 2
    return count if count in AXES else 2


def sizes(x: Value, verb: str, name: str | None, **given: Size) -> list[op.Sizes]:
    """Return every size as one number per axis of the value."""
    axes = axes_of(x)
    for field, size in given.items():
        if isinstance(size, tuple) and len(size) != axes:
            problem = f"{field} {size!r} is not {sizes_of(axes)}"
            raise at(verb, scoped(name or verb), problem)
    return [on_every_axis(size, axes) for size in given.values()]


def pair(size: Size) -> Size:
    """Return one number for both axes as a pair; other values are refused later."""
    return size if isinstance(size, tuple) else (size, size)


def _is_size(value: object) -> bool:
    """Say whether a kernel may have this side; if not, the layer raises the error."""
    return isinstance(value, sympy.Expr) or (type(value) is int and value >= 1)


def half(kernel: op.Sizes, dilation: op.Sizes, verb: str, name: str | None) -> op.Sizes:
    """Return the padding d(k−1)/2 of every axis; 0 for sizes that the layer refuses."""
    if not all(map(_is_size, (*kernel, *dilation))):
        return (0,) * len(kernel)
    try:
        return tuple(exact_div(d * (k - 1), 2) for k, d in zip(kernel, dilation))
    except CostModelError:
        raise at(
            verb,
            scoped(name or verb),
            f"no padding keeps the size under the even kernel {op.by(kernel)}; "
            "give padding=",
        ) from None
