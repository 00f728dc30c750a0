"""Readers of pooling, resampling and padding."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.onnx.call import Call, Undone
from costmodel.bridge.onnx.readers.layers import padded
from costmodel.bridge.onnx.tensors import Traced
from costmodel.bridge.trace.layout import Layout
from costmodel.bridge.trace.sizes import formula_of
from costmodel.network import operators as op
from costmodel.network.shape import AXES


def windows(call: Call, x: Traced) -> tuple[Traced, dict[str, Any]]:
    """Return the operand, padded where ends differ, and the window's attributes."""
    kernel = tuple(call.get("kernel_shape"))
    if len(kernel) not in AXES:
        raise Undone
    stride = tuple(call.get("strides") or (1,) * len(kernel))
    dilation = tuple(call.get("dilations") or (1,) * len(kernel))
    x, padding = padded(call, x, kernel, stride, dilation)
    return x, {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "ceil_mode": _ceiling(call),
    }


def _ceiling(call: Call) -> bool:
    """Say whether sizes are rounded up: no window begins in the padding at the end.

    PyTorch leaves such a window out, and so does ONNX since version 22; before, it said
    nothing of it, and counted it.
    """
    is_up = bool(call.get("ceil_mode", 0))
    if is_up and call.version < 22:
        call.expected = ()
    return is_up


def max_pool(call: Call) -> None:
    """Read the largest element under a window."""
    x, window = windows(call, call.x())
    dilation = tuple(call.get("dilations") or (1,))
    call.give(call.put(op.MaxPool(dilation=dilation, **window), x))


def average_pool(call: Call) -> None:
    """Read the mean under a window."""
    if set(call.get("dilations") or (1,)) != {1}:
        raise Undone
    x, window = windows(call, call.x())
    is_counted = bool(call.get("count_include_pad", 0)) or not any(window["padding"])
    call.give(call.put(op.AvgPool(count_include_pad=is_counted, **window), x))


def global_pool(operator: Any, operation: str) -> Callable[[Call], None]:
    """Return a reader of pooling over the whole map."""

    def reader(call: Call) -> None:
        x = call.x()
        if len(x.shape.spatial) in AXES and x.layout == Layout(0):
            call.give(call.put(operator((1,) * len(x.shape.spatial)), x))
            return
        axes = tuple(call.axis(x, i) for i in range(2, len(x.sizes)))
        call.give(call.put(op.Reduce(operation, axes, True, True), x))

    return reader


def resize(call: Call) -> None:
    """Read resampling by a factor, or to a size."""
    x = call.x()
    count = len(x.sizes)
    if call.get("antialias") or count - 2 not in AXES or call.get("axes"):
        raise Undone
    mode = _mode(call, count - 2)
    is_old = call.version < 11
    place = 1 if is_old else 2
    scales = call.listed(place, "scales") or []
    if scales:
        _by_factors(call, x, mode, [float(s) for s in scales])
        return
    wanted = [formula_of(n) for n in call.listed(3, "sizes") or []]
    if (
        len(wanted) != count
        or call.get("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        raise Undone
    for i in (0, 1):
        call.equal(x.sizes[i], wanted[i], "only maps are resized, not channels")
    sizes = (*x.sizes[:2], *wanted[2:])
    call.give(call.put_sizes(lambda to: op.Resize(mode, shape=to), x, sizes))


def _mode(call: Call, axes: int) -> str:
    mode = call.get("mode", "nearest")
    where = call.get("coordinate_transformation_mode", "half_pixel")
    if where not in _WHERE:
        raise Undone
    if mode == "nearest":
        is_exact = where in {"half_pixel", "pytorch_half_pixel"} and call.version > 10
        return "nearest_exact" if is_exact else "nearest"
    names = {
        "linear": _LINEAR[axes], "bilinear": "bilinear", "cubic": "bicubic"
    }  # fmt: skip
    if mode not in names:
        raise Undone
    return names[mode] + ("_corners" if where == "align_corners" else "")


_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_WHERE = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}


def _by_factors(call: Call, x: Traced, mode: str, scales: list[float]) -> None:
    if len(scales) != len(x.sizes) or scales[:2] != [1, 1]:
        raise Undone
    factors = scales[2:]
    if all(f.is_integer() and f >= 1 for f in factors):
        layer = op.Resize(mode, scale=tuple(int(f) for f in factors))
        call.give(call.put(layer, x))
        return
    sides = [_scaled(n, f) for n, f in zip(x.sizes[2:], factors, strict=True)]
    sizes = (*x.sizes[:2], *sides)
    call.give(call.put_sizes(lambda to: op.Resize(mode, shape=to), x, sizes))


def _scaled(length: Size, factor: float) -> Size:
    """Return ⌊n·f⌋ for a factor that is a fraction."""
    exact = Fraction(factor)
    if exact.denominator > 1 << 16:
        near = round(1 / factor)
        if not near or not math.isclose(1 / near, factor, rel_tol=1e-6):
            raise Undone
        exact = Fraction(1, near)
    return (length * exact.numerator) // exact.denominator


def pad(call: Call) -> None:
    """Read padding; less than none takes away."""
    x = call.x()
    amounts = [formula_of(int_of(a)) for a in call.listed(1, "pads", [])]
    mode = _MODES.get(call.get("mode", "constant"))
    if mode is None:
        raise Undone
    axes = [int(a) % len(x.sizes) for a in call.listed(3, "axes", [])]
    axes = axes or list(range(len(x.sizes)))
    many = len(axes)
    ends = {
        axis: (amounts[i], amounts[many + i])
        for i, axis in enumerate(axes)
        if (amounts[i], amounts[many + i]) != (_ZERO, _ZERO)
    }
    if not ends:
        call.give(x)
    else:
        call.give(_padded(call, x, mode, ends))


def _padded(
    call: Call, x: Traced, mode: str, ends: dict[int, tuple[Size, Size]]
) -> Traced:
    known = all(a.constant is not None for both in ends.values() for a in both)
    places = range(2, len(x.sizes))
    # Zeros beside tokens are put along an axis; other borders are those of a map.
    is_map = len(places) in AXES and (len(places) > 1 or mode != "constant")
    if known and is_map and x.layout == Layout(0) and ends.keys() <= {*places}:
        added = [ends.get(place, (_ZERO, _ZERO)) for place in places]
        before, after = zip(*((b.value, a.value) for b, a in added), strict=True)
        return call.put(op.Pad((0, *before), (0, *after), mode), x)
    if mode != "constant":
        raise Undone
    if known:
        for axis, (before_, after_) in ends.items():
            in_front = (0,) * (call.axis(x, axis) - 1)
            layer = op.Pad((*in_front, before_.value), (*in_front, after_.value))
            x = call.put(layer, x)
        return x
    sizes = list(x.sizes)
    for axis, both in ends.items():
        sizes[axis] = sizes[axis] + both[0] + both[1]
    return call.put_sizes(op.PadTo, x, sizes)


def int_of(value: Any) -> Any:
    """Return one of NumPy's numbers as one of Python's; sizes keep their formula."""
    return value if isinstance(value, int) else int(value)


_ZERO = size(0)
_MODES = {
    "constant": "constant", "reflect": "reflect", "edge": "replicate",
    "wrap": "circular",
}  # fmt: skip


POOLING: dict[str, Callable[[Call], None]] = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool(op.AdaptiveAvgPool, "mean"),
    "GlobalMaxPool": global_pool(op.AdaptiveMaxPool, "max"),
    "Resize": resize,
    "Upsample": resize,
    "Pad": pad,
}
