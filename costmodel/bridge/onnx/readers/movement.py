"""Readers of views and permutations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.onnx.call import Call
from costmodel.bridge.onnx.readers.pooling import int_of
from costmodel.bridge.onnx.tensors import Traced
from costmodel.bridge.trace.layout import split
from costmodel.bridge.trace.sizes import formula_of
from costmodel.network import operators as op


def product(sizes: Sequence[Size]) -> Size:
    """Return the product of sizes."""
    total = size(1)
    for one in sizes:
        total = total * one
    return total


def view(call: Call) -> None:
    """Read a reshape: 0 keeps an axis, −1 is worked out."""
    x = call.x()
    wanted = [int_of(w) for w in call.listed(1, "shape", [])]
    if not call.get("allowzero", 0):
        wanted = [x.sizes[i] if _is(w, 0) else w for i, w in enumerate(wanted)]
    known = [
        None if _is(w, -1) else w if isinstance(w, Size) else formula_of(w)
        for w in wanted
    ]
    call.give(reshape(call, x, resolved(call, x, literal(call, x, known))))


def _is(value: Any, number: int) -> bool:
    return type(value) is int and value == number


def literal(
    call: Call, x: Traced, wanted: Sequence[Size | None]
) -> Sequence[Size | None]:
    """Return sizes with the batch for the number that the file has in its place."""
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
    """Return the sizes of a view as the file has them, −1 worked out."""
    sample = product(x.sizes).divided(batch)
    total = None if sample is None else sample.constant
    given = product([w for w in wanted if w is not None]).constant
    if total is None or not given or total * number % given:
        return None
    rest = total * number // given
    return [rest if w is None else w.constant or 0 for w in wanted]


def _batch_among(x: Traced, lengths: list[int], number: int, batch: Size) -> int | None:
    """Return the axis of a view that the batch is, or that it is joined with.

    A view keeps the order: as many elements lie in front of the batch as before. An
    axis of its own is taken first, then the axis behind; the one in front where the
    axis behind is what it was, or the last one, which are features.
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


def resolved(call: Call, x: Traced, known: Sequence[Size | None]) -> tuple[Size, ...]:
    """Return the sizes of a view, −1 worked out and what has to be equal demanded."""
    total = product(x.sizes)
    given = product([k for k in known if k is not None])
    if None not in known:
        call.equal(total, given, "a view keeps the number of elements")
        return tuple(k for k in known if k is not None)
    left, over = list(x.sizes), []
    for length in (k for k in known if k is not None):
        if length in left:
            left.remove(length)
        else:
            over.append(length)
    rest = product(left).divided(product(over))
    if rest is None:
        rest = _assumed(call, total, given)
    return tuple(rest if k is None else k for k in known)


def _assumed(call: Call, total: Size, given: Size) -> Size:
    """Return the batch where that is what a view's −1 has to be."""
    graph = call.graph
    why = "a view keeps the number of elements"
    if graph.number(total) == graph.number(given) * graph.number(graph.batch):
        sample = total.divided(graph.batch)
        if sample is not None:
            call.equal(sample, given, why)
            return graph.batch
    if given.constant and graph.number(total) % given.constant == 0:
        call.equal(total % given.constant, size(0), why)
        return total // given.constant
    raise call.refuse(f"cannot tell −1: {total.value} elements over {given.value}")


def reshape(call: Call, x: Traced, sizes: Sequence[Size]) -> Traced:
    """Return a view with those sizes; the operand where they are those that it has."""
    if tuple(sizes) == x.sizes:
        return x
    if len(sizes) == 2 and len(x.sizes) in (4, 5) and sizes[0] == x.sizes[0]:
        x = call.put(op.Flatten(), x)
        return x if x.sizes == tuple(sizes) else call.put_sizes(op.Reshape, x, sizes)
    return call.put_sizes(op.Reshape, x, tuple(sizes))


def flatten(call: Call) -> None:
    """Read a tensor as a matrix: axes before one, and axes from it on."""
    x = call.x()
    axis = int(call.get("axis", 1))
    axis = axis + len(x.sizes) if axis < 0 else axis
    call.give(reshape(call, x, (product(x.sizes[:axis]), product(x.sizes[axis:]))))


def squeeze(call: Call) -> None:
    """Read axes of one position left out."""
    x = call.x()
    axes = call.listed(1, "axes")
    places = range(len(x.sizes)) if axes is None else [int(a) for a in axes]
    gone = {p % len(x.sizes) for p in places if x.sizes[p].constant == 1}
    kept = [s for i, s in enumerate(x.sizes) if i not in gone]
    call.give(reshape(call, x, kept))


def unsqueeze(call: Call) -> None:
    """Read axes of one position put in."""
    x = call.x()
    axes = [int(a) for a in call.listed(1, "axes", [])]
    rank = len(x.sizes) + len(axes)
    sizes = list(x.sizes)
    for axis in sorted(a % rank for a in axes):
        sizes.insert(axis, size(1))
    call.give(reshape(call, x, sizes))


def transpose(call: Call) -> None:
    """Read axes in another order."""
    x = call.x()
    order = call.get("perm") or list(reversed(range(len(x.sizes))))
    call.give(permuted(call, x, [int(i) for i in order]))


def permuted(call: Call, x: Traced, order: list[int]) -> Traced:
    """Return a permutation; the batch moving by itself changes no sample."""
    sizes = tuple(x.sizes[i] for i in order)
    lay, _ = split(sizes, call.graph.batch)
    if x.layout.is_folded or lay.is_folded:
        axes = [i + 1 for i in order]
    else:
        axes = [x.layout.logical(i) for i in order if i != x.layout.batch_axis]
    if axes == sorted(axes):
        return Traced(x.node, x.shape, sizes, lay, x.dtype)
    return call.put(op.Permute(tuple(axes)), x, layout=lay)


def expand(call: Call) -> None:
    """Read axes of one position repeated without a copy."""
    x = call.x()
    wanted = [formula_of(int_of(w)) for w in call.listed(1, "shape", [])]
    rank = max(len(wanted), len(x.sizes))
    ours = (*[size(1)] * (rank - len(x.sizes)), *x.sizes)
    theirs = (*[size(1)] * (rank - len(wanted)), *wanted)
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
    is_same = tuple(sizes) == x.sizes
    call.give(x if is_same else call.put_sizes(op.Expand, x, sizes))


def tile(call: Call) -> None:
    """Read a tensor repeated along its axes."""
    x = call.x()
    times = [formula_of(int_of(t)) for t in call.listed(1, "repeats", [])]
    sizes = tuple(t * s for t, s in zip(times, x.sizes, strict=True))
    call.give(x if sizes == x.sizes else call.put_sizes(op.Repeat, x, sizes))


def depth_to_space(call: Call) -> None:
    """Read channels moved into space; either of two orders of the channels."""
    x, factor = call.x(), int(call.get("blocksize"))
    if call.get("mode", "DCR") == "CRD":
        call.give(call.put(op.PixelShuffle(factor), x))
        return
    count, channels, height, width = x.sizes
    each = (channels // factor) // factor
    apart = (count, size(factor), size(factor), each, height, width)
    opened = call.put_sizes(op.Reshape, x, apart, is_step=True)
    moved = permuted(call, opened, [0, 3, 4, 1, 5, 2])
    sides = (height * factor, width * factor)
    call.give(call.put_sizes(op.Reshape, moved, (count, each, *sides)))


def space_to_depth(call: Call) -> None:
    """Read space moved into channels, the place in a block before the channel."""
    x, factor = call.x(), int(call.get("blocksize"))
    count, channels, *sides = x.sizes
    for side in sides:
        call.equal(side % factor, size(0), f"blocks of {factor} have to fit")
    height, width = (side // factor for side in sides)
    apart = (count, channels, height, size(factor), width, size(factor))
    opened = call.put_sizes(op.Reshape, x, apart, is_step=True)
    moved = permuted(call, opened, [0, 3, 5, 1, 2, 4])
    many = channels * (factor * factor)
    call.give(call.put_sizes(op.Reshape, moved, (count, many, height, width)))


MOVEMENT: dict[str, Callable[[Call], None]] = {
    "Reshape": view,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
