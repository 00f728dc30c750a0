"""Published figures compared with computed ones, and with independent counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.analysis.cost import METRICS, Cost, cost
from costmodel.analysis.cost.depth import depth
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network
from costmodel.network.registry import Architecture, load
from costmodel.network.registry.printed_figures import Published


Outcome = Literal["agrees", "departure", "unexplained", "stale departure", "recorded"]
"""A row agrees, departs for a stated cause, or is wrong; an accuracy is recorded."""

RECORDED = frozenset({"top1", "top5", "error"})
"""Published quantities that were measured on data: shown, never computed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One published figure, the computed one, and whether they agree."""

    name: str
    row: Published
    computed: Dim | None
    outcome: Outcome

    @property
    def is_wrong(self) -> bool:
        """True if the figure disagrees without a cause, or has a stale cause."""
        return self.outcome in ("unexplained", "stale departure")


@dataclass(frozen=True, slots=True)
class Check:
    """A count beside that of an independent counter; they have to be equal."""

    quantity: str
    oracle: str
    ours: int
    theirs: int

    @property
    def agrees(self) -> bool:
        """Say whether the two counts are the same integer."""
        return self.ours == self.theirs


def verify(architectures: Iterable[Architecture]) -> Iterator[Verdict]:
    """Recompute every published figure of some architectures.

    >>> from costmodel.network.registry import find
    >>> {verdict.outcome for verdict in verify([find("lenet5")])}
    {'agrees'}
    """
    for architecture in architectures:
        for row in architecture.published:
            yield _verdict(architecture, row)


def _verdict(architecture: Architecture, row: Published) -> Verdict:
    if row.quantity in RECORDED:
        return Verdict(architecture.name, row, None, "recorded")
    computed = _computed(architecture, row)
    outcome: Outcome
    if row.agrees(computed):
        outcome = "stale departure" if row.departure else "agrees"
    else:
        outcome = "departure" if row.departure else "unexplained"
    return Verdict(architecture.name, row, computed, outcome)


def _computed(architecture: Architecture, row: Published) -> Dim:
    resolution = row.resolution or str(architecture.resolution)
    network, totals = _costs(architecture.name, row.options, resolution)
    if row.quantity == "layers":
        return depth(network)
    if row.quantity not in METRICS:
        known = known_are(row.quantity, ["layers", *METRICS])
        raise CostModelError(
            f'{architecture.name}: no quantity "{row.quantity}" is computed; {known}'
        )
    sums = totals.of(row.layer) if row.layer else totals
    return sums.metric(row.quantity)


@lru_cache(maxsize=64)
def _costs(
    name: str, options: tuple[tuple[str, str], ...], resolution: str
) -> tuple[Network, Cost]:
    network = load(name, resolution=resolution, batch=1, **dict(options))
    return network, cost(network)
