"""Spaces: sets of networks, written as points: tuples of small whole numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Literal, TypeAlias, cast

import networkx as nx
import numpy as np

from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.metrics import USUAL, all_measured
from costmodel.network.graph import Network


Point: TypeAlias = tuple[int, ...]
Level: TypeAlias = Literal["encoding", "graph", "function"]
LEVELS = ("encoding", "graph", "function")
"""What counts as one: what is written alike, isomorphic graphs, equal functions.

Two networks are one function if the weights of either can be chosen, or renamed, so
that both compute the same: what reaches no output does not matter, nor does the order
of summands.
"""

MOST = 2_000_000
"""Points that are listed at most; larger spaces are sampled."""


class Space(ABC):
    """A set of networks to search: how many, which, what is next to one, what it costs.

    ``distinct`` is the level at which points that are one have the same cost.
    """

    name: str
    distinct: Level = "encoding"
    made_by: Callable[[], Space] | None = None

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        """Keep the name and the options that tell the space from others."""
        self.name = name
        self.options = dict(options)

    def __repr__(self) -> str:
        """Write the call that makes the space."""
        given = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return f'space("{self.name}"{given})'

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes as the call that makes it, if there is one."""
        if self.made_by is not None:
            return self.made_by, ()
        return cast(tuple[Any, ...], object.__reduce_ex__(self, 2))

    def size(self, level: Level = "encoding") -> int:
        """Return how many networks there are, exactly, at a level.

        **Errors**: a level at which no formula gives the number, of a space that is too
        large to list.
        """
        return self._size(self.known_level(level))

    def enumerate(self, level: Level | None = None) -> Iterator[Point]:
        """Give every point, one for each network of a level, in a fixed order.

        **Errors**: the space is too large to list.
        """
        level = self.distinct if level is None else self.known_level(level)
        count = self.size()
        if count > MOST:
            raise CostModelError(
                f"{self.name}: {count:,} points are too many to list (at most {MOST:,} "
                "are); sample them, or search"
            )
        seen: set[str] = set()
        for point in self._points():
            key = self.key(point, level)
            if key not in seen:
                seen.add(key)
                yield point

    @abstractmethod
    def sample(self, seed: int | Random = 0) -> Point:
        """Return a random point; the same for the same seed, or the next of a Random.

        Points are equally likely as they are written.
        """

    @abstractmethod
    def neighbours(self, point: Sequence[int]) -> list[Point]:
        """Return all points that differ in one decision."""

    @abstractmethod
    def crossover(
        self, one: Sequence[int], other: Sequence[int], seed: int | Random = 0
    ) -> Point:
        """Return a point whose decisions are those of either parent, at random."""

    @abstractmethod
    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return text that two points share if and only if they are one at a level."""

    @abstractmethod
    def network(self, point: Sequence[int]) -> Network:
        """Return the network of a point."""

    @abstractmethod
    def text(self, point: Sequence[int]) -> str:
        """Return a point as people write it; :meth:`point` reads it."""

    def point(self, text: str) -> Point:
        """Return the point that a text names.

        **Errors**: text that names none, and which part of it is wrong.
        """
        if not isinstance(text, str):
            raise CostModelError(
                f"{self.name}: {short(text)} is no text of a network, such as "
                f'"{self.text(self.sample())}"'
            )
        return self._read(text)

    @abstractmethod
    def _read(self, text: str) -> Point:
        """Return the point that a text names; subclasses say how it is written."""

    @abstractmethod
    def checked(self, point: Sequence[int]) -> Point:
        """Return a point as a tuple, if it is one of the space's."""

    def costs(
        self, points: Iterable[Sequence[int]], metrics: Sequence[str] = USUAL
    ) -> dict[str, np.ndarray]:
        """Return exact costs of points, an array of integers for each metric.

        Metrics are those of :mod:`costmodel.nas.metrics`.
        """
        networks = (self.network(self.checked(point)) for point in points)
        values = [all_measured(network, metrics) for network in networks]
        table = np.array(values, dtype=np.int64).reshape(len(values), len(metrics))
        return {metric: table[:, number] for number, metric in enumerate(metrics)}

    def cost(
        self, point: Sequence[int], metrics: Sequence[str] = USUAL
    ) -> tuple[int, ...]:
        """Return the exact costs of one point, in the order of the metrics."""
        return all_measured(self.network(self.checked(point)), metrics)

    def cells(self, point: Sequence[int]) -> dict[str, nx.DiGraph]:
        """Return what is searched for as drawings' graphs, if it is cells: by title.

        Nodes are inputs, operations, sums and outputs, with a ``label``.
        """
        self.checked(point)
        return {}

    def is_sum(self, metric: str) -> bool:  # noqa: ARG002 - subclasses ask
        """Say whether a metric is looked up, so that no network is built for it."""
        return False

    def is_counted(self, level: Level) -> bool:
        """Say whether a formula gives the size at a level; else points are listed."""
        return level == "encoding"

    def _size(self, level: Level) -> int:
        """Return how many networks there are; by default, count them."""
        return sum(1 for _ in self.enumerate(level))

    @abstractmethod
    def _points(self) -> Iterator[Point]:
        """Give every point as it is written."""

    def known_level(self, level: str) -> Level:
        """Return a level, if there is one of that name."""
        if level not in LEVELS:
            known = known_are(level, LEVELS)
            raise CostModelError(f'{self.name}: unknown level "{level}"; {known}')
        return level  # type: ignore[return-value]


def check_counts(name: str, least: int = 1, **options: object) -> None:
    """Refuse options, or listed values of them, that are no usual whole numbers."""
    for option, given in options.items():
        listed = given if isinstance(given, (list, tuple, range)) else [given]
        wrong = [
            one
            for one in listed
            if type(one) is not int or not least <= one <= _LARGEST
        ]
        if wrong or not listed:
            raise CostModelError(
                f"{name}: {option} = {short(given)}; allowed are whole numbers from "
                f"{least} to {_LARGEST:,}"
            )


_LARGEST = 10_000


def check_listed(name: str, /, **options: object) -> None:
    """Refuse options that are no list of values to choose from."""
    for option, given in options.items():
        if not isinstance(given, (list, tuple, range)):
            raise CostModelError(
                f"{name}: {option} = {short(given)}; give a list of values to choose "
                "from"
            )
        if not given:
            raise CostModelError(f"{name}: {option} has no value to choose")


def random_of(seed: int | Random) -> Random:
    """Return a generator of random numbers: one that is given, or a seed's.

    **Errors**: a seed that is no whole number from 0.
    """
    if isinstance(seed, Random):
        return seed
    if type(seed) is not int or seed < 0:
        raise CostModelError(f"seed {short(seed)} is no whole number from 0")
    return Random(seed)  # noqa: S311


def drawn_cell(
    inputs: Sequence[str],
    sums: Sequence[tuple[str, Sequence[tuple[str, int]]]],
    output: Sequence[int],
) -> nx.DiGraph:
    """Return a cell as a graph to draw: sums of operations on earlier states.

    States are numbered: the inputs first, then one for each of ``sums``, which are
    named and list (operation, state); ``output`` are the states that are stacked.
    """
    graph = nx.DiGraph()
    names = [*inputs, *(name for name, _ in sums)]
    for name in names:
        graph.add_node(name, label=name)
    for name, edges in sums:
        for number, (operation, state) in enumerate(edges):
            box = f"{name} {number}"
            graph.add_node(box, label=operation)
            graph.add_edge(names[state], box)
            graph.add_edge(box, name)
    graph.add_node("output", label="output")
    graph.add_edges_from((names[state], "output") for state in output)
    return graph
