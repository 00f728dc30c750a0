"""Spaces that are products of choices, and costs that are sums over a few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from math import prod
from operator import index, lt
from random import Random
from typing import Any

import numpy as np

from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.metrics import USUAL, all_measured, is_sum
from costmodel.nas.spaces.space import Level, Point, Space, check_listed, random_of
from costmodel.nas.spaces.sums import Bounds, Group, Sums
from costmodel.network.graph import Network


class Choices(Space):
    """A space whose points choose one of several values, in each of several places.

    ``groups`` say which choices meet in one layer: a cost is then a sum of a function
    of each group, and is found from few networks. Each group shares with those before
    it only choices that one of them has; by default all choices are one group.
    """

    def __init__(
        self,
        name: str,
        choices: Mapping[str, Sequence[Any]],
        build: Callable[..., Network],
        *,
        groups: Iterable[Group] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep the choices, and the function that makes a network of one value each."""
        super().__init__(name, options or {})
        check_listed(name, **choices)
        self.choices = {key: tuple(values) for key, values in choices.items()}
        self._build = build
        for key, values in self.choices.items():
            if len(set(map(str, values))) < len(values):
                raise CostModelError(f"{name}: {key} has a value twice: {list(values)}")
        self.counts = tuple(len(values) for values in self.choices.values())
        whole = (tuple(range(len(self.counts))),)
        self.groups = whole if groups is None else tuple(groups)
        self._known: dict[tuple[str, ...], Sums] = {}

    def sample(self, seed: int | Random = 0) -> Point:
        """Return a random point: each choice is uniform."""
        random = random_of(seed)
        return tuple(random.randrange(count) for count in self.counts)

    def neighbours(self, point: Sequence[int]) -> list[Point]:
        """Return all points that differ in one choice."""
        own = self.checked(point)
        return [
            (*own[:place], value, *own[place + 1 :])
            for place, count in enumerate(self.counts)
            for value in range(count)
            if value != own[place]
        ]

    def crossover(
        self, one: Sequence[int], other: Sequence[int], seed: int | Random = 0
    ) -> Point:
        """Return a point that has each choice from one of two parents, at random."""
        random = random_of(seed)
        pairs = zip(self.checked(one), self.checked(other))
        return tuple(pair[random.randrange(2)] for pair in pairs)

    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return the choices as text; spaces with equal networks override it."""
        self.known_level(level)
        return ",".join(map(str, self.checked(point)))

    def values(self, point: Sequence[int]) -> dict[str, Any]:
        """Return what a point chooses, by name."""
        pairs = zip(self.choices.items(), self.checked(point))
        return {key: values[number] for (key, values), number in pairs}

    def network(self, point: Sequence[int]) -> Network:
        """Build the network of a point."""
        return self._build(**self.values(point))

    def text(self, point: Sequence[int]) -> str:
        """Write the choices as NAME=VALUE, separated by spaces."""
        chosen = self.values(point).items()
        return " ".join(f"{key}={_word(value)}" for key, value in chosen)

    def _read(self, text: str) -> Point:
        """Read the choices from what :meth:`text` writes, in any order."""
        given = dict(word.partition("=")[::2] for word in text.split())
        for key in given:
            if key not in self.choices:
                known = known_are(key, self.choices)
                raise CostModelError(f'{self.name}: unknown choice "{key}"; {known}')
        return tuple(self._number(key, given) for key in self.choices)

    def _number(self, key: str, given: Mapping[str, str]) -> int:
        words = [_word(value) for value in self.choices[key]]
        if key not in given:
            raise CostModelError(
                f"{self.name}: {key} is missing; one of {_list(words)}"
            )
        if given[key] not in words:
            raise CostModelError(
                f"{self.name}: {key} = {short(given[key])}; allowed are {_list(words)}"
            )
        return words.index(given[key])

    def checked(self, point: Sequence[int]) -> Point:
        """Return a point as a tuple of plain integers, if it is one of the space's."""
        if (
            type(point) is tuple
            and {*map(type, point)} <= {int}
            and len(point) == len(self.counts)
            and all(map(lt, point, self.counts))
            and min(point, default=0) >= 0
        ):
            return point
        try:
            own = tuple(map(index, point))
        except (TypeError, ValueError):
            own = ()
        if len(own) != len(self.counts):
            raise CostModelError(
                f"{self.name}: point {short(point)} is not {len(self.counts)} numbers"
            )
        for value, (key, values) in zip(own, self.choices.items()):
            if not 0 <= value < len(values):
                raise CostModelError(
                    f"{self.name}: point {short(own)}: {key} is number {value}, and "
                    f"has values number 0 to {len(values) - 1}"
                )
        return own

    def costs(
        self, points: Iterable[Sequence[int]], metrics: Sequence[str] = USUAL
    ) -> dict[str, np.ndarray]:
        """Return exact costs of points, an array of integers for each metric.

        Metrics that are sums over layers are looked up: networks are built once for
        each combination of a group's choices that is among the points.

        >>> from costmodel.nas.spaces.catalogue import space
        >>> cells = space("nasbench201")
        >>> cells.costs([cells.sample(1), cells.sample(2)], ["parameters"])
        {'parameters': array([344346, 129306])}
        """
        array = self._array(points)
        sums = tuple(metric for metric in metrics if self.is_sum(metric))
        if not len(array):
            return {metric: np.zeros(0, np.int64) for metric in metrics}
        found = dict(zip(sums, self._sums(sums).table(array))) if sums else {}
        rest = [metric for metric in metrics if metric not in sums]
        if rest:
            found |= super().costs(map(tuple, array.tolist()), rest)
        return {metric: found[metric] for metric in metrics}

    def cost(
        self, point: Sequence[int], metrics: Sequence[str] = USUAL
    ) -> tuple[int, ...]:
        """Return the exact costs of one point, in the order of the metrics."""
        own = self.checked(point)
        if all(map(self.is_sum, metrics)):
            return self._sums(tuple(metrics)).of(own)
        return all_measured(self.network(own), metrics)

    def bounds(self, metrics: tuple[str, ...]) -> Bounds:
        """Return bounds of metrics that are sums, of points chosen in part."""
        return self._sums(metrics).bounds()

    def is_sum(self, metric: str) -> bool:
        """Say whether a metric is looked up, choice by choice."""
        return is_sum(metric) and len(self.groups) > 1

    def _sums(self, metrics: tuple[str, ...]) -> Sums:
        """Return what adds some metrics up."""
        if metrics not in self._known:
            price = partial(self._price, metrics)
            self._known[metrics] = Sums(self.counts, self.groups, price)
        return self._known[metrics]

    def _price(
        self, metrics: tuple[str, ...], places: Group, chosen: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Return the cost of the network with some choices, and the first elsewhere."""
        point = [0] * len(self.counts)
        for place, value in zip(places, chosen):
            point[place] = value
        return all_measured(self.network(point), metrics)

    def _array(self, points: Iterable[Sequence[int]]) -> np.ndarray:
        """Return points as an array, all of them checked."""
        if not isinstance(points, np.ndarray):
            points = np.array([self.checked(point) for point in points], np.int64)
        array = points.reshape(-1, len(self.counts))
        wrong = (array < 0) | (array >= np.array(self.counts))
        for row in np.flatnonzero(wrong.any(axis=1))[:1]:
            self.checked(array[row].tolist())
        return array

    def _size(self, level: Level) -> int:
        return prod(self.counts) if level == "encoding" else super()._size(level)

    def _points(self) -> Iterator[Point]:
        return product(*map(range, self.counts))


def _word(value: Any) -> str:
    """Return a value as text without spaces."""
    if isinstance(value, (tuple, list)):
        return "+".join(map(_word, value))
    return "".join(str(value).split())


def _list(words: Sequence[str]) -> str:
    """Write some words; of many, the first and the last."""
    return ", ".join(words if len(words) < 10 else [*words[:6], "…", words[-1]])
