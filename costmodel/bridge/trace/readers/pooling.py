"""Readers of pooling, resampling and padding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.readers.layers import each, formulas
from costmodel.bridge.trace.sizes import formula_of
from costmodel.bridge.trace.tracer import Traced
from costmodel.network import operators as op
from costmodel.network.operators.resampling import MODES
from costmodel.network.shape import AXES


Reader: TypeAlias = Callable[[Call], None]


def _is_whole_map(x: Traced, kernel: tuple[Any, ...], padding: Any) -> bool:
    """Say whether a window is as large as the map: global pooling."""
    sizes = tuple(formula_of(k) for k in kernel)
    return (
        sizes == x.sizes[2:]
        and not any(each(padding, len(kernel)))
        and sizes[0].constant is None
    )


def _windows(axes: int, call: Call) -> tuple[Traced, tuple[Any, ...], Any, Any]:
    """Return the operand of a pooling, its kernel, stride and padding."""
    kernel = each(call.get(1, "kernel_size"), axes)
    stride = call.get(2, "stride")
    return call.x(), kernel, stride or kernel, call.get(3, "padding", 0)


def max_pool(axes: int) -> Reader:
    """Return the reader of the largest element under a window."""

    def reader(call: Call) -> None:
        x, kernel, stride, padding = _windows(axes, call)
        if _is_whole_map(x, kernel, padding):
            call.put(op.AdaptiveMaxPool((1,) * axes), x, result=first(call))
            return
        layer = op.MaxPool(
            formulas(kernel, axes), formulas(stride, axes), formulas(padding, axes),
            formulas(call.get(4, "dilation", 1), axes),
            bool(call.get(5, "ceil_mode", False)),
        )  # fmt: skip
        call.put(layer, x, result=first(call))

    return reader


def first(call: Call) -> Any:
    """Return a result, or the first of several."""
    return call.result[0] if isinstance(call.result, tuple) else call.result


def avg_pool(axes: int) -> Reader:
    """Return the reader of the mean under a window."""

    def reader(call: Call) -> None:
        x, kernel, stride, padding = _windows(axes, call)
        if call.get(6, "divisor_override") is not None:
            raise UndoneError
        if _is_whole_map(x, kernel, padding):
            call.put(op.AdaptiveAvgPool((1,) * axes), x, result=call.result)
            return
        layer = op.AvgPool(
            formulas(kernel, axes), formulas(stride, axes), formulas(padding, axes),
            ceil_mode=bool(call.get(4, "ceil_mode", False)),
            count_include_pad=bool(call.get(5, "count_include_pad", True)),
        )  # fmt: skip
        call.put(layer, x, result=call.result)

    return reader


def adaptive_avg_pool(axes: int) -> Reader:
    """Return the reader of the mean over windows of a fixed number."""

    def reader(call: Call) -> None:
        x = call.x()
        layer = op.AdaptiveAvgPool(_target(call, x, axes))
        call.put(layer, x, result=call.result)

    return reader


def adaptive_max_pool(axes: int) -> Reader:
    """Return the reader of the largest element of windows of a fixed number."""

    def reader(call: Call) -> None:
        x = call.x()
        layer = op.AdaptiveMaxPool(_target(call, x, axes))
        call.put(layer, x, result=first(call))

    return reader


def _target(call: Call, x: Traced, axes: int) -> Any:
    wanted = each(call.get(1, "output_size"), axes)
    sides = zip(wanted, x.sizes[-axes:], strict=True)
    return tuple(s.value if w is None else formula_of(w).value for w, s in sides)


def interpolate(call: Call) -> None:
    """Read resampling by a factor, or to a size."""
    x = call.x()
    axes = len(x.sizes) - 2
    if axes not in AXES:
        raise UndoneError
    wanted, scale = call.get(1, "size"), call.get(2, "scale_factor")
    mode = call.get(3, "mode", "nearest").replace("-", "_")
    mode += "_corners" if call.get(4, "align_corners") else ""
    if mode not in MODES:
        raise UndoneError
    if wanted is None:
        factors = each(scale, axes)
        if all(float(f).is_integer() and f >= 1 for f in factors):
            layer = op.Resize(mode, scale=tuple(int(f) for f in factors))
            call.put(layer, x, result=call.result)
            return
        sides = [_scaled(s, f) for s, f in zip(x.sizes[2:], factors, strict=True)]
    else:
        sides = [formula_of(w) for w in each(wanted, axes)]
    sizes = (*x.sizes[:2], *sides)
    call.put_sizes(lambda to: op.Resize(mode, shape=to), x, sizes, call.result)


def _scaled(length: Size, factor: float) -> Size:
    """Return ⌊n·f⌋ for a factor that is a fraction."""
    numerator, denominator = float(factor).as_integer_ratio()
    if denominator > 1 << 16:
        near = round(1 / factor)
        if math.isclose(1 / near, factor):
            numerator, denominator = 1, near
        else:
            raise UndoneError
    return (length * numerator) // denominator


def pad(call: Call) -> None:
    """Read padding, of the last axes first; less than none takes away."""
    x = call.x()
    amounts = list(call.get(1, "pad"))
    mode = call.get(2, "mode", "constant")
    pairs = [
        (formula_of(amounts[i]), formula_of(amounts[i + 1]))
        for i in range(0, len(amounts), 2)
    ]
    zero = size(0)
    if all(p == (zero, zero) for p in pairs):
        call.same(x, call.result)
        return
    axes = len(x.sizes) - 2
    # Zeros beside tokens are put along an axis; other borders are those of a map.
    is_map = axes in AXES and (axes > 1 or mode != "constant")
    is_map = is_map and x.layout.batch_axis == 0 and not x.layout.is_folded
    extra = [p for p in pairs[axes:] if p != (zero, zero)]
    known = all(a.constant is not None for p in pairs for a in p)
    if is_map and not extra and known:
        ends = reversed((*pairs, *[(zero, zero)] * axes)[:axes])
        before, after = zip(*((b.value, a.value) for b, a in ends), strict=True)
        layer = op.Pad((0, *before), (0, *after), mode)
        call.put(layer, x, result=call.result)
    elif known and mode == "constant":
        _pad_axes(call, x, pairs)
    else:
        _pad_to(call, x, pairs)


def _pad_axes(call: Call, x: Traced, pairs: list[tuple[Size, Size]]) -> None:
    zero = size(0)
    places = [i for i, p in enumerate(pairs) if p != (zero, zero)]
    for i in places:
        before, after = pairs[i]
        axis = call.axis(x, len(x.sizes) - 1 - i)
        result = call.result if i == places[-1] else None
        in_front = (0,) * (axis - 1)
        layer = op.Pad((*in_front, before.value), (*in_front, after.value))
        x = call.put(layer, x, result=result)


def _pad_to(call: Call, x: Traced, pairs: list[tuple[Size, Size]]) -> None:
    sizes = list(x.sizes)
    for i, (before, after) in enumerate(pairs):
        sizes[-1 - i] = sizes[-1 - i] + before + after
    call.put_sizes(op.PadTo, x, sizes, call.result)


def pixel_shuffle(call: Call) -> None:
    """Read channels moved into space."""
    call.put(op.PixelShuffle(int(call.get(1, "upscale_factor"))), call.x(),
             result=call.result)  # fmt: skip


def pixel_unshuffle(call: Call) -> None:
    """Read space moved into channels."""
    call.put(op.PixelUnshuffle(int(call.get(1, "downscale_factor"))), call.x(),
             result=call.result)  # fmt: skip


def channel_shuffle(call: Call) -> None:
    """Read channels dealt out over groups."""
    call.put(op.ChannelShuffle(int(call.get(1, "groups"))), call.x(),
             result=call.result)  # fmt: skip


POOLING = {
    **{f"max_pool{axes}d": max_pool(axes) for axes in AXES},
    **{f"avg_pool{axes}d": avg_pool(axes) for axes in AXES},
    **{f"adaptive_avg_pool{axes}d": adaptive_avg_pool(axes) for axes in AXES},
    **{f"adaptive_max_pool{axes}d": adaptive_max_pool(axes) for axes in AXES},
    "interpolate": interpolate,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "channel_shuffle": channel_shuffle,
}
