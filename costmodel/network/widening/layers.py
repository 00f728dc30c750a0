"""How channels go through layers: convolutions, linear layers, pools, products."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from costmodel.algebra.extent import Extent, resolve
from costmodel.algebra.symbols import exact_div, is_equal
from costmodel.algebra.window import Window
from costmodel.network import operators as op
from costmodel.network.widening.place import Place, Widened, aligned, widened
from costmodel.network.widening.runs import Axes, Axis, repeated


Rule: TypeAlias = Callable[[Place], Widened]


def same(place: Place) -> Widened:
    """Leave every axis as it is: a function of each element, a normalization."""
    return widened(place.inputs[0])


def positions(place: Place) -> Axes:
    """Return the axes that a window slides over; those it changes cannot be widths."""
    moved = place.inputs[0][1:]
    if not any(moved):
        return moved
    windows = place.operator.window or ()
    kept: list[Axis] = []
    for axis, window in zip(moved, windows, strict=False):
        is_point = _stays(window)
        kept.append(axis if is_point else None)
        if not is_point:
            place.refuse(axis, "a window slides over channels here")
    return tuple(kept)


def _stays(window: Window) -> bool:
    """Say whether there are as many positions as before, however many there are."""
    return window.stride == 1 and window.before + window.after + 1 == window.size


def windowed(place: Place) -> Widened:
    """Keep the channels of a map that a window slides over."""
    return widened((place.inputs[0][0], *positions(place)))


def adapted(place: Place) -> Widened:
    """Keep the channels; all sides become numbers that are given."""
    return widened((place.inputs[0][0], *(None for _ in place.extents[1:])))


def resampled(place: Place) -> Widened:
    """Keep the channels; sides that are interpolated cannot be widths."""
    for axis in place.inputs[0][1:]:
        place.refuse(axis, "channels are interpolated here")
    return adapted(place)


def convolved(place: Place) -> Widened:
    """Make channels of their own; a depthwise layer's follow those that it reads.

    Groups of a depthwise layer are as many as its channels. Others stay, and what
    grows is the width of each group.
    """
    layer, read = place.operator, place.inputs[0][0]
    count = resolve(place.shapes[0].channels)
    if layer.groups != 1 and is_equal(layer.groups, count):
        times = exact_div(layer.channels, count)
        made = repeated(read, times)
        return widened((made, *positions(place)), channels=made, groups=read)
    made = place.families.new(layer.channels)
    return widened((made, *positions(place)), channels=made)


def listed(place: Place) -> Widened:
    """Refuse: a table says which maps are read."""
    place.refuse(place.inputs[0][0], "its table lists the maps that it reads")
    return widened((None, *positions(place)))


def linear(place: Place) -> Widened:
    """Make features of their own along the last axis."""
    made = place.families.new(place.operator.features)
    return widened((*place.inputs[0][:-1], made), features=made)


def slopes(place: Place) -> Widened:
    """Follow the channels with as many slopes, unless there is one for all."""
    if place.operator.parameters == 1:
        return same(place)
    return widened(place.inputs[0], parameters=place.inputs[0][0])


def grouped(place: Place) -> Widened:
    """Let the groups stay; where each channel is a group, they follow the channels."""
    groups, count = place.operator.groups, resolve(place.shapes[0].channels)
    if groups == 1 or not is_equal(groups, count):
        return same(place)
    return widened(place.inputs[0], groups=place.inputs[0][0])


def broadcast(place: Place) -> Widened:
    """Give the operands' axes the same width, or leave 1 what is repeated."""
    return widened(aligned(place, place.operands))


def reduced(place: Place) -> Widened:
    """Take the reduced axes away, or leave 1 in their place."""
    layer = place.operator
    return widened(tuple(
        None if axis in layer.axes else runs
        for axis, runs in enumerate(place.inputs[0], start=1)
        if layer.keep or axis not in layer.axes
    ))  # fmt: skip


def multiplied(place: Place) -> Widened:
    """Give the inner axes of a matrix product the same width."""
    (left, _), (right, _) = place.operands
    place.families.join(left[-1], right[-2:][0])
    leading = [(axes[:-2], sizes[:-2]) for axes, sizes in place.operands]
    return widened((*aligned(place, leading), *left[:-1][-1:], *right[1:][-1:]))


def attended(place: Place) -> Widened:
    """Join the features of queries and keys, the rows of keys and values."""
    query, key, value = place.inputs[:3]
    place.families.join(query[-1], key[-1])
    place.families.join(key[-2], value[-2])
    leading = aligned(place, [(a[:-2], sizes[:-2]) for a, sizes in place.operands[:3]])
    if len(place.inputs) > 3:
        sizes = place.extents[:-1] + place.operands[1][1][-2:-1]
        scores = (*leading, query[-2], key[-2])
        aligned(place, [(scores, sizes), place.operands[3]])
    return widened((*leading, query[-2], value[-1]))


def unknown(place: Place) -> Widened:
    """Refuse: nothing says how widths go through it."""
    place.refuse_all("no rule says how widths go through it")
    return widened(tuple(None for _ in place.extents))


def lettered(place: Place) -> Widened:
    """Refuse: the letters of an equation do not tell widths from heads."""
    place.refuse_all("widths are not followed through the letters of an equation")
    return widened(tuple(None for _ in place.extents))


def entered(place: Place) -> Widened:
    """Leave the sample as it is."""
    return widened(tuple(None for _ in place.extents))


def stored(place: Place) -> Widened:
    """Let each axis of a stored tensor follow what it is joined with."""
    sizes = [extent.value for extent in place.extents]
    axes = tuple(place.families.new(size, grows=False) for size in sizes)
    return widened(axes)


def derived(place: Place) -> Widened:
    """Follow one stored tensor of the same sizes; refuse what is looked up or mixed."""
    kept = [[n for n, e in enumerate(sizes) if e != Extent(1)]
            for sizes in (*(sizes for _, sizes in place.operands), place.extents)]  # fmt: skip
    found = stored(place)
    new = [place.extents[n] for n in kept[-1]]
    if len(kept) == 2 and len(set(new)) == len(new):
        axes, sizes = place.operands[0]
        if [sizes[n] for n in kept[0]] == new:
            for old, made in zip(*kept, strict=True):
                place.families.join(axes[old], found.axes[made])
            return found
    why = "how the tensors follow that it is computed from is not known"
    place.refuse_all(why)
    for axis in found.axes:
        place.refuse(axis, why)
    return found


SAME = (
    op.ReLU, op.ReLU6, op.Sigmoid, op.SiLU, op.Tanh, op.ScaledTanh, op.HardSigmoid,
    op.HardSwish, op.HardTanh, op.Softmax, op.Identity, op.Dropout, op.BatchNorm2d,
    op.LocalResponseNorm, op.Pointwise, op.Scalar, op.LayerNorm, op.RMSNorm,
    op.InstanceNorm2d, op.Cumulate, op.Copy, op.Roll, op.Flip,
)  # fmt: skip

LAYERS: dict[type[op.Operator], Rule] = dict.fromkeys(SAME, same) | {
    op.Input: entered,
    op.Parameter: stored,
    op.Derived: derived,
    op.Opaque: unknown,
    op.Conv2d: convolved,
    op.Conv1d: convolved,
    op.ConvTranspose2d: convolved,
    op.TableConv2d: listed,
    op.Linear: linear,
    op.RadialBasis: linear,
    op.LastLinear: linear,
    op.MatMul: multiplied,
    op.Attention: attended,
    op.Einsum: lettered,
    op.PReLU: slopes,
    op.GroupNorm: grouped,
    op.MaxPool2d: windowed,
    op.AvgPool2d: windowed,
    op.Subsample2d: windowed,
    op.Pad2d: windowed,
    op.AdaptiveAvgPool2d: adapted,
    op.AdaptiveMaxPool2d: adapted,
    op.Upsample2d: resampled,
    op.Resize2d: resampled,
    op.Add: broadcast,
    op.Multiply: broadcast,
    op.Binary: broadcast,
    op.Reduce: reduced,
}
"""How widths go through layers. An operator without a rule refuses them."""
