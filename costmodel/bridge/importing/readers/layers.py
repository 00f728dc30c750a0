"""Readers of convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.algebra.polynomial import Size
from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.call import Call, NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers.padding import pad_map, pad_to
from costmodel.network import operators as op
from costmodel.network.shape import AXES


def conv(call: Call) -> None:
    """Read a convolution along one, two or three axes."""
    x, weight, bias = call.x(), call.weight(), call.optional("bias")
    filters, fan_in, *kernel = call.lengths(weight)
    axes = len(kernel)
    if axes not in AXES:
        raise NoRule
    stride, dilation = call.ints("stride", axes, 1), call.ints("dilation", axes, 1)
    groups = int(call.get("groups", 1))
    _require_samples(call, x, axes)
    x = call.fitting(x, len(x.sizes) - axes - 1, fan_in * groups)
    x, padding = padded(call, x, kernel, stride, dilation, keeps_common=True)
    layer = op.Conv(
        filters, tuple(kernel), stride, padding, dilation, groups, bias is not None
    )
    call.layer(layer, x, weight, bias)


def conv_transpose(call: Call) -> None:
    """Read a transposed convolution along one, two or three axes."""
    x, weight, bias = call.x(), call.weight(), call.optional("bias")
    fan_in, each, *kernel = call.lengths(weight)
    axes, pads = len(kernel), call.pads(len(kernel))
    if axes not in AXES or isinstance(pads, str) or call.get("output_shape"):
        raise NoRule
    if pads[0] != pads[1]:
        raise NoRule
    groups = int(call.get("groups", 1))
    _require_samples(call, x, axes)
    x = call.fitting(x, len(x.sizes) - axes - 1, fan_in)
    layer = op.ConvTranspose(
        each * groups,
        tuple(kernel),
        call.ints("stride", axes, 1),
        pads[0],
        call.ints("output_padding", axes, 0),
        call.ints("dilation", axes, 1),
        groups,
        bias is not None,
    )
    call.layer(layer, x, weight, bias)


def _require_samples(call: Call, x: Traced, axes: int) -> None:
    """Refuse stored maps, such as a weight that is convolved itself."""
    if x.layout.batch_axis is None and len(x.sizes) in (axes + 1, axes + 2):
        raise call.refuse(
            "its operand is made of stored tensors alone, and its first axis is no "
            "batch of samples; no rule counts that"
        )


def linear(call: Call) -> None:
    """Read a linear layer, of vectors or of the last axis."""
    weight, bias = call.weight(), call.optional("bias")
    features, read = call.lengths(weight)
    dense(call, call.x(), (read, features), weight, bias)


def dense(
    call: Call,
    x: Traced,
    sides: tuple[int, int],
    weight: Any,
    bias: Any = None,
    *,
    is_step: bool = False,
) -> Traced:
    """Append a linear layer."""
    x = call.fitting(x, len(x.sizes) - 1, sides[0])
    layer = op.Linear(sides[1], bias is not None)
    return call.layer(layer, x, weight, bias, is_step=is_step)


def padded(
    call: Call,
    x: Traced,
    kernel: Sequence[Dim],
    stride: Sequence[Dim],
    dilation: Sequence[Dim],
    *,
    keeps_common: bool = False,
) -> tuple[Traced, tuple[Dim, ...]]:
    """Return the operand and a padding that is equal at both ends.

    Padding that differs, or depends on the size, becomes a node before: all of it, or
    with ``keeps_common`` what one end has more than the other, as in PyTorch.
    """
    pads = call.pads(len(kernel))
    none = (0,) * len(kernel)
    if not isinstance(pads, str):
        before, after = pads
    else:
        totals = [
            _total(length, d * (k - 1) + 1, s)
            for length, k, s, d in zip(
                x.sizes[-len(kernel) :], kernel, stride, dilation, strict=True
            )
        ]
        known = [t.constant for t in totals if t.constant is not None]
        if len(known) < len(totals):
            front, sides = x.sizes[: -len(kernel)], x.sizes[-len(kernel) :]
            sizes = (*front, *(n + t for n, t in zip(sides, totals, strict=True)))
            return pad_to(call, x, sizes, "half" if pads == "after" else "most"), none
        less, more = tuple(t // 2 for t in known), tuple(t - t // 2 for t in known)
        before, after = (less, more) if pads == "after" else (more, less)
    if before == after:
        return x, before
    if keeps_common:
        both = tuple(map(min, before, after))
        before, after = (
            tuple(n - m for n, m in zip(ends, both, strict=True))
            for ends in (before, after)
        )
        return pad_map(call, x, (before, after)), both
    return pad_map(call, x, (before, after)), none


def _total(length: Size, span: Any, stride: Any) -> Size:
    """Return the padding of an axis with ⌈n/s⌉ windows: (⌈n/s⌉ − 1)·s + span − n."""
    if span < stride:
        raise NoRule
    count = -(-length // stride)
    total: Size = (count - 1) * stride + span - length
    return total
