"""What a search found: its evaluations, their front, and where all of it came from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from costmodel import __version__
from costmodel.errors import CostModelError
from costmodel.nas.front import front, hypervolume
from costmodel.nas.objectives import Constraint, Objective
from costmodel.nas.spaces.space import Point, Space
from costmodel.network.graph import Network


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A point with its values, in the order of the objectives."""

    point: Point
    key: str
    """What it shares with points that count as the same."""
    text: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Found:
    """The evaluations of a search, in the order of asking."""

    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    header: Mapping[str, Any]
    evaluations: tuple[Evaluation, ...]
    rejected: int
    """Points that were asked for, and were out of the limits."""

    @cached_property
    def front(self) -> tuple[Evaluation, ...]:
        """The evaluations that no other is better than, by the first objective."""
        best = front(self._signed(self.evaluations))
        return tuple(self.evaluations[number] for number in best)

    @property
    def best(self) -> Evaluation:
        """The only point of a front of one, or the first of it."""
        return self.front[0]

    def network(self, number: int = 0) -> Network:
        """Return the network of a point of the front."""
        if not 0 <= number < len(self.front):
            raise CostModelError(
                f"the front has points 0 to {len(self.front) - 1}, not {number}"
            )
        return self.space.network(self.front[number].point)

    def hypervolume(
        self, reference: Sequence[float], evaluations: int | None = None
    ) -> float:
        """Return what the first evaluations dominate, up to a reference point.

        ``reference`` has the worst value of each objective, in its own direction.
        """
        signs = self._signs
        if len(reference) != len(signs):
            raise CostModelError(
                f"hypervolume: {len(reference)} values of {len(signs)} objectives"
            )
        worst = [sign * value for sign, value in zip(signs, reference)]
        return hypervolume(self._signed(self.evaluations[:evaluations]), worst)

    @property
    def provenance(self) -> dict[str, Any]:
        """Everything that the result depends on, for whoever finds it later."""
        return {
            **self.header,
            "size": self.space.size(),
            "evaluations": len(self.evaluations),
            "rejected": self.rejected,
            "costmodel": __version__,
            "python": platform.python_version(),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the front, the units and the provenance, for JSON."""
        names = [one.name for one in self.objectives]
        return {
            "front": [
                {"point": list(one.point), "text": one.text,
                 **dict(zip(names, one.values))}
                for one in self.front
            ],
            "units": {one.name: one.unit for one in self.objectives},
            "provenance": self.provenance,
        }  # fmt: skip

    def __str__(self) -> str:
        """Write a line for each point of the front."""
        header = "  ".join(one.name for one in self.objectives)
        lines = [f"{'  '.join(map(str, e.values))}  {e.text}" for e in self.front]
        return "\n".join([header, *lines])

    @property
    def _signs(self) -> list[int]:
        return [-1 if one.is_maximized else 1 for one in self.objectives]

    def _signed(self, some: Sequence[Evaluation]) -> list[tuple[float, ...]]:
        return [
            tuple(sign * value for sign, value in zip(self._signs, one.values))
            for one in some
        ]
