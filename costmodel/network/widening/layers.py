"""How channels go through layers: convolutions, linear layers, pools, products."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent, resolve
from costmodel.algebra.symbols import as_dim, is_equal
from costmodel.algebra.window import Window
from costmodel.network import operators as op
from costmodel.network.widening.runs import Axes, Axis, repeated
from costmodel.network.widening.site import Site, Widened, aligned, widened


Rule: TypeAlias = Callable[[Site], Widened]


def same(site: Site) -> Widened:
    """Leave every axis as it is: a function of each element, a normalization."""
    return widened(site.inputs[0])


def positions(site: Site) -> Axes:
    """Return the axes that a window slides over; those it changes cannot be widths."""
    moved = site.inputs[0][1:]
    if not any(moved):
        return moved
    windows = site.operator.window or ()
    kept: list[Axis] = []
    for axis, window in zip(moved, windows, strict=False):
        is_point = _stays(window)
        kept.append(axis if is_point else None)
        if not is_point:
            site.refuse(axis, "a window slides over channels here")
    return tuple(kept)


def _stays(window: Window) -> bool:
    """Say whether there are as many positions as before, however many there are."""
    return window.stride == 1 and window.before + window.after + 1 == window.size


def windowed(site: Site) -> Widened:
    """Keep the channels of a map that a window slides over."""
    return widened((site.inputs[0][0], *positions(site)))


def adapted(site: Site) -> Widened:
    """Keep the channels; all sides become numbers that are given."""
    return widened((site.inputs[0][0], *(None for _ in site.extents[1:])))


def resampled(site: Site) -> Widened:
    """Keep the channels; the sides that are made anew cannot be widths."""
    for axis in site.inputs[0][1:]:
        site.refuse(axis, "the sides that it changes are channels here")
    return adapted(site)


def convolved(site: Site) -> Widened:
    """Make channels of their own; a depthwise layer's follow those that it reads.

    Groups of a depthwise layer are as many as its channels. Others stay, and what
    grows is the width of each group.
    """
    return _channels(site, positions(site))


def transposed(site: Site) -> Widened:
    """Make channels as a convolution does, of sides that are no widths."""
    return _channels(site, resampled(site).axes[1:])


def _channels(site: Site, moved: Axes) -> Widened:
    layer, read = site.operator, site.inputs[0][0]
    count = resolve(site.shapes[0].channels)
    if layer.groups != 1 and is_equal(layer.groups, count):
        times = as_dim(sympy.cancel(sympy.sympify(layer.channels) / count))
        made = repeated(read, times)
        return widened((made, *moved), channels=made, groups=read)
    if layer.groups != 1:
        site.bonds.mix(read)
    own = site.bonds.new(layer.channels)
    return widened((own, *moved), channels=own)


def listed(site: Site) -> Widened:
    """Refuse: a table says which maps are read."""
    site.refuse(site.inputs[0][0], "its table lists the maps that it reads")
    return widened((None, *positions(site)))


def linear(site: Site) -> Widened:
    """Make features of their own along the last axis."""
    made = site.bonds.new(site.operator.features)
    return widened((*site.inputs[0][:-1], made), features=made)


def slopes(site: Site) -> Widened:
    """Follow the channels with as many slopes, unless there is one for all."""
    if site.operator.parameters == 1:
        return same(site)
    return widened(site.inputs[0], parameters=site.inputs[0][0])


def grouped(site: Site) -> Widened:
    """Let the groups stay; where each channel is a group, they follow the channels."""
    groups, count = site.operator.groups, resolve(site.shapes[0].channels)
    if groups != 1 and is_equal(groups, count):
        return widened(site.inputs[0], groups=site.inputs[0][0])
    if groups != 1:
        site.bonds.mix(site.inputs[0][0])
    return same(site)


def broadcast(site: Site) -> Widened:
    """Give the operands' axes the same width, or leave 1 what is repeated."""
    return widened(aligned(site, site.operands))


def reduced(site: Site) -> Widened:
    """Take the reduced axes away, or leave 1 in their site."""
    layer = site.operator
    return widened(tuple(
        None if axis in layer.axes else runs
        for axis, runs in enumerate(site.inputs[0], start=1)
        if layer.keep or axis not in layer.axes
    ))  # fmt: skip


def multiplied(site: Site) -> Widened:
    """Give the inner axes of a matrix product the same width."""
    (left, _), (right, _) = site.operands
    site.bonds.join(left[-1], right[-2:][0])
    leading = [(axes[:-2], sizes[:-2]) for axes, sizes in site.operands]
    return widened((*aligned(site, leading), *left[:-1][-1:], *right[1:][-1:]))


def attended(site: Site) -> Widened:
    """Join the features of queries and keys, the rows of keys and values."""
    query, key, value = site.inputs[:3]
    site.bonds.join(query[-1], key[-1])
    site.bonds.join(key[-2], value[-2])
    leading = aligned(site, [(a[:-2], sizes[:-2]) for a, sizes in site.operands[:3]])
    if len(site.inputs) > 3:
        sizes = site.extents[:-1] + site.operands[1][1][-2:-1]
        scores = (*leading, query[-2], key[-2])
        aligned(site, [(scores, sizes), site.operands[3]])
    return widened((*leading, query[-2], value[-1]))


def unknown(site: Site) -> Widened:
    """Refuse: nothing says how widths go through it."""
    site.refuse_all("no rule says how widths go through it")
    return widened(tuple(None for _ in site.extents))


def lettered(site: Site) -> Widened:
    """Refuse: the letters of an equation do not tell widths from heads."""
    site.refuse_all("widths are not followed through the letters of an equation")
    return widened(tuple(None for _ in site.extents))


def entered(site: Site) -> Widened:
    """Leave the sample as it is."""
    return widened(tuple(None for _ in site.extents))


def stored(site: Site) -> Widened:
    """Let each axis of a stored tensor follow what it is joined with."""
    sizes = [extent.value for extent in site.extents]
    axes = tuple(site.bonds.new(size, grows=False) for size in sizes)
    return widened(axes)


def derived(site: Site) -> Widened:
    """Follow one stored tensor of the same sizes; refuse what is looked up or mixed.

    An operand that is not stored only says how many samples there are.
    """
    found = stored(site)
    made_of = [o for o, is_it in zip(site.operands, site.stored, strict=True) if is_it]
    if len(made_of) == 1:
        axes, sizes = made_of[0]
        old = [n for n, size in enumerate(sizes) if size != Extent(1)]
        new = [n for n, size in enumerate(site.extents) if size != Extent(1)]
        counts = [sizes[n] for n in old]
        is_alike = counts == [site.extents[n] for n in new]
        if is_alike and len(set(counts)) == len(counts):
            for one, other in zip(old, new, strict=True):
                site.bonds.join(axes[one], found.axes[other])
            return found
    why = "how the tensors follow that it is computed from is not known"
    site.refuse_all(why)
    for axis in found.axes:
        site.refuse(axis, why)
    return found


SAME: tuple[type[op.Operator], ...] = (
    op.ReLU, op.ReLU6, op.Sigmoid, op.SiLU, op.Tanh, op.ScaledTanh, op.HardSigmoid,
    op.HardSwish, op.HardTanh, op.Softmax, op.Identity, op.Dropout, op.BatchNorm,
    op.LocalResponseNorm, op.Pointwise, op.Scalar, op.LayerNorm, op.RMSNorm,
    op.InstanceNorm, op.Cumulate, op.Copy,
)  # fmt: skip

_SAME: dict[type[op.Operator], Rule] = dict.fromkeys(SAME, same)
LAYERS: dict[type[op.Operator], Rule] = _SAME | {
    op.Input: entered,
    op.Parameter: stored,
    op.Derived: derived,
    op.Opaque: unknown,
    op.Conv: convolved,
    op.ConvTranspose: transposed,
    op.TableConv2d: listed,
    op.Linear: linear,
    op.RadialBasis: linear,
    op.LastLinear: linear,
    op.MatMul: multiplied,
    op.Attention: attended,
    op.Einsum: lettered,
    op.PReLU: slopes,
    op.GroupNorm: grouped,
    op.MaxPool: windowed,
    op.AvgPool: windowed,
    op.Subsample2d: windowed,
    op.AdaptiveAvgPool: adapted,
    op.AdaptiveMaxPool: adapted,
    op.Resize: resampled,
    op.Add: broadcast,
    op.Multiply: broadcast,
    op.Binary: broadcast,
    op.Reduce: reduced,
}
"""How widths go through layers. An operator without a rule refuses them."""
