"""Readers of layers with weights, and of normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.onnx.call import Call, Undone
from costmodel.bridge.onnx.tensors import Constant, Traced
from costmodel.network import operators as op
from costmodel.network.shape import AXES


Pads = tuple[tuple[int, ...], tuple[int, ...]]


def names(call: Call, *places: int) -> tuple[str, ...]:
    """Return the stored tensors that weights are, or come from."""
    found: list[str] = []
    for place in places:
        value = call.stored(place)
        found += [name for name, _ in value.sources] if value is not None else []
    return tuple(dict.fromkeys(found))


def lengths(value: Constant, call: Call) -> tuple[int, ...]:
    """Return the sizes of a weight, which are numbers."""
    found = []
    for one in value.sizes:
        if one.constant is None:
            raise call.refuse(f"a weight's size depends on the input: {one.value}")
        found.append(one.constant)
    return tuple(found)


def weight(call: Call, place: int = 1) -> Constant:
    """Return a weight that has to be there."""
    value = call.stored(place)
    if value is None:
        raise call.refuse("its weight is missing")
    return value


def fitting(call: Call, x: Traced, axis: int, length: int) -> Traced:
    """Return an operand whose axis has the length that weights ask for."""
    if x.sizes[axis].constant == length:
        return x
    sizes = list(x.sizes)
    sizes[axis] = size(length)
    return call.restated(x, sizes, f"its weights are for {length}")


def padded(
    call: Call,
    x: Traced,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Traced, tuple[int, ...]]:
    """Return the operand and the padding that is the same at both ends.

    What is more at one end, or depends on the size ("SAME"), is a step before.
    """
    count = len(kernel)
    mode = call.get("auto_pad", "NOTSET")
    if mode.startswith("SAME"):
        return _same(call, x, kernel, stride, dilation)
    pads = tuple(call.get("pads") or (0,) * 2 * count)
    if mode == "VALID":
        pads = (0,) * 2 * count
    before, after = pads[:count], pads[count:]
    if before == after:
        return x, before
    layer = op.Pad((0, *before), (0, *after))
    return call.put(layer, x, is_step=True), (0,) * count


def _same(
    call: Call,
    x: Traced,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Traced, tuple[int, ...]]:
    """Return the operand padded so that ⌈n/s⌉ positions come out."""
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    totals = [
        _total(n, span, s)
        for n, span, s in zip(x.sizes[2:], spans, stride, strict=True)
    ]
    known = [t.constant for t in totals]
    none = (0,) * len(kernel)
    if all(t == 0 for t in known):
        return x, none
    if all(t is not None and t % 2 == 0 for t in known):
        return x, tuple(t // 2 for t in known if t is not None)
    if None not in known:
        ends = _unequal(call, [t for t in known if t is not None])
        before, after = ((0, *end) for end in ends)
        return call.put(op.Pad(before, after), x, is_step=True), none
    sizes = (*x.sizes[:2], *(n + t for n, t in zip(x.sizes[2:], totals, strict=True)))
    return call.put_sizes(op.PadTo, x, sizes, is_step=True), none


def _unequal(call: Call, totals: list[int]) -> Pads:
    """Return padding before and after; one of both ends has an odd one more."""
    less = tuple(t // 2 for t in totals)
    more = tuple(t - t // 2 for t in totals)
    return (less, more) if call.get("auto_pad") == "SAME_UPPER" else (more, less)


def _total(length: Size, span: int, stride: int) -> Size:
    """Return the padding of an axis: (⌈n/s⌉ − 1)·s + span − n."""
    if span < stride:
        raise Undone
    count = -(-length // stride)
    return (count - 1) * stride + span - length


def conv(call: Call) -> None:
    """Read a convolution along one, two or three axes."""
    x, stored = call.x(), weight(call)
    filters, fan_in, *kernel = lengths(stored, call)
    if len(kernel) not in AXES:
        raise Undone
    ones, groups = (1,) * len(kernel), int(call.get("group", 1))
    stride = tuple(call.get("strides") or ones)
    dilation = tuple(call.get("dilations") or ones)
    x = fitting(call, x, 1, fan_in * groups)
    x, padding = padded(call, x, tuple(kernel), stride, dilation)
    bias = call.stored(2) is not None
    layer = op.Conv(filters, tuple(kernel), stride, padding, dilation, groups, bias)
    call.give(call.put(layer, x, sources=names(call, 1, 2)))


def conv_transpose(call: Call) -> None:
    """Read a transposed convolution."""
    x, stored = call.x(), weight(call)
    fan_in, each, *kernel = lengths(stored, call)
    count = len(kernel)
    pads = tuple(call.get("pads") or (0,) * 2 * count)
    odd = call.get("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}
    odd = odd or bool(call.get("output_shape")) or pads[:count] != pads[count:]
    if count not in AXES or odd:
        raise Undone
    groups = int(call.get("group", 1))
    layer = op.ConvTranspose(
        each * groups,
        tuple(kernel),
        tuple(call.get("strides") or (1,)),
        pads[:count],
        tuple(call.get("output_padding") or (0,)),
        tuple(call.get("dilations") or (1,)),
        groups,
        call.stored(2) is not None,
    )
    x = fitting(call, x, 1, fan_in)
    call.give(call.put(layer, x, sources=names(call, 1, 2)))


def gemm(call: Call) -> None:
    """Read a product with a stored matrix, and a bias: a linear layer."""
    odd = (
        call.get("alpha", 1.0) != 1 or call.get("beta", 1.0) != 1 or call.get("transA")
    )
    if odd or call.is_traced(1) or call.is_traced(2):
        raise Undone
    rows, columns = lengths(weight(call), call)
    features, read = (rows, columns) if call.get("transB") else (columns, rows)
    bias = call.stored(2)
    if bias is not None and lengths(bias, call) not in {(features,), (1, features)}:
        raise Undone
    x = fitting(call, call.x(), 1, read)
    layer = op.Linear(features, bias is not None)
    call.give(call.put(layer, x, sources=names(call, 1, 2)))


def batch_norm(call: Call) -> None:
    """Read batch normalization; what a file trains with are the batch's statistics."""
    x = call.x()
    x = fitting(call, x, 1, lengths(weight(call), call)[0])
    layer = op.BatchNorm(affine=is_affine(call, 1), running=True)
    call.give(call.put(layer, x, sources=names(call, 1, 2, 3, 4)))


def is_affine(call: Call, place: int) -> bool:
    """Say whether a scale is learned: a constant of the graph is none.

    Exporters take a group norm apart, and write ones and zeros where they scale later.
    """
    scale, shift = weight(call, place), call.stored(place + 1)
    is_named = call.node.input[place].endswith("weight")
    return scale.is_learnable and (is_named or not _is_neutral(scale, shift))


def _is_neutral(scale: Constant, shift: Constant | None) -> bool:
    """Say whether a scale is 1 everywhere, and a shift 0."""
    ones, zeros = scale.array, None if shift is None else shift.array
    return ones is not None and bool((ones == 1).all() and not np.any(zeros))


def instance_norm(call: Call) -> None:
    """Read normalization of each channel of each sample by itself."""
    x = call.x()
    affine = is_affine(call, 1)
    channels = lengths(weight(call), call)[0]
    x = fitting(call, x, 1, channels)
    is_map = len(x.shape.spatial) in AXES
    layer = op.InstanceNorm(affine) if is_map else op.GroupNorm(channels, affine)
    call.give(call.put(layer, x, sources=names(call, 1, 2) if affine else ()))


def group_norm(call: Call) -> None:
    """Read normalization over groups of channels."""
    x = call.x()
    channels = x.sizes[1].constant
    affine = is_affine(call, 1)
    if affine and lengths(weight(call), call) != (channels,):
        raise Undone
    layer = op.GroupNorm(int(call.get("num_groups")), affine)
    call.give(call.put(layer, x, sources=names(call, 1, 2) if affine else ()))


def last_axes(layer: Callable[[int, bool, bool], Any]) -> Callable[[Call], None]:
    """Return a reader of normalization over the last axes."""

    def reader(call: Call) -> None:
        x = call.x()
        axes = len(x.sizes) - int(call.get("axis", -1)) % len(x.sizes)
        affine, bias = is_affine(call, 1), call.stored(2) is not None
        sources = names(call, 1, 2) if affine else ()
        call.give(call.put(layer(axes, affine, bias and affine), x, sources=sources))

    return reader


def local_response_norm(call: Call) -> None:
    """Read normalization over neighbouring channels."""
    call.give(call.put(op.LocalResponseNorm(int(call.get("size"))), call.x()))


def prelu(call: Call) -> None:
    """Read a rectifier with learned slopes: one, or one for each channel."""
    x = call.x()
    slopes = lengths(weight(call), call)
    many = 1
    for one in slopes:
        many *= one
    place = len(slopes) - len(x.sizes) + 1
    if many > 1 and not (0 <= place < len(slopes) and slopes[place] == many):
        raise Undone
    call.give(call.put(op.PReLU(many), x, sources=names(call, 1)))


LAYERS: dict[str, Callable[[Call], None]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": last_axes(op.LayerNorm),
    "RMSNormalization": last_axes(lambda axes, affine, _: op.RMSNorm(axes, affine)),
    "LRN": local_response_norm,
    "PRelu": prelu,
}
