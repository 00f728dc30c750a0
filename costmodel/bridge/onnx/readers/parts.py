"""Readers of parts of tensors, and of joins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.onnx.call import Call, Undone
from costmodel.bridge.onnx.readers.movement import reshape
from costmodel.bridge.onnx.readers.pooling import int_of
from costmodel.bridge.onnx.tensors import Traced, plain
from costmodel.bridge.trace.sizes import formula_of
from costmodel.network import operators as op


def part(call: Call, x: Traced, axis: int, start: Size, length: Size) -> Traced:
    """Return so many positions of an axis, from a start on."""
    there = x.sizes[axis]
    if length == there:
        return x
    place = call.axis(x, axis)
    first, many = start.constant, length.constant
    end = (there - start - length).constant
    if first is not None and many is not None and there.constant is not None:
        return call.put(op.Slice(place, first, length=many), x)
    if first is not None and end is not None and end >= 0:
        return call.put(op.Slice(place, first, end), x)
    if first is not None and many is not None:
        return call.put(op.Slice(place, first, length=many), x)
    sizes = [length if i == axis else s for i, s in enumerate(x.sizes)]
    if first == 0:
        return call.put_sizes(op.Crop, x, sizes)
    rest = there - start - length
    made = call.put(op.Slice(place, start.value, rest.value), x, is_step=True)
    # Of a start and an end that are formulas, nothing cancels by itself.
    return call.put_sizes(op.Reshape, made, sizes)


def slice_(call: Call) -> None:
    """Read parts of some axes."""
    x = call.x()
    starts, ends = (call.listed(i, n, []) for i, n in ((1, "starts"), (2, "ends")))
    axes = call.listed(3, "axes") or range(len(starts))
    steps = call.listed(4, "steps") or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        x = _sliced(
            call, x, int(axis) % len(x.sizes), (int_of(start), int_of(end)), int(step)
        )
    call.give(x)


def _sliced(
    call: Call, x: Traced, axis: int, ends: tuple[Any, Any], step: int
) -> Traced:
    there = x.sizes[axis]
    if step == -1 and ends[0] in (-1, 2**31 - 1, 2**63 - 1) and ends[1] < -(2**30):
        return call.put(op.Copy("flipped"), x)
    if step < 1:
        raise Undone
    start, stop = (_bound(call, end, there) for end in ends)
    if step == 1:
        return part(call, x, axis, start, stop - start)
    first, end = start.constant, (there - stop).constant
    if first is None or end is None:
        raise call.refuse(f"a part with steps of {step} from {start.value} on")
    place = call.axis(x, axis)
    if there.constant is not None:
        many = -(-(there.constant - first - end) // step)
        return call.put(op.Slice(place, first, length=many, step=step), x)
    return call.put(op.Slice(place, first, end, step=step), x)


def _bound(call: Call, value: Any, there: Size) -> Size:
    """Return where a slice begins or ends: from the end if negative, never beyond."""
    given, graph = formula_of(value), call.graph
    if graph.number(given) < 0:
        given = there + given
        # Numbers that stand for the very beginning.
        if given.constant is None and graph.number(given) < 0:
            return size(0)
    if graph.number(given) > graph.number(there):
        if given.constant is None or given.constant < 2**30:
            graph.record.hold(">=", given - there)
        return there
    if (given - there).constant is None:
        # Where it is beyond the end, fewer are taken: a condition on the input.
        graph.record.hold(">=", there - given)
    return given


def split_(call: Call) -> None:
    """Read a tensor in parts."""
    x = call.x()
    axis = int(call.get("axis", 0)) % len(x.sizes)
    given = call.listed(1, "split")
    many = len(call.node.output)
    if given is None:
        lengths = _even(call, x.sizes[axis], many)
    else:
        lengths = [formula_of(int_of(n)) for n in given]
        total = sum(lengths, start=size(0))
        call.equal(x.sizes[axis], total, "its parts have to fit")
    start = size(0)
    for place, length in enumerate(lengths):
        if call.node.output[place]:
            call.give(part(call, x, axis, start, length), place)
        start = start + length


def _even(call: Call, there: Size, many: int) -> list[Size]:
    """Return parts of one size; the last one is smaller where they do not fit."""
    if there.constant is None:
        call.equal(there % many, size(0), f"it is split in {many} parts")
        return [there // many] * many
    each = -(-there.constant // many)
    last = there.constant - each * (many - 1)
    return [*[size(each)] * (many - 1), size(last)]


def gather(call: Call) -> None:
    """Read positions of an axis in a row, or a single one."""
    x = call.x()
    if call.is_traced(1):
        raise Undone
    axis = int(call.get("axis", 0)) % len(x.sizes)
    places = plain(call.values(1))
    there = x.sizes[axis]
    flat = places.ravel()
    if places.ndim > 1 or (flat.size > 1 and not np.all(np.diff(flat) == 1)):
        raise Undone
    start = size(int(flat[0]))
    start = there + start if flat[0] < 0 else start
    made = part(call, x, axis, start, size(int(flat.size)))
    if places.ndim == 0:
        kept = [s for i, s in enumerate(made.sizes) if i != axis]
        made = reshape(call, made, kept)
    call.give(made)


def concat(call: Call) -> None:
    """Read a join; the other axes have to be equal."""
    parts = [call.x(i) for i in range(call.count)]
    parts = [p for p in parts if p.sizes != (size(0),)]
    lead = next((p for p in parts if p.layout.has_batch), parts[0])
    axis = int(call.get("axis", 1)) % len(lead.sizes)
    if len(parts) == 1:
        call.give(parts[0])
        return
    equal = []
    for one in parts:
        if one.layout.has_batch:
            wanted = [
                s if i != axis else one.sizes[i] for i, s in enumerate(lead.sizes)
            ]
            one = call.restated(one, wanted, "joined maps have to be equal in size")  # noqa: PLW2901
        equal.append(one)
    layer = op.Concat(lead.layout.logical(axis))
    call.give(call.put(layer, *equal, layout=lead.layout))


PARTS: dict[str, Callable[[Call], None]] = {
    "Slice": slice_,
    "Split": split_,
    "Gather": gather,
    "Concat": concat,
}
