"""Readers of ONNX operators that only move elements: views, slices, concatenations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import views
from costmodel.bridge.importing.readers.parts import bound, even, joined, part, parts
from costmodel.bridge.importing.readers.views import product, reshape
from costmodel.bridge.importing.symbolic_int import formula_of
from costmodel.bridge.onnx.call import NodeCall, Reader
from costmodel.bridge.onnx.tensors import int_of, plain


def view(call: NodeCall) -> None:
    """Read a reshape, in which 0 keeps an axis and −1 is computed."""
    x = call.x()
    wanted = [int_of(w) for w in call.listed(1, "shape", [])]
    if not call.get("allowzero", 0):
        wanted = [x.sizes[i] if _is(w, 0) else w for i, w in enumerate(wanted)]
    known = [
        None if _is(w, -1) else w if isinstance(w, Size) else formula_of(w)
        for w in wanted
    ]
    reshape(call, x, views.resolved(call, x, literal(call, x, known)))


def _is(value: Any, number: int) -> bool:
    return type(value) is int and value == number


def literal(
    call: NodeCall, x: Traced, wanted: Sequence[Size | None]
) -> Sequence[Size | None]:
    """Return sizes with the batch in place of the number that the file has for it."""
    number, place = call.graph.literal_batch, x.layout.batch_axis
    if number is None or place is None or not x.layout.has_batch:
        return wanted
    batch = call.graph.batch
    lengths = _numbers(x, wanted, number, batch)
    if lengths is None:
        is_first = place == 0 and wanted[0] == size(number)
        return [batch, *wanted[1:]] if is_first else wanted
    axis = _batch_among(x, lengths, number, batch)
    if axis is None or lengths[axis] % number:
        return wanted
    each = batch * (lengths[axis] // number)
    return [*map(size, lengths[:axis]), each, *map(size, lengths[axis + 1 :])]


def _numbers(
    x: Traced, wanted: Sequence[Size | None], number: int, batch: Size
) -> list[int] | None:
    """Return the sizes of a view as in the file, with −1 computed."""
    sample = product(x.sizes).divided(batch)
    total = None if sample is None else sample.constant
    given = product([w for w in wanted if w is not None]).constant
    if total is None or not given or total * number % given:
        return None
    rest = total * number // given
    return [rest if w is None else w.constant or 0 for w in wanted]


def _batch_among(x: Traced, lengths: list[int], number: int, batch: Size) -> int | None:
    """Return the axis of a view that is the batch, or that the batch is merged into.

    A view keeps the order: the batch has as many elements in front as before. An
    axis of its own is preferred, then the axis behind; or the one in front, if the
    axis behind is unchanged or the last one, which are features.
    """
    place = x.layout.batch_axis or 0
    front = product(x.sizes[:place]).constant
    inner = x.sizes[place].divided(batch)
    if front is None or inner is None:
        return None
    starts = [math.prod(lengths[:axis]) for axis in range(len(lengths))]
    whole = front * (inner.constant or 0)
    for axis, length in enumerate(lengths):
        if length == number and starts[axis] in (front, whole):
            return axis
    for axis, length in enumerate(lengths):
        if starts[axis] == front:
            behind = [s.constant for s in x.sizes[place + 1 :]]
            is_last = axis == len(lengths) - 1 or behind[:1] == [length]
            return axis - 1 if axis and is_last else axis
    return None


def flatten(call: NodeCall) -> None:
    """Read a flattening to a matrix: axes before one, and axes from it on."""
    x = call.x()
    axis = int(call.get("axis", 1))
    axis = axis + len(x.sizes) if axis < 0 else axis
    reshape(call, x, (product(x.sizes[:axis]), product(x.sizes[axis:])))


def squeeze(call: NodeCall) -> None:
    """Read the removal of axes of size 1."""
    axes = call.listed(1, "axes")
    views.squeeze(call, None if axes is None else [int(a) for a in axes])


def unsqueeze(call: NodeCall) -> None:
    """Read the insertion of axes of size 1."""
    views.unsqueeze(call, [int(a) for a in call.listed(1, "axes", [])])


def transpose(call: NodeCall) -> None:
    """Read a permutation of axes."""
    x = call.x()
    order = call.get("perm") or list(reversed(range(len(x.sizes))))
    views.permuted(call, x, [int(i) for i in order])


def expand(call: NodeCall) -> None:
    """Read an expansion of axes of size 1, without a copy."""
    x = call.x()
    wanted = [formula_of(int_of(w)) for w in call.listed(1, "shape", [])]
    rank = max(len(wanted), len(x.sizes))
    ours = (*views.ones(rank - len(x.sizes)), *x.sizes)
    theirs = (*views.ones(rank - len(wanted)), *wanted)
    sizes = []
    for axis, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        is_batch = axis == x.layout.batch_axis and rank == len(x.sizes)
        if other.constant == 1 or (is_batch and other.constant is not None):
            sizes.append(mine)
        elif mine.constant == 1:
            sizes.append(other)
        else:
            call.equal(mine, other, "only axes of one position are repeated")
            sizes.append(mine)
    views.expand(call, x, sizes)


def tile(call: NodeCall) -> None:
    """Read a tensor repeated along its axes."""
    views.repeat(call, [formula_of(int_of(t)) for t in call.listed(1, "repeats", [])])


def depth_to_space(call: NodeCall) -> None:
    """Read a pixel shuffle, in either of two orders of the channels."""
    x, factor = call.x(), int(call.get("blocksize"))
    if call.get("mode", "DCR") == "CRD":
        views.pixel_shuffle(call, factor)
        return
    count, channels, height, width = x.sizes
    each = (channels // factor) // factor
    apart = (count, size(factor), size(factor), each, height, width)
    opened = call.view(x, apart)
    moved = views.permuted(call, opened, [0, 3, 4, 1, 5, 2], is_step=True)
    sides = (height * factor, width * factor)
    reshape(call, moved, (count, each, *sides))


def space_to_depth(call: NodeCall) -> None:
    """Read a pixel unshuffle, with the position in a block before the channel."""
    x, factor = call.x(), int(call.get("blocksize"))
    count, channels, *sides = x.sizes
    for side in sides:
        call.equal(side % factor, size(0), f"blocks of {factor} have to fit")
    height, width = (side // factor for side in sides)
    apart = (count, channels, height, size(factor), width, size(factor))
    opened = call.view(x, apart)
    moved = views.permuted(call, opened, [0, 3, 5, 1, 2, 4], is_step=True)
    many = channels * (factor * factor)
    reshape(call, moved, (count, many, height, width))


def slice_(call: NodeCall) -> None:
    """Read slices of some axes."""
    x = call.x()
    starts, ends = (call.listed(i, n, []) for i, n in ((1, "starts"), (2, "ends")))
    axes = call.listed(3, "axes") or range(len(starts))
    steps = call.listed(4, "steps") or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        both = int_of(start), int_of(end)
        x = _sliced(call, x, int(axis) % len(x.sizes), both, int(step))
    call.give(x)


def _sliced(
    call: NodeCall, x: Traced, axis: int, ends: tuple[Any, Any], step: int
) -> Traced:
    if step == -1 and ends[0] in (-1, 2**31 - 1, 2**63 - 1) and ends[1] < -(2**30):
        return views.copied(call, x, "flipped")
    if step < 1:
        raise NoRule
    there = x.sizes[axis]
    start, stop = (bound(call, formula_of(end), there) for end in ends)
    return part(call, x, axis, start, stop - start, every=step, is_step=False)


def split(call: NodeCall) -> None:
    """Read a split of a tensor."""
    x = call.x()
    axis = int(call.get("axis", 0)) % len(x.sizes)
    given, outputs = call.listed(1, "split"), call.node.output
    if given is None:
        there, many = x.sizes[axis], len(outputs)
        lengths = even(call, there, -(-there // many), many)
    else:
        lengths = [formula_of(int_of(n)) for n in given]
        call.equal(x.sizes[axis], sum(lengths, start=size(0)), "its parts have to fit")
    parts(call, x, axis, lengths, [i for i, name in enumerate(outputs) if not name])


def gather(call: NodeCall) -> None:
    """Read consecutive positions of an axis, or a single one."""
    x = call.x()
    if call.is_traced(1):
        raise NoRule
    axis = int(call.get("axis", 0)) % len(x.sizes)
    places = plain(call.values(1))
    there = x.sizes[axis]
    flat = places.ravel()
    if places.ndim > 1 or (flat.size > 1 and not np.all(np.diff(flat) == 1)):
        raise NoRule
    start = size(int(flat[0]))
    start = there + start if flat[0] < 0 else start
    made = part(call, x, axis, start, size(int(flat.size)), is_step=False)
    views.without(call, made, {axis} if places.ndim == 0 else ())


def concat(call: NodeCall) -> None:
    """Read a concatenation."""
    values = [x for x in call.all() if x.sizes != (size(0),)]
    joined(call, values, int(call.get("axis", 1)))


AXES: dict[str, Reader] = {
    "Reshape": view,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Slice": slice_,
    "Split": split,
    "Gather": gather,
    "Concat": concat,
}
