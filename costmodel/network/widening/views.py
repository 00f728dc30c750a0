"""How channels go through views: which axes of a shape are which of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.network import operators as op
from costmodel.network.axes import axes as extents_of
from costmodel.network.node import Node
from costmodel.network.widening.layers import Rule
from costmodel.network.widening.runs import Axis, Run, length, repeated
from costmodel.network.widening.site import Site, Widened, widened


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring axes that hold the same elements before and after a view."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def reshaped(site: Site) -> Widened:
    """Follow each width: kept, or put together with sides, or dealt into groups.

    **Errors**: a width that is split; nothing says which of its parts grows.
    """
    axes, sizes = site.operands[0]
    found: list[Axis] = [None] * len(site.extents)
    for stretch in stretches(sizes, site.extents):
        old, after = _beside_ones(site, stretch)
        wide = [number for number in old if axes[number] is not None]
        if len(wide) == 1 and len(after) == 1:
            found[after[0]] = _merged(site, old, wide[0], after[0])
        elif len(wide) == 1 and len(old) == 1 and _is_dealt(site, after):
            found[after[1]] = _dealt(site, axes[wide[0]], after[0])
        else:
            _refuse_split(site, wide, after)
    return widened(tuple(found))


def _beside_ones(site: Site, stretch: Stretch) -> tuple[list[int], list[int]]:
    """Return a stretch's axes without those of size 1, which stay 1."""
    axes, sizes = site.operands[0]
    old = [number for number in stretch.before if sizes[number] != Extent(1)]
    new = [number for number in stretch.after if site.extents[number] != Extent(1)]
    if not old and len(stretch.before) == len(stretch.after) == 1:
        return list(stretch.before), list(stretch.after)
    site.bonds.keep(axes[n] for n in stretch.before if n not in old)
    return old, new


def _refuse_split(site: Site, wide: list[int], after: list[int]) -> None:
    axes, sizes = site.operands[0]
    parts = "×".join(str(site.extents[number]) for number in after)
    for number in wide:
        why = f"splits {sizes[number]} channels into {parts}; nothing says which grows"
        if len(wide) > 1:
            why = f"mixes the widths of {len(wide)} axes"
        site.refuse(axes[number], why)


def stretches(before: Sequence[Extent], after: Sequence[Extent]) -> Iterator[Stretch]:
    """Yield axes that hold the same elements, as short stretches as can be told.

    >>> sides = [Extent(n) for n in (116, 7, 7)], [Extent(n) for n in (2, 58, 49)]
    >>> [(list(s.before), list(s.after)) for s in stretches(*sides)]
    [([0], [0, 1]), ([1, 2], [2])]
    """
    front = 0
    while front < min(len(before), len(after)) and before[front] == after[front]:
        yield Stretch((front,), (front,))
        front += 1
    back = 0
    most = min(len(before), len(after)) - front
    while back < most and before[-1 - back] == after[-1 - back]:
        back += 1
        yield Stretch((len(before) - back,), (len(after) - back,))
    yield from _middle(
        before, range(front, len(before) - back), after, range(front, len(after) - back)
    )


def _middle(
    before: Sequence[Extent], old: range, after: Sequence[Extent], new: range
) -> Iterator[Stretch]:
    """Yield stretches of equal products, as long as sizes are numbers."""
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
        yield Stretch(tuple(range(i, k)), tuple(range(j, m)))
        i, j = k, m


def _is_more(left: Dim, right: Dim) -> bool:
    """Say whether there are more elements before than after, so far."""
    return bool(sympy.sympify(left - right).is_positive)


def _merged(site: Site, before: list[int], wide: int, made: int) -> Axis:
    """Return one axis of a width and sides: as many times the channels."""
    axes, _ = site.operands[0]
    axis = axes[wide]
    if axis is None:
        return None
    if wide != before[0]:
        site.bonds.mix(axis)
    size = sympy.sympify(site.extents[made].value)
    return repeated(axis, as_dim(sympy.cancel(size / length(axis))))


def _dealt(site: Site, axis: Axis, groups: int) -> Axis:
    """Return the width of a group: all groups are alike."""
    runs = axis or ()
    site.bonds.mix(runs)
    count = site.extents[groups].value
    if all(is_equal(run.size, runs[0].size) for run in runs):
        times = sympy.sympify(runs[0].times * len(runs)) / count
        return (replace(runs[0], times=as_dim(times)),)
    if site.bonds.is_rounded:
        site.refuse(axis, "deals out channels that are rounded apart")
    part = as_dim(sympy.Rational(1, count))
    return (Run(length(runs), runs[0].bond, part),)


def _is_dealt(site: Site, after: list[int]) -> bool:
    """Say whether an axis is split into two only to be put together the other way.

    So channels are shuffled: the first part is the number of groups, which stays.
    """
    if len(after) != 2 or after[1] != after[0] + 1:
        return False
    order = list(range(1, len(site.extents) + 1))
    first = after[0]
    order[first], order[first + 1] = order[first + 1], order[first]
    turned = _reader(site, site.node)
    if turned is None or not isinstance(turned.operator, op.Permute):
        return False
    back = _reader(site, turned)
    return (
        turned.operator.order == tuple(order)
        and back is not None
        and isinstance(back.operator, op.Reshape)
        and extents_of(back.output) == site.operands[0][1]
    )


def _reader(site: Site, node: Node) -> Node | None:
    """Return the only node that reads a node; copies are passed over."""
    readers = site.readers.get(node.name, [])
    if len(readers) != 1:
        return None
    only = readers[0]
    return _reader(site, only) if isinstance(only.operator, op.Copy) else only


VIEWS: dict[type[op.Operator], Rule] = {op.Reshape: reshaped, op.Flatten: reshaped}
"""How widths go through views."""
