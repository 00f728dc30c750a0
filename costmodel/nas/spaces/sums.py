"""Costs that are sums over groups of choices: few networks give those of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import prod
from operator import add
from typing import TypeAlias

import numpy as np

from costmodel.errors import CostModelError


Group: TypeAlias = tuple[int, ...]
"""Places of the choices that meet in one layer."""

_Terms: TypeAlias = tuple[tuple[int, Group], ...]
_Joint: TypeAlias = tuple[Group, _Terms]
"""Terms that are looked up together, and the places that they depend on."""

_FEW = 1 << 12
"""Combinations up to which terms are joined: one look-up instead of several."""

_DENSE = 1 << 20
"""Combinations up to which they are numbered without sorting."""


class Sums:
    """Costs of points as sums over groups of choices, priced when first needed.

    A layer's cost depends on the choices of one group. With f(c) the cost of a network
    that has the choices c and the first value everywhere else, a network costs
    Σ f(group) − Σ f(what a group shares with those before it). ``price(places, c)``
    returns f, or a group's own part of the cost and 0 of what groups share.

    **Source**: Lauritzen 1996, "Graphical Models", section 4.4: a function that
    factorizes over a decomposable graph, here for sums.
    """

    def __init__(
        self,
        counts: Sequence[int],
        groups: Iterable[Group],
        price: Callable[[Group, tuple[int, ...]], tuple[int, ...]],
    ) -> None:
        """Keep the number of values by place, the groups, and what prices a point."""
        self._counts = tuple(counts)
        self._price = price
        signs: Counter[Group] = Counter()
        before: set[int] = set()
        for number, group in enumerate(groups):
            signs[group] += 1
            if number:
                signs[tuple(place for place in group if place in before)] -= 1
            before |= set(group)
        self._terms = [(sign, places) for places, sign in signs.items() if sign]
        self._known: dict[Group, dict[tuple[int, ...], tuple[int, ...]]] = {
            places: {} for _, places in self._terms
        }
        self._joined: list[tuple[_Joint, dict[tuple[int, ...], tuple[int, ...]]]] = [
            (joint, {}) for joint in self._joint()
        ]

    def of(self, point: Sequence[int]) -> tuple[int, ...]:
        """Return the costs of one point."""
        total: tuple[int, ...] | None = None
        for (places, terms), known in self._joined:
            key = tuple([point[place] for place in places])
            found = known.get(key)
            if found is None:
                found = known[key] = self._added(places, terms, key)
            total = found if total is None else tuple(map(add, total, found))
        return total or ()

    def table(self, points: np.ndarray) -> np.ndarray:
        """Return costs, metrics × points; ``points`` is points × places."""
        total = None
        for joint, known in self._joined:
            found = self._gathered(joint, known, points)
            total = found if total is None else np.add(total, found, out=total)
        return total if total is not None else np.zeros((0, len(points)), np.int64)

    def bounds(self) -> Bounds:
        """Return bounds of the costs of points that are chosen in part.

        **Errors**: too many choices meet in one layer.
        """
        parts = []
        for (places, terms), _ in self._joined:
            counts = [self._counts[place] for place in places]
            if prod(counts) > _DENSE:
                raise CostModelError(
                    f"{prod(counts):,} combinations of choices meet in one layer; "
                    f"bounds are found for up to {_DENSE:,}"
                )
            rows = [
                self._added(places, terms, row) for row in product(*map(range, counts))
            ]
            parts.append((places, np.array(rows, np.int64).reshape(*counts, -1)))
        return Bounds(self._counts, parts)

    def _joint(self) -> Iterator[_Joint]:
        """Give terms joined, while what they depend on has few combinations."""
        places: Group = ()
        terms: list[tuple[int, Group]] = []
        for sign, further in self._terms:
            both = tuple(sorted({*places, *further}))
            if terms and prod(self._counts[place] for place in both) > _FEW:
                yield places, tuple(terms)
                both, terms = further, []
            places, terms = both, [*terms, (sign, further)]
        if terms:
            yield places, tuple(terms)

    def _added(
        self, places: Group, terms: _Terms, chosen: Sequence[int]
    ) -> tuple[int, ...]:
        """Return the sum of joined terms at some choices."""
        value = dict(zip(places, chosen))
        columns = [
            [sign * cost for cost in self._part(part, [value[i] for i in part])]
            for sign, part in terms
        ]
        return tuple(map(sum, zip(*columns)))

    def _gathered(
        self, joint: _Joint, known: dict[tuple[int, ...], tuple[int, ...]],
        points: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """Return joined terms' costs of points; each combination is added once."""
        places, terms = joint
        number = np.zeros(len(points), np.int64)
        for place in places:
            number = number * self._counts[place] + points[:, place]
        size = prod(self._counts[place] for place in places)
        if size <= _DENSE:
            present = np.flatnonzero(np.bincount(number, minlength=size))
            first = np.zeros(size, np.int64)
            first[number] = np.arange(len(points))
        else:
            _, first, number = np.unique(number, return_index=True, return_inverse=True)
            size = len(first)
            present = np.arange(size)
        rows = points[first[present]][:, list(places)].tolist()
        for row in map(tuple, rows):
            if row not in known:
                known[row] = self._added(places, terms, row)
        table = np.array([known[row] for row in map(tuple, rows)], np.int64)
        where = np.zeros(size, np.int64)
        where[present] = np.arange(len(present))
        return table.reshape(len(rows), -1).T[:, where[number]]

    def _part(self, places: Group, chosen: Sequence[int]) -> tuple[int, ...]:
        """Return what some choices cost, priced once."""
        known, key = self._known[places], tuple(chosen)
        if key not in known:
            known[key] = self._price(places, key)
        return known[key]


class Bounds:
    """The least and the most that costs may become, of points chosen in part."""

    def __init__(
        self, counts: Sequence[int], parts: Iterable[tuple[Group, np.ndarray]]
    ) -> None:
        """Keep, for each part, its extremes over more and more of the last places."""
        self.counts, self.places = tuple(counts), len(counts)
        self._parts = []
        for places, table in parts:
            ends = [(table, table)]
            for axis in reversed(range(len(places))):
                low, high = ends[-1]
                ends.append((low.min(axis=axis), high.max(axis=axis)))
            self._parts.append((places, ends[::-1]))

    def of(self, part: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return both for the points that start with some choices."""
        known = len(part)
        lows, highs = [], []
        for places, ends in self._parts:
            chosen = tuple(part[place] for place in places if place < known)
            low, high = ends[len(chosen)]
            lows.append(low[chosen])
            highs.append(high[chosen])
        return np.sum(lows, axis=0), np.sum(highs, axis=0)
