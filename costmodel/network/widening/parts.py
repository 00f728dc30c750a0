"""How channels go through operators that put axes together, or take parts of them."""

from __future__ import annotations

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.network import operators as op
from costmodel.network.widening.layers import Rule, resampled
from costmodel.network.widening.place import Place, Widened, widened
from costmodel.network.widening.runs import Axes, Axis, Run, repeated


def _changed(axes: Axes, number: int, axis: Axis) -> Axes:
    """Return the axes with another one of that number, counted from 1."""
    return (*axes[: number - 1], axis, *axes[number:])


def concatenated(place: Place) -> Widened:
    """Put runs one behind the other along the axis; all other axes are joined."""
    along = place.operator.axis
    parts = [axes[along - 1] for axes in place.inputs]
    axes = tuple(
        None if number == along else place.families.join(*alike)
        for number, alike in enumerate(zip(*place.inputs, strict=True), start=1)
    )
    if not any(parts):
        return widened(axes)
    whole: list[Run] = []
    for part, (_, sizes) in zip(parts, place.operands, strict=True):
        whole += (Run(sizes[along - 1].value),) if part is None else part
    return widened(_changed(axes, along, tuple(whole)))


def emptied(place: Place) -> Widened:
    """Make channels of their own, of zeros."""
    made = place.families.new(place.operator.channels)
    return widened((made, *resampled(place).axes[1:]), channels=made)


def padded_channels(place: Place) -> Widened:
    """Put channels of their own in front and behind."""
    return _padded(place, 1)


def padded_axis(place: Place) -> Widened:
    """Put elements in front and behind; where channels are padded, channels."""
    along = place.operator.axis
    if place.inputs[0][along - 1] is None:
        return widened(place.inputs[0])
    return _padded(place, along)


def _padded(place: Place, along: int) -> Widened:
    layer, axes = place.operator, place.inputs[0]
    runs = axes[along - 1] or (Run(place.operands[0][1][along - 1].value),)
    before, after = (
        place.families.new(count) if count != 0 else ()
        for count in (layer.before, layer.after)
    )
    whole = (*before, *runs, *after)
    return widened(_changed(axes, along, whole), before=before, after=after)


def selected_channels(place: Place) -> Widened:
    """Take channels in a row; a run that is cut is cut in proportion."""
    layer, runs = place.operator, place.inputs[0][0]
    if runs is None:
        return widened(place.inputs[0])
    first, chosen = _between(place, runs, layer.start, layer.channels)
    axes = _changed(place.inputs[0], 1, chosen)
    return widened(axes, start=first, channels=chosen)


def selected(place: Place) -> Widened:
    """Take elements of an axis; channels only in a row."""
    layer, axes = place.operator, place.inputs[0]
    runs = axes[layer.axis - 1]
    if runs is None:
        return widened(axes)
    if layer.step != 1:
        place.refuse(runs, f"takes every {layer.step}-th channel")
    first, chosen = _between(place, runs, layer.start, layer.length)
    axes = _changed(axes, layer.axis, chosen)
    return widened(axes, start=first, length=chosen)


def sliced(place: Place) -> Widened:
    """Leave out the first and last elements; of channels, in proportion."""
    layer, axes = place.operator, place.inputs[0]
    runs = axes[layer.axis - 1]
    if runs is None:
        return widened(axes)
    if layer.step != 1:
        place.refuse(runs, f"takes every {layer.step}-th channel")
    first, rest = place.families.cut(runs, layer.start, place.node)
    size = place.operands[0][1][layer.axis - 1].value
    left = as_dim(size - layer.start - layer.end)
    chosen, last = place.families.cut(rest or (), left, place.node)
    axes = _changed(axes, layer.axis, chosen)
    return widened(axes, start=first, end=last)


def cropped(place: Place) -> Widened:
    """Take the first elements of every axis; of channels, in proportion."""
    axes = tuple(
        axis if axis is None else place.families.cut(axis, size.value, place.node)[0]
        for axis, size in zip(place.inputs[0], place.extents, strict=True)
    )
    return widened(axes)


def padded_to(place: Place) -> Widened:
    """Pad sides; a width that is padded up to a number is refused."""
    axes = []
    sizes = zip(place.inputs[0], place.operands[0][1], place.extents, strict=True)
    for axis, before, after in sizes:
        if before != after:
            place.refuse(axis, f"pads channels up to {after}")
        axes.append(axis if before == after else None)
    return widened(tuple(axes))


def expanded(place: Place) -> Widened:
    """Let what is repeated follow what it is joined with; the rest stays equal."""
    axes, sizes = place.operands[0]
    made: list[Axis] = []
    for back, size in enumerate(reversed(place.extents), start=1):
        known = back <= len(axes)
        if known and sizes[-back] == size:
            made.append(axes[-back])
            continue
        if known:
            place.families.keep([axes[-back]])
        made.append(place.families.new(size.value, grows=False))
    return widened(tuple(reversed(made)))


def repeated_axes(place: Place) -> Widened:
    """Put the runs of an axis again and again; a single one may follow a width."""
    axes, sizes = place.operands[0]
    found = list(expanded(place).axes)
    for back, (axis, size) in enumerate(zip(reversed(axes), reversed(sizes)), start=1):
        after = place.extents[-back]
        if size in (after, Extent(1)):
            continue
        times = sympy.sympify(after.value) / size.value
        if times.is_Integer:
            found[-back] = axis and axis * int(times)
        else:
            place.refuse(axis, f"repeats {size} channels to {after}")
    return widened(tuple(found))


def shuffled(place: Place) -> Widened:
    """Mix all channels; groups stay."""
    axis = place.inputs[0][0]
    if axis is not None:
        place.families.blend(*((run,) for run in axis))
    return widened(place.inputs[0])


def unfolded(place: Place) -> Widened:
    """Put the taps of a window beside each channel."""
    height, width = place.operator.kernel
    resampled(place)
    return widened((repeated(place.inputs[0][0], height * width), None))


def pixels_shuffled(place: Place) -> Widened:
    """Make positions of channels."""
    resampled(place)
    part = as_dim(1 / sympy.sympify(place.operator.factor) ** 2)
    return widened((repeated(place.inputs[0][0], part), None, None))


def pixels_unshuffled(place: Place) -> Widened:
    """Make channels of positions."""
    resampled(place)
    times = as_dim(place.operator.factor**2)
    return widened((repeated(place.inputs[0][0], times), None, None))


def _between(
    place: Place, runs: tuple[Run, ...], start: Dim, count: Dim
) -> tuple[Axis, Axis]:
    """Return the runs in front of a part of an axis, and those in it."""
    first, rest = place.families.cut(runs, start, place.node)
    chosen, _ = place.families.cut(rest or (), count, place.node)
    return first, chosen


def permuted(place: Place) -> Widened:
    """Put the axes in another order."""
    order = place.operator.order
    return widened(tuple(place.inputs[0][axis - 1] for axis in order))


PARTS: dict[type[op.Operator], Rule] = {
    op.Concat: concatenated,
    op.Zeros: emptied,
    op.PadChannels: padded_channels,
    op.PadAxis: padded_axis,
    op.SelectChannels: selected_channels,
    op.Select: selected,
    op.Slice: sliced,
    op.Crop: cropped,
    op.PadTo: padded_to,
    op.Expand: expanded,
    op.Repeat: repeated_axes,
    op.ChannelShuffle: shuffled,
    op.Unfold2d: unfolded,
    op.PixelShuffle: pixels_shuffled,
    op.PixelUnshuffle: pixels_unshuffled,
    op.Permute: permuted,
}
"""How widths go through operators that arrange elements."""
