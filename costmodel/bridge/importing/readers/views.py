"""Readers of views, permutations, expansions, and copies in another order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.importing.batch_axis import Sizes, split
from costmodel.bridge.importing.call import Call
from costmodel.bridge.importing.graph import Traced
from costmodel.network import operators as op


def product(sizes: Sequence[Size]) -> Size:
    """Return the product of sizes."""
    total = size(1)
    for one in sizes:
        total = total * one
    return total


WHY = "a view keeps the number of elements"


def resolved(call: Call, x: Traced, wanted: Sequence[Size | None]) -> Sizes:
    """Return the sizes of a view with −1 computed; require equal numbers of elements.

    None means −1.
    """
    known = [k for k in wanted if k is not None]
    if len(known) == len(wanted):
        _demand(call, x.sizes, known)
        return tuple(known)
    left, over = list(x.sizes), []
    for length in known:
        if length in left:
            left.remove(length)
        else:
            over.append(length)
    rest = product(left).divided(product(over))
    if rest is None:
        rest = _assumed(call, product(x.sizes), product(known))
    return tuple(rest if k is None else k for k in wanted)


def _demand(call: Call, sizes: Sequence[Size], target: Sequence[Size]) -> None:
    """Require a view to keep the number of elements, group by group of axes.

    Axes before and after whose products agree in the sample are one group: H viewed as
    ⌊H/4⌋ × 4 requires H = 4·⌊H/4⌋, whatever the other axes are.
    """
    number, total = call.graph.number, product(sizes)
    if total == product(target):
        return
    literal = call.graph.literal_batch is not None
    if literal or number(total) != number(product(target)):
        call.equal(total, product(target), WHY)
        return
    left, right = list(sizes), list(target)
    while left or right:
        ours, theirs = [left.pop(0)] if left else [], [right.pop(0)] if right else []
        while (a := number(product(ours))) != (b := number(product(theirs))):
            (theirs if a > b else ours).append((right if a > b else left).pop(0))
        if not (left and right):
            ours, theirs, left, right = [*ours, *left], [*theirs, *right], [], []
        call.equal(product(ours), product(theirs), WHY)


def _assumed(call: Call, total: Size, given: Size) -> Size:
    """Return the batch if a view's −1 has to be that."""
    number, batch = call.graph.number, call.graph.batch
    if number(total) == number(given) * number(batch):
        sample = total.divided(batch)
        if sample is not None:
            call.equal(sample, given, WHY)
            return batch
    quotient, left = divmod(number(total), number(given))
    if left == 0 and isinstance(given.constant, int):
        call.equal(total % given.constant, size(0), "a view keeps the elements")
        return total // given.constant
    raise call.refuse(
        f"cannot tell −1: {total.value} elements over {given.value}, "
        f"{quotient} for the sample"
    )


def reshape(call: Call, x: Traced, sizes: Sequence[Size], place: int = 0) -> None:
    """Append a view with those sizes, unless they are equal already."""
    if tuple(sizes) == x.sizes:
        call.give(x, place)
    elif len(sizes) == 2 and len(x.sizes) in (4, 5) and sizes[0] == x.sizes[0]:
        made = call.put(op.Flatten(), x, rank=2, is_step=False)
        if made.sizes != tuple(sizes):
            made = call.view(made, sizes, is_step=False)
        call.give(made, place)
    else:
        call.give(call.view(x, tuple(sizes), is_step=False), place)


def without(call: Call, x: Traced, axes: Collection[int], place: int = 0) -> None:
    """Append a view without some axes of size 1."""
    reshape(call, x, [s for i, s in enumerate(x.sizes) if i not in axes], place)


def squeeze(call: Call, axes: Collection[int] | None) -> None:
    """Read the removal of axes of size 1: the given ones, or all.

    That the others are not 1 is a condition on the input.
    """
    x = call.x()
    places = range(len(x.sizes)) if axes is None else axes
    for place in places:
        call.graph.record.hold("!=", x.sizes[place] - 1)
    without(
        call, x, {a % len(x.sizes) for a in places if x.sizes[a].constant == 1}
    )  # fmt: skip


def unsqueeze(call: Call, axes: Collection[int]) -> None:
    """Read the insertion of axes of size 1."""
    x = call.x()
    sizes = list(x.sizes)
    for axis in sorted(a % (len(x.sizes) + len(axes)) for a in axes):
        sizes.insert(axis, size(1))
    reshape(call, x, sizes)


def permuted(
    call: Call, x: Traced, order: Sequence[int], *, is_step: bool = False
) -> Traced:
    """Append a permutation; one that moves the batch alone changes no sample."""
    sizes = tuple(x.sizes[i] for i in order)
    lay, _ = split(sizes, call.graph.batch)
    if x.layout.is_folded != lay.is_folded:
        raise call.refuse("the batch of one sample is no longer the first axis")
    if x.layout.is_folded:
        axes = [i + 1 for i in order]
    else:
        axes = [x.layout.logical(i) for i in order if i != x.layout.batch_axis]
    if axes == sorted(axes):
        made = replace(x, sizes=sizes, layout=lay)
    elif is_step:
        made = call.put(op.Permute(tuple(axes)), x, layout=lay)
    else:
        return call.result(op.Permute(tuple(axes)), x, layout=lay)
    if not is_step:
        call.give(made)
    return made


def ones(count: int) -> list[Size]:
    """Return sizes of 1 for so many missing axes."""
    return [size(1)] * count


def expand(call: Call, x: Traced, sizes: Sequence[Size]) -> None:
    """Append an expansion of axes of size 1, without a copy."""
    if tuple(sizes) == x.sizes:
        call.give(x)
    else:
        call.result_sizes(op.Expand, x, tuple(sizes))


def repeat(call: Call, times: Sequence[Size]) -> None:
    """Read a tensor repeated along its axes."""
    x = call.x()
    whole = (*ones(len(times) - len(x.sizes)), *x.sizes)
    sizes = tuple(t * s for t, s in zip(times, whole, strict=True))
    if sizes == x.sizes:
        call.give(x)
    else:
        call.result_sizes(op.Repeat, x, sizes)


def copied(call: Call, x: Traced, order: str, **constants: Any) -> Traced:
    """Append a copy with its elements in another order."""
    layer = call.kept(op.Copy(order), **constants)
    return call.put(layer, x, rank=len(x.sizes), is_step=False)


def pixel_shuffle(call: Call, factor: int) -> None:
    """Append a pixel shuffle."""
    call.result(op.PixelShuffle(factor), call.x())


def pixel_unshuffle(call: Call, factor: int) -> None:
    """Append a pixel unshuffle."""
    call.result(op.PixelUnshuffle(factor), call.x())


def channel_shuffle(call: Call, groups: int) -> None:
    """Append a channel shuffle."""
    call.result(op.ChannelShuffle(groups), call.x())
