"""Readers of pooling and resampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.batch_axis import Layout
from costmodel.bridge.importing.call import Call, NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers.layers import padded
from costmodel.bridge.importing.symbolic_int import formula_of
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.operators.resizing import MODES
from costmodel.network.shape import AXES, Shape


ADAPTIVE: dict[str, Callable[[tuple[Dim, ...]], Operator]] = {
    "mean": op.AdaptiveAvgPool,
    "max": op.AdaptiveMaxPool,
}
"""Adaptive pooling operators, by reduction."""


def is_map(x: Traced) -> bool:
    """Say whether a tensor is a batch of feature maps, channels first."""
    return len(x.shape.spatial) in AXES and x.layout == Layout(0)


def whole_map(operation: str, x: Traced) -> Operator:
    """Return global pooling of a feature map."""
    return ADAPTIVE[operation]((1,) * len(x.shape.spatial))


def _windows(call: Call) -> tuple[Traced, dict[str, Any]]:
    """Return the operand, padded if the ends differ, and the sliding window."""
    axes = call.axes
    if axes not in AXES:
        raise NoRule
    kernel = call.ints("kernel_size", axes, None)
    stride, dilation = call.stride(kernel), call.ints("dilation", axes, 1)
    x, padding = padded(call, call.x(), kernel, stride, dilation)
    window = {"kernel": kernel, "stride": stride, "padding": padding}
    return x, window | {"ceil_mode": call.rounds_up()}


def _is_whole(x: Traced, window: dict[str, Any]) -> bool:
    """Say whether a window covers the feature map: global pooling."""
    sizes = tuple(map(size, window["kernel"]))
    is_all = sizes == x.sizes[2:] and not any(window["padding"])
    return is_all and sizes[0].constant is None


def max_pool(call: Call) -> None:
    """Read max pooling."""
    x, window = _windows(call)
    if _is_whole(x, window):
        call.result(whole_map("max", x), x)
    else:
        dilation = call.ints("dilation", call.axes, 1)
        call.result(op.MaxPool(dilation=dilation, **window), x)


def avg_pool(call: Call) -> None:
    """Read average pooling."""
    if set(call.ints("dilation", 1, 1)) != {1}:
        raise NoRule
    x, window = _windows(call)
    if _is_whole(x, window):
        if call.get("divisor_override") is not None:
            raise NoRule
        call.result(whole_map("mean", x), x)
    else:
        is_counted = call.counts_padding(window["padding"])
        layer = op.AvgPool(count_include_pad=is_counted, **window)
        call.result(call.kept(layer), x)


def resized(
    call: Call, mode: str, sides: Sequence[Any], factors: Sequence[float] | None = None
) -> None:
    """Append resampling of a feature map to given sides.

    Where it is sampled follows from the factors, if they are given.
    """
    x = call.x()
    if mode not in MODES:
        raise NoRule
    sizes = (*x.sizes[:2], *map(_size, sides))
    given = None if factors is None else tuple(map(float, factors))

    def made(to: Shape) -> Operator:
        return call.kept(op.Resize(mode, shape=to), scale_factor=given)

    call.result_sizes(made, x, sizes)


def _size(side: Any) -> Size:
    return side if isinstance(side, Size) else formula_of(side)


def scaled(call: Call, mode: str, factors: Sequence[float], nearness: float) -> None:
    """Append resampling by a factor for each axis.

    A factor counts as 1/n if it is within a relative ``nearness`` of it.
    """
    x = call.x()
    if mode in MODES and all(float(f).is_integer() and f >= 1 for f in factors):
        layer = op.Resize(mode, scale=tuple(int(f) for f in factors))
        call.result(call.kept(layer, scale_factor=None), x)
    else:
        pairs = zip(x.sizes[2:], factors, strict=True)
        given = None if call.get("recompute_scale_factor") else factors
        resized(call, mode, [_scaled(n, f, nearness) for n, f in pairs], given)


def _scaled(length: Size, factor: float, nearness: float) -> Size:
    """Return ⌊n·f⌋ for a factor that is a fraction."""
    exact = Fraction(factor)
    if exact.denominator > 1 << 16:
        near = round(1 / factor)
        if not near or not math.isclose(1 / near, factor, rel_tol=nearness):
            raise NoRule
        exact = Fraction(1, near)
    return (length * exact.numerator) // exact.denominator
