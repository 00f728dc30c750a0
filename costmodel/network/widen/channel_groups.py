"""Axes as groups of channels, and which groups grow together, by union–find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import sympy

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, as_dim, expand, is_equal
from costmodel.errors import at
from costmodel.network.node import Node


STAYS = 0
"""The set of all that stays: sizes of the input and outputs, and every image side."""


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Adjacent channels, times · count of them; all groups of one set grow together."""

    count: Dim
    set_id: int = STAYS
    times: Dim = 1

    @property
    def size(self) -> Dim:
        """The number of channels before widening."""
        return as_dim(self.times * self.count)


Groups: TypeAlias = tuple[ChannelGroup, ...]
Axis: TypeAlias = Groups | None
"""An axis as groups of channels; None is a side that is no width, and stays."""
Axes: TypeAlias = tuple[Axis, ...]


def length(axis: Groups) -> Dim:
    """Return how many channels an axis has.

    >>> length((ChannelGroup(64), ChannelGroup(16, set_id=3, times=2)))
    96
    """
    return as_dim(expand(sum(group.size for group in axis)))


def repeated(axis: Axis, times: Dim) -> Axis:
    """Return the axis with so many channels in the place of each.

    >>> repeated((ChannelGroup(64, set_id=3),), 49)
    (ChannelGroup(count=64, set_id=3, times=49),)
    """
    if axis is None:
        return None
    return tuple(replace(group, times=as_dim(group.times * times)) for group in axis)


@dataclass
class DisjointSets:
    """Sets of channel groups that a network needs equal, so that they grow together."""

    parents: list[int] = field(default_factory=lambda: [STAYS])
    growing: list[bool] = field(default_factory=lambda: [False])
    obstacles: list[tuple[ChannelGroup, Node, str]] = field(default_factory=list)
    is_rounded: bool = False

    def new(self, count: Dim, *, grows: bool = True) -> Groups:
        """Return an axis of a new set; a stored tensor's grows only with others."""
        self.parents.append(len(self.parents))
        self.growing.append(grows)
        return (ChannelGroup(count, len(self.parents) - 1),)

    def root(self, set_id: int) -> int:
        """Return the representative of a set, halving the path to it."""
        while self.parents[set_id] != set_id:
            self.parents[set_id] = self.parents[self.parents[set_id]]
            set_id = self.parents[set_id]
        return set_id

    def unite(self, one: int, other: int) -> None:
        """Merge two sets; what stays, stays."""
        low, high = sorted((self.root(one), self.root(other)))
        self.parents[high] = low
        self.growing[low] = self.growing[low] or self.growing[high]

    def blend(self, *axes: Axis) -> None:
        """Merge the sets of all groups of some axes: their channels are mixed."""
        groups = [group for axis in axes for group in axis or (ChannelGroup(0),)]
        for group in groups[1:]:
            self.unite(groups[0].set_id, group.set_id)

    def mix(self, axis: Axis) -> None:
        """Merge the sets of all groups of an axis: it is dealt into equal parts."""
        self.blend(*((group,) for group in axis or ()))

    def join(self, *axes: Axis) -> Axis:
        """Merge axes of one size, group by group if they match; return the result."""
        best = max(axes, key=lambda axis: len(axis or ()))
        for axis in axes:
            if axis is None or best is None or not _match(axis, best):
                self.blend(axis, best)
                continue
            for one, other in zip(axis, best, strict=True):
                self.unite(one.set_id, other.set_id)
        return None if None in axes else best

    def keep(self, axes: Iterable[Axis]) -> None:
        """Keep axes from growing."""
        for axis in axes:
            self.blend(axis, None)

    def refuse(self, axis: Axis, node: Node, why: str) -> None:
        """Note that an axis cannot grow here: an error only if it would grow."""
        self.obstacles += [(group, node, why) for group in axis or ()]

    def grows(self, group: ChannelGroup) -> bool:
        """Say whether channels grow: a layer makes them, and nothing fixes them."""
        root = self.root(group.set_id)
        return root != STAYS and self.growing[root]

    def check(self) -> None:
        """Raise the first obstacle that keeps a width from growing."""
        for group, node, why in self.obstacles:
            if self.grows(group):
                raise at(node.operator.kind, node.name, why)

    def cut(self, axis: Groups, place: Dim, node: Node) -> tuple[Axis, Axis]:
        """Return an axis in two parts, in front of a place and from it on.

        A group that is cut keeps the proportion of its parts at every width.
        """
        left = place
        for number, group in enumerate(axis):
            if is_equal(left, 0):
                return axis[:number], axis[number:]
            rest = as_dim(expand(left - group.size))
            if rest == 0 or sympy.sympify(rest).is_positive:
                left = rest
                continue
            first, second = self._halves(group, left, node, known=rest)
            return (*axis[:number], first), (second, *axis[number + 1 :])
        return axis, ()

    def _halves(
        self, group: ChannelGroup, place: Dim, node: Node, *, known: Dim
    ) -> tuple[ChannelGroup, ChannelGroup]:
        """Cut a group at a multiple of its count, or anywhere if nothing is rounded."""
        size, tied = group.size, group.set_id
        if not sympy.sympify(known).is_negative:
            self.refuse((group,), node, f"cuts {size} channels at an unknown place")
        times = as_dim(sympy.cancel(sympy.sympify(place) / group.count))
        if type(times) is int:
            rest = group.times - times
            return replace(group, times=times), replace(group, times=rest)
        if self.is_rounded:
            problem = f"cuts {size} channels, which are rounded, at {place}"
            self.refuse((group,), node, problem)
        return ChannelGroup(place, tied), ChannelGroup(as_dim(size - place), tied)


@dataclass(frozen=True, slots=True)
class Scale:
    """What widths are multiplied by, and what the products are rounded to."""

    sets: DisjointSets
    factor: Dim
    divisor: Dim | None = None

    def size(self, axis: Groups) -> Dim:
        """Return how many channels an axis has after widening."""
        return as_dim(sympy.sympify(sum(one.times * self._count(one) for one in axis)))

    def changes(self, axis: Axis) -> bool:
        """Say whether any of an axis grows."""
        return axis is not None and any(self.sets.grows(group) for group in axis)

    def _count(self, group: ChannelGroup) -> Dim:
        if not self.sets.grows(group):
            return group.count
        if self.divisor is None:
            return as_dim(group.count * self.factor)
        return as_dim(make_divisible(group.count, self.factor, self.divisor))


def _match(one: Groups, other: Groups) -> bool:
    """Say whether two axes have groups of the same sizes in the same order."""
    return len(one) == len(other) and all(
        is_equal(a.size, b.size) for a, b in zip(one, other, strict=True)
    )
