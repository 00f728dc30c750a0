"""Engines: which points to try next. They are asked for points, and told the values.

Values are signed so that smaller is better; None says that a point keeps not all
limits. Engines are asked for points in batches whose size does not depend on how many
workers there are, so that all runs of one seed try the same points.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import TypeAlias

from costmodel.nas.front import front
from costmodel.nas.spaces.space import Point, Space


Values: TypeAlias = tuple[float, ...]
Seen: TypeAlias = Callable[[Point], bool]
"""Says whether a point, or one that counts as the same, was tried."""

BATCH = 10
"""Points that are tried between two decisions."""

_TRIES = 100
"""Points drawn for one that was not tried before."""


class Engine(ABC):
    """What proposes points."""

    def __init__(self, space: Space, seed: int, seen: Seen) -> None:
        """Keep the space, and start from a seed."""
        self.space = space
        self.random = Random(seed)  # noqa: S311
        self.seen = seen

    @abstractmethod
    def ask(self, count: int) -> list[Point]:
        """Return points to try, at most so many; none where there are no more."""

    def tell(self, point: Point, values: Values | None) -> None:  # noqa: B027
        """Take the values of a point that was asked for, in the order of asking."""


class Exhaustive(Engine):
    """Every point, in the space's order."""

    def __init__(self, space: Space, seed: int, seen: Seen) -> None:
        """Start at the first point."""
        super().__init__(space, seed, seen)
        self._rest: Iterator[Point] = space.enumerate()

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        return list(islice(self._rest, count))


class RandomSearch(Engine):
    """Points drawn at random, none twice."""

    def ask(self, count: int) -> list[Point]:
        """Return points that were not tried."""
        found: dict[Point, None] = {}
        for _ in range(count * _TRIES):
            if len(found) == count:
                break
            point = self.space.sample(self.random)
            if point not in found and not self.seen(point):
                found[point] = None
        return list(found)


class Evolution(RandomSearch):
    """Changed copies of the best points so far, none twice.

    A parent is drawn from the front, and one of its decisions changed; where all that
    is next to it was tried, another is changed too. A tenth of the points are crossed
    from two parents before. The first points are random.

    **Source**: the front as parents is PAES's and GSEMO's (Knowles & Corne 2000;
    Laumanns et al. 2004); mutation of cells is Real et al.'s, arXiv:1802.01548.
    """

    first = 30
    """Random points before the first decision."""

    def __init__(self, space: Space, seed: int, seen: Seen) -> None:
        """Start without points."""
        super().__init__(space, seed, seen)
        self._told: list[tuple[Point, Values]] = []

    def tell(self, point: Point, values: Values | None) -> None:
        """Keep what may be a parent."""
        if values is not None:
            self._told.append((point, values))
            best = front([found for _, found in self._told])
            self._told = [self._told[number] for number in sorted(best)]
            self.first -= 1

    def ask(self, count: int) -> list[Point]:
        """Return changed parents."""
        if self.first > 0 or not self._told:
            return super().ask(count)
        found: dict[Point, None] = {}
        for _ in range(count * _TRIES):
            if len(found) == count:
                return list(found)
            point = self._child()
            if point not in found and not self.seen(point):
                found[point] = None
        further = (p for p in super().ask(count) if p not in found)
        return [*found, *islice(further, count - len(found))]

    def _child(self) -> Point:
        point = self.random.choice(self._told)[0]
        if self.random.random() < _CROSSED:
            other = self.random.choice(self._told)[0]
            point = self.space.crossover(point, other, self.random)
        for _ in range(2):
            near = self.space.neighbours(point)
            fresh = [other for other in near if not self.seen(other)]
            if fresh:
                return self.random.choice(fresh)
            point = self.random.choice(near) if near else point
        return point


_CROSSED = 0.1
