"""Axes as runs of channels, and bonds between runs that grow together: union–find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import sympy

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.errors import at
from costmodel.network.node import Node


STAYS = 0
"""The bond of all that stays: the input's sizes, the outputs', and every image side."""


@dataclass(frozen=True, slots=True)
class Run:
    """Channels in a row, times · count of them; all runs of one bond grow together."""

    count: Dim
    bond: int = STAYS
    times: Dim = 1

    @property
    def size(self) -> Dim:
        """How many there are before anything has grown."""
        return as_dim(self.times * self.count)


Axis: TypeAlias = tuple[Run, ...] | None
"""An axis as runs of channels; None is a side that is no width, and stays."""
Axes: TypeAlias = tuple[Axis, ...]


def length(axis: tuple[Run, ...]) -> Dim:
    """Return how many channels an axis has.

    >>> length((Run(64), Run(16, bond=3, times=2)))
    96
    """
    return as_dim(sympy.expand(sum(run.size for run in axis)))


def repeated(axis: Axis, times: Dim) -> Axis:
    """Return the axis with so many channels in the place of each.

    >>> repeated((Run(64, bond=3),), 49)
    (Run(count=64, bond=3, times=49),)
    """
    if axis is None:
        return None
    return tuple(replace(run, times=as_dim(run.times * times)) for run in axis)


@dataclass
class Bonds:
    """Which runs grow together, since a network needs them equal."""

    parents: list[int] = field(default_factory=lambda: [STAYS])
    growing: list[bool] = field(default_factory=lambda: [False])
    obstacles: list[tuple[Run, Node, str]] = field(default_factory=list)
    is_rounded: bool = False

    def new(self, count: Dim, *, grows: bool = True) -> tuple[Run, ...]:
        """Return an axis that is tied to no other so far.

        One that does not grow by itself is a stored tensor's: it follows what it joins.
        """
        self.parents.append(len(self.parents))
        self.growing.append(grows)
        return (Run(count, len(self.parents) - 1),)

    def root(self, bond: int) -> int:
        """Return the bond that this one became a part of, and shorten the way to it."""
        while self.parents[bond] != bond:
            self.parents[bond] = self.parents[self.parents[bond]]
            bond = self.parents[bond]
        return bond

    def unite(self, one: int, other: int) -> None:
        """Make one bond of two; what stays, stays."""
        low, high = sorted((self.root(one), self.root(other)))
        self.parents[high] = low
        self.growing[low] = self.growing[low] or self.growing[high]

    def blend(self, *axes: Axis) -> None:
        """Tie together all runs of some axes: their channels are mixed."""
        runs = [run for axis in axes for run in axis or (Run(0),)]
        for run in runs[1:]:
            self.unite(runs[0].bond, run.bond)

    def mix(self, axis: Axis) -> None:
        """Tie together all runs of an axis: equal groups are made of them."""
        self.blend(*((run,) for run in axis or ()))

    def join(self, *axes: Axis) -> Axis:
        """Return what axes of one size have in common, run by run if they can."""
        best = max(axes, key=lambda axis: len(axis or ()))
        for axis in axes:
            if axis is None or best is None or not _match(axis, best):
                self.blend(axis, best)
                continue
            for one, other in zip(axis, best, strict=True):
                self.unite(one.bond, other.bond)
        return None if None in axes else best

    def keep(self, axes: Iterable[Axis]) -> None:
        """Let axes stay as they are."""
        for axis in axes:
            self.blend(axis, None)

    def refuse(self, axis: Axis, node: Node, why: str) -> None:
        """Note that an axis cannot grow here; it is an error only if it would."""
        self.obstacles += [(run, node, why) for run in axis or ()]

    def grows(self, run: Run) -> bool:
        """Say whether channels grow: some layer makes them, and nothing holds them."""
        root = self.root(run.bond)
        return root != STAYS and self.growing[root]

    def check(self) -> None:
        """Refuse the first obstacle that stands in the way of a width."""
        for run, node, why in self.obstacles:
            if self.grows(run):
                raise at(node.operator.kind, node.name, why)

    def cut(self, axis: tuple[Run, ...], place: Dim, node: Node) -> tuple[Axis, Axis]:
        """Return an axis in two, in front of a place and from it on.

        A run that is cut has its parts in the same proportion however wide it is.
        """
        left = place
        for number, run in enumerate(axis):
            if is_equal(left, 0):
                return axis[:number], axis[number:]
            rest = as_dim(sympy.expand(left - run.size))
            if rest == 0 or sympy.sympify(rest).is_positive:
                left = rest
                continue
            first, second = self._halves(run, left, node, known=rest)
            return (*axis[:number], first), (second, *axis[number + 1 :])
        return axis, ()

    def _halves(
        self, run: Run, place: Dim, node: Node, *, known: Dim
    ) -> tuple[Run, Run]:
        """Cut a run at a multiple of its count, or anywhere if nothing is rounded."""
        if not sympy.sympify(known).is_negative:
            self.refuse((run,), node, f"cuts {run.size} channels at an unknown place")
        times = as_dim(sympy.cancel(sympy.sympify(place) / run.count))
        if type(times) is int:
            return replace(run, times=times), replace(run, times=run.times - times)
        if self.is_rounded:
            self.refuse(
                (run,), node, f"cuts {run.size} channels, which are rounded, at {place}"
            )
        rest = as_dim(run.size - place)
        return Run(place, run.bond), Run(rest, run.bond)


@dataclass(frozen=True, slots=True)
class Scale:
    """What widths are multiplied by, and what the products are rounded to."""

    bonds: Bonds
    factor: Dim
    divisor: Dim | None = None

    def size(self, axis: tuple[Run, ...]) -> Dim:
        """Return how many channels an axis has once widths have grown."""
        return as_dim(sympy.sympify(sum(run.times * self._count(run) for run in axis)))

    def changes(self, axis: Axis) -> bool:
        """Say whether any of an axis grows."""
        return axis is not None and any(self.bonds.grows(run) for run in axis)

    def _count(self, run: Run) -> Dim:
        if not self.bonds.grows(run):
            return run.count
        if self.divisor is None:
            return as_dim(run.count * self.factor)
        return as_dim(make_divisible(run.count, self.factor, self.divisor))


def _match(one: tuple[Run, ...], other: tuple[Run, ...]) -> bool:
    """Say whether two axes have runs of the same sizes in the same order."""
    return len(one) == len(other) and all(
        is_equal(a.size, b.size) for a, b in zip(one, other, strict=True)
    )
