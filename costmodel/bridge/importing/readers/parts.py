"""Readers of slices, splits, concatenations and windows as columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.importing.call import Call, NoRule
from costmodel.bridge.importing.graph import SampleError, Traced
from costmodel.network import operators as op


def part(
    call: Call,
    x: Traced,
    axis: int,
    start: Size,
    length: Size,
    *,
    every: int = 1,
    is_step: bool = True,
) -> Traced:
    """Append a slice of an axis from a start on, of a length or with a step."""
    there = x.sizes[axis]
    if length == there and every == 1:
        return x
    if call.graph.number(length) < 1:
        nothing = f"nothing is left of {there.value} positions"
        raise SampleError(str(call.refuse(nothing)))
    call.graph.record.hold(">=", there - start - length)
    place, first, many = call.axis(x, axis), start.constant, length.constant
    end = (there - start - length).constant
    put = partial(call.put, rank=len(x.sizes), is_step=is_step)
    is_open = there.constant is None and end is not None and end >= 0
    if first is not None and many is not None and not is_open:
        return put(op.Slice(place, first, length=-(-many // every), step=every), x)
    if first is not None and end is not None and end >= 0:
        return put(op.Slice(place, first, end, step=every), x)
    taken = -(-length // every)
    sizes = [taken if i == axis else s for i, s in enumerate(x.sizes)]
    if first == 0 and every == 1:
        return call.put_sizes(op.Crop, x, sizes, is_step=is_step)
    rest = there - start - length
    operator = op.Slice(place, start.value, rest.value, step=every)
    made = call.put(operator, x, rank=len(x.sizes))
    # A start and an end that are formulas have to be simplified.
    return call.view(made, sizes, is_step=is_step)


def bound(call: Call, given: Size, there: Size) -> Size:
    """Return a bound of a slice: counted from the end if negative, and clamped."""
    graph = call.graph
    if graph.number(given) < 0:
        is_far = isinstance(given.constant, int) and given.constant <= -ENDLESS
        given = there + given
        is_before = graph.number(given) < 0
        if not is_far:
            graph.record.hold("<" if is_before else ">=", given)
        if is_before:
            return size(0)
    if graph.number(given) > graph.number(there):
        if not isinstance(given.constant, int) or given.constant < ENDLESS:
            graph.record.hold(">=", given - there)
        return there
    if (given - there).constant is None:
        # Beyond the end, fewer would be taken: a condition on the input.
        graph.record.hold(">=", there - given)
    return given


ENDLESS = 1 << 30
"""Numbers from here on mean the end of any axis; below their negative, its start."""


def parts(
    call: Call,
    x: Traced,
    axis: int,
    lengths: Sequence[Size],
    unread: Collection[int] = (),
) -> None:
    """Append the parts of a tensor, one output each, except unread ones."""
    start = size(0)
    for place, length in enumerate(lengths):
        if place not in unread:
            call.give(part(call, x, axis, start, length, is_step=False), place)
        start = start + length


def even(call: Call, there: Size, each: Size, many: int) -> list[Size]:
    """Return the sizes of so many parts, all of them equal; the last one may be less.

    That it is none and no more than the others is a condition on the input.
    """
    last = there - each * (many - 1)
    for positive in (last - 1, each - last):
        call.graph.record.hold(">=", positive)
    return [*[each] * (many - 1), last]


def joined(call: Call, parts: Sequence[Traced], axis: int) -> None:
    """Append a concatenation along an axis; the other axes have to be equal."""
    if len(parts) == 1:
        call.give(parts[0])
        return
    lead = next((p for p in parts if p.layout.has_batch), parts[0])
    axis %= len(lead.sizes)
    equal = []
    for one in parts:
        wanted = list(lead.sizes)
        wanted[axis] = one.sizes[axis]
        is_held = one.layout.has_batch or not lead.layout.has_batch
        why = "joined feature maps have to be equal in size"
        equal.append(call.restated(one, wanted, why) if is_held else one)
    place = call.axis(lead, axis)
    call.result(op.Concat(place), *equal, layout=lead.layout)


def columns(call: Call) -> None:
    """Read windows laid out as columns (im2col)."""
    x = call.x()
    if len(x.sizes) != 4:
        raise NoRule
    kernel = call.ints("kernel_size", 2, None)
    names = ("stride", 1), ("padding", 0), ("dilation", 1)
    call.result(op.Unfold(kernel, *(call.ints(n, 2, d) for n, d in names)), x)
