"""How channels go through operators that put axes together, or take parts of them."""

from __future__ import annotations

from itertools import count
from math import prod

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.network import operators as op
from costmodel.network.widening.layers import Rule, resampled
from costmodel.network.widening.runs import Axes, Axis, Run, repeated
from costmodel.network.widening.site import Site, Widened, widened


def _changed(axes: Axes, number: int, axis: Axis) -> Axes:
    """Return the axes with another one of that number, counted from 1."""
    return (*axes[: number - 1], axis, *axes[number:])


def concatenated(site: Site) -> Widened:
    """Put runs one behind the other along the axis; all other axes are joined."""
    along = site.operator.axis
    parts = [axes[along - 1] for axes in site.inputs]
    axes = tuple(
        None if number == along else site.bonds.join(*alike)
        for number, alike in enumerate(zip(*site.inputs, strict=True), start=1)
    )
    if not any(parts):
        return widened(axes)
    whole: list[Run] = []
    for part, (_, sizes) in zip(parts, site.operands, strict=True):
        whole += (Run(sizes[along - 1].value),) if part is None else part
    return widened(_changed(axes, along, tuple(whole)))


def emptied(site: Site) -> Widened:
    """Make channels of their own, of zeros."""
    made = site.bonds.new(site.operator.channels)
    return widened((made, *resampled(site).axes[1:]), channels=made)


def padded(site: Site) -> Widened:
    """Put elements in front and behind; where channels are padded, channels."""
    axes = site.inputs[0]
    added: dict[str, list[Axis]] = {"before": [], "after": []}
    layer = site.operator
    for along, *counts in zip(count(1), layer.before, layer.after, strict=False):
        runs = axes[along - 1]
        if runs is None and along == 1:
            runs = (Run(site.operands[0][1][0].value),)
        before, after = (
            site.bonds.new(n) if n != 0 and runs is not None else () for n in counts
        )
        added["before"].append(before)
        added["after"].append(after)
        if runs is not None:
            axes = _changed(axes, along, (*before, *runs, *after))
    return Widened(axes, added)


def sliced(site: Site) -> Widened:
    """Take elements of an axis; channels only in a row, in proportion where cut."""
    layer, axes = site.operator, site.inputs[0]
    runs = axes[layer.axis - 1]
    if runs is None or layer.step != 1:
        return _thinned(site)
    if layer.length is not None:
        first, chosen = _between(site, runs, layer.start, layer.length)
        axes = _changed(axes, layer.axis, chosen)
        return widened(axes, start=first, length=chosen)
    first, rest = site.bonds.cut(runs, layer.start, site.node)
    size = site.operands[0][1][layer.axis - 1].value
    left = as_dim(size - layer.start - layer.end)
    chosen, last = site.bonds.cut(rest or (), left, site.node)
    axes = _changed(axes, layer.axis, chosen)
    return widened(axes, start=first, end=last)


def _thinned(site: Site) -> Widened:
    """Take elements of an axis that cannot grow."""
    layer, axes = site.operator, site.inputs[0]
    site.refuse(axes[layer.axis - 1], f"takes channels in steps of {layer.step}")
    return widened(_changed(axes, layer.axis, None))


def cropped(site: Site) -> Widened:
    """Take the first elements of every axis; of channels, in proportion."""
    axes = tuple(
        axis if axis is None else site.bonds.cut(axis, size.value, site.node)[0]
        for axis, size in zip(site.inputs[0], site.extents, strict=True)
    )
    return widened(axes)


def padded_to(site: Site) -> Widened:
    """Pad sides; a width that is padded up to a number is refused."""
    axes = []
    sizes = zip(site.inputs[0], site.operands[0][1], site.extents, strict=True)
    for axis, before, after in sizes:
        if before != after:
            site.refuse(axis, f"pads channels up to {after}")
        axes.append(axis if before == after else None)
    return widened(tuple(axes))


def expanded(site: Site, *, repeat: bool = False) -> Widened:
    """Let what is repeated follow what it is joined with; the rest stays equal."""
    axes, sizes = site.operands[0]
    made: list[Axis] = []
    for back, size in enumerate(reversed(site.extents), start=1):
        known = back <= len(axes)
        if known and sizes[-back] == size:
            made.append(axes[-back])
            continue
        if known and not (repeat and sizes[-back] != Extent(1)):
            site.bonds.keep([axes[-back]])
        made.append(site.bonds.new(size.value, grows=False))
    return widened(tuple(reversed(made)))


def repeated_axes(site: Site) -> Widened:
    """Put the runs of an axis again and again; a single one may follow a width."""
    axes, sizes = site.operands[0]
    found = list(expanded(site, repeat=True).axes)
    for back, (axis, size) in enumerate(zip(reversed(axes), reversed(sizes)), start=1):
        after = site.extents[-back]
        if axis is None or size in (after, Extent(1)):
            continue
        times = sympy.sympify(after.value) / size.value
        found[-back] = axis * int(times) if times.is_Integer else None
        if not times.is_Integer:
            site.refuse(axis, f"repeats {size} channels to {after}")
    return widened(tuple(found))


def shuffled(site: Site) -> Widened:
    """Mix all channels; groups stay."""
    site.bonds.mix(site.inputs[0][0])
    return widened(site.inputs[0])


def unfolded(site: Site) -> Widened:
    """Put the taps of a window beside each channel."""
    resampled(site)
    return widened((repeated(site.inputs[0][0], prod(site.operator.kernel)), None))


def pixels_shuffled(site: Site) -> Widened:
    """Make positions of channels."""
    resampled(site)
    site.bonds.mix(site.inputs[0][0])
    part = as_dim(1 / sympy.sympify(site.operator.factor) ** 2)
    return widened((repeated(site.inputs[0][0], part), None, None))


def pixels_unshuffled(site: Site) -> Widened:
    """Make channels of positions."""
    resampled(site)
    times = as_dim(site.operator.factor**2)
    return widened((repeated(site.inputs[0][0], times), None, None))


def _between(
    site: Site, runs: tuple[Run, ...], start: Dim, count: Dim
) -> tuple[Axis, Axis]:
    """Return the runs in front of a part of an axis, and those in it."""
    first, rest = site.bonds.cut(runs, start, site.node)
    chosen, _ = site.bonds.cut(rest or (), count, site.node)
    return first, chosen


def permuted(site: Site) -> Widened:
    """Put the axes in another order."""
    order = site.operator.order
    return widened(tuple(site.inputs[0][axis - 1] for axis in order))


PARTS: dict[type[op.Operator], Rule] = {
    op.Concat: concatenated,
    op.Zeros: emptied,
    op.Pad: padded,
    op.Slice: sliced,
    op.Crop: cropped,
    op.PadTo: padded_to,
    op.Expand: expanded,
    op.Repeat: repeated_axes,
    op.ChannelShuffle: shuffled,
    op.Unfold: unfolded,
    op.PixelShuffle: pixels_shuffled,
    op.PixelUnshuffle: pixels_unshuffled,
    op.Permute: permuted,
}
"""How widths go through operators that arrange elements."""
