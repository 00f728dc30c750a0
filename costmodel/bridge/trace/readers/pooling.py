"""Readers of pooling, resampling and padding."""

from __future__ import annotations

import math
from typing import Any

from costmodel.algebra.size import Size, size
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.readers.layers import formulas, pair
from costmodel.bridge.trace.sizes import formula_of
from costmodel.bridge.trace.tracer import Traced
from costmodel.network import operators as op
from costmodel.network.operators.resampling import MODES


def _is_whole_map(x: Traced, kernel: Any, padding: Any) -> bool:
    """Say whether a window is as large as the map: global pooling."""
    sizes = tuple(formula_of(k) for k in pair(kernel))
    return (
        sizes == x.sizes[2:] and pair(padding) == (0, 0) and sizes[0].constant is None
    )


def max_pool2d(call: Call) -> None:
    """Read the largest element under a window."""
    x = call.x()
    kernel = call.get(1, "kernel_size")
    stride = call.get(2, "stride") or kernel
    padding = call.get(3, "padding", 0)
    if _is_whole_map(x, kernel, padding):
        call.put(op.AdaptiveMaxPool2d((1, 1)), x, result=first(call))
        return
    layer = op.MaxPool2d(
        formulas(kernel), formulas(stride), formulas(padding),
        formulas(call.get(4, "dilation", 1)), bool(call.get(5, "ceil_mode", False)),
    )  # fmt: skip
    call.put(layer, x, result=first(call))


def first(call: Call) -> Any:
    """Return a result, or the first of several."""
    return call.result[0] if isinstance(call.result, tuple) else call.result


def avg_pool2d(call: Call) -> None:
    """Read the mean under a window."""
    x = call.x()
    kernel = call.get(1, "kernel_size")
    stride = call.get(2, "stride") or kernel
    padding = call.get(3, "padding", 0)
    if call.get(6, "divisor_override") is not None:
        raise UndoneError
    if _is_whole_map(x, kernel, padding):
        call.put(op.AdaptiveAvgPool2d((1, 1)), x, result=call.result)
        return
    layer = op.AvgPool2d(
        formulas(kernel), formulas(stride), formulas(padding),
        ceil_mode=bool(call.get(4, "ceil_mode", False)),
        count_include_pad=bool(call.get(5, "count_include_pad", True)),
    )  # fmt: skip
    call.put(layer, x, result=call.result)


def adaptive_avg_pool2d(call: Call) -> None:
    """Read the mean over windows of a fixed number."""
    x = call.x()
    layer = op.AdaptiveAvgPool2d(_target(call, x))
    call.put(layer, x, result=call.result)


def adaptive_max_pool2d(call: Call) -> None:
    """Read the largest element of windows of a fixed number."""
    x = call.x()
    layer = op.AdaptiveMaxPool2d(_target(call, x))
    call.put(layer, x, result=first(call))


def _target(call: Call, x: Traced) -> Any:
    wanted = pair(call.get(1, "output_size"))
    sides = zip(wanted, x.sizes[-2:], strict=True)
    return tuple(s.value if w is None else formula_of(w).value for w, s in sides)


def interpolate(call: Call) -> None:
    """Read resampling by a factor, or to a size."""
    x = call.x()
    if len(x.sizes) != 4:
        raise UndoneError
    wanted, scale = call.get(1, "size"), call.get(2, "scale_factor")
    mode = call.get(3, "mode", "nearest").replace("-", "_")
    mode += "_corners" if call.get(4, "align_corners") else ""
    if mode not in MODES:
        raise UndoneError
    if wanted is None:
        factors = pair(scale)
        if all(float(f).is_integer() and f >= 1 for f in factors):
            height, width = (int(f) for f in factors)
            layer = op.Upsample2d((height, width), mode)
            call.put(layer, x, result=call.result)
            return
        sides = [_scaled(s, f) for s, f in zip(x.sizes[2:], factors, strict=True)]
    else:
        sides = [formula_of(w) for w in pair(wanted)]
    sizes = (*x.sizes[:2], *sides)
    call.put_sizes(lambda shape: op.Resize2d(shape, mode), x, sizes, call.result)


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
    is_map = len(x.sizes) == 4 and x.layout.batch_axis == 0 and not x.layout.is_folded
    extra = [p for p in pairs[2:] if p != (zero, zero)]
    known = all(a.constant is not None for p in pairs for a in p)
    if is_map and not extra and known:
        (left, right), (top, bottom) = (*pairs[:2], (zero, zero))[:2]
        before, after = (0, top.value, left.value), (0, bottom.value, right.value)
        layer = op.Pad(before, after, mode)
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
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "adaptive_max_pool2d": adaptive_max_pool2d,
    "interpolate": interpolate,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "channel_shuffle": channel_shuffle,
}
