"""The axis flow of reshapes: groups of axes that hold the same elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, is_equal
from costmodel.network.axes import extents as extents_of
from costmodel.network.flow import AxisFlow, Fixed, Flow, Merged, Same, Split, parts_of
from costmodel.network.shape import Shape


_ONE = Extent(1)


def regrouped(before: Shape, after: Shape) -> Flow:
    """Return the flow of a reshape: the same elements in the same order.

    >>> x = Shape(6, (Extent(4), Extent(4)))
    >>> regrouped(x, Shape(2, (Extent(3), Extent(16)))).axes[0]
    Split(whole=Same(axis=1, operand=0, held=None), sizes=(2, 3), number=0, wide=None)
    """
    old, new = extents_of(before), extents_of(after)
    found: list[AxisFlow] = [Fixed()] * len(new)
    for ours, theirs in axis_groups(old, new):
        every = tuple(Same(axis + 1) for axis in ours)
        whole = every[0] if len(every) == 1 else Merged(every)
        sizes = tuple(new[axis].value for axis in theirs)
        for number, axis in enumerate(theirs):
            found[axis] = Split(whole, sizes, number) if len(theirs) > 1 else whole
    return Flow(tuple(found))


AxisGroup: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Adjacent axes, from 0, that hold the same elements before and after a reshape."""


def axis_groups(
    before: Sequence[Extent], after: Sequence[Extent]
) -> Iterator[AxisGroup]:
    """Yield the smallest known groups of axes that hold the same elements.

    Axes of size 1 are left out, except one that stays one.

    >>> sides = [Extent(n) for n in (116, 7, 7)], [Extent(n) for n in (2, 58, 49)]
    >>> list(axis_groups(*sides))
    [((0,), (0, 1)), ((1, 2), (2,))]
    """
    for ours, theirs in _groups_between(before, after):
        old = tuple(axis for axis in ours if before[axis] != _ONE)
        new = tuple(axis for axis in theirs if after[axis] != _ONE)
        if old or new:
            yield old, new
        elif len(ours) == len(theirs) == 1:
            yield ours, theirs


def _groups_between(
    before: Sequence[Extent], after: Sequence[Extent]
) -> Iterator[AxisGroup]:
    """Yield equal axes from both ends, then the groups between."""
    front = 0
    while front < min(len(before), len(after)) and before[front] == after[front]:
        yield (front,), (front,)
        front += 1
    back = 0
    most = min(len(before), len(after)) - front
    while back < most and before[-1 - back] == after[-1 - back]:
        back += 1
        yield (len(before) - back,), (len(after) - back,)
    yield from _middle(
        before, range(front, len(before) - back), after, range(front, len(after) - back)
    )


def _middle(
    before: Sequence[Extent], old: range, after: Sequence[Extent], new: range
) -> Iterator[AxisGroup]:
    """Yield groups of equal products, while sizes are numbers."""
    if len(old) == 1 or len(new) == 1:
        yield tuple(old), tuple(new)
        return
    i, j = old.start, new.start
    while i < old.stop or j < new.stop:
        k, m = i, j
        left: Dim = 1
        right: Dim = 1
        while k < old.stop or m < new.stop:
            if k < old.stop and (m == new.stop or not _is_more(left, right)):
                left, k = left * before[k].value, k + 1
            else:
                right, m = right * after[m].value, m + 1
            if k > i and m > j and is_equal(left, right):
                break
        yield tuple(range(i, k)), tuple(range(j, m))
        i, j = k, m


def _is_more(left: Dim, right: Dim) -> bool:
    """Say whether the first product is known to be larger."""
    return bool(sympy.sympify(left - right).is_positive)


def shuffle_of(axis: AxisFlow) -> Shuffle | None:
    """Return the split of an axis whose parts are merged in another order.

    >>> group, member = (Split(Same(1), (2, 3), number) for number in range(2))
    >>> shuffle_of(Merged((member, group)))
    Shuffle(whole=Same(axis=1, operand=0, held=None), sizes=(2, 3), order=(1, 0))
    """
    parts = [part for part in parts_of(axis) if isinstance(part, Split)]
    order = tuple(part.number for part in parts)
    first = parts[0] if parts else None
    if (
        first is None
        or sorted(order) != list(range(len(first.sizes)))
        or len(parts) != len(parts_of(axis))
        or any((p.whole, p.sizes) != (first.whole, first.sizes) for p in parts)
    ):
        return None
    return Shuffle(first.whole, first.sizes, order)


class Shuffle(NamedTuple):
    """An axis split into parts of these sizes, which are merged in another order."""

    whole: Same | Merged
    sizes: tuple[Dim, ...]
    order: tuple[int, ...]
