"""How wrong a fit is on what it did not see, beside simple ways fitted to the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Point, Space
from costmodel.runtime.profile.least_squares import Array, nonnegative
from costmodel.runtime.profile.peaks import rounded
from costmodel.runtime.setting import checked
from costmodel.runtime.validate.metrics import kendall


LOOK_UP = "look-up of operation counts"


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of predictions of networks that were left out.

    **Units**: fractions of 1: mean and median of |predicted/measured − 1|; ``bias`` is
    the median of predicted/measured − 1. ``tau`` is Kendall's τ_b, None where either
    side is all ties.
    """

    mape: float
    median: float
    bias: float
    tau: float | None = None

    @staticmethod
    def of(predicted: Array, measured: Array) -> Errors:
        """Return the errors of predictions, one for each measured time.

        >>> Errors.of(np.array([1.1, 2.0, 2.7]), np.array([1.0, 2.0, 3.0]))
        Errors(mape=0.0666667, median=0.1, bias=0.0, tau=1.0)
        """
        off = predicted / measured - 1
        tau = kendall(predicted, measured)
        return Errors(
            mape=rounded(np.abs(off).mean()),
            median=rounded(np.median(np.abs(off))),
            bias=rounded(np.median(off)),
            tau=None if np.isnan(tau) else rounded(tau),
        )

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Errors:
        """Return the errors of plain values."""
        return Errors(**checked(Errors, values, "errors"))


Solver = Callable[[Array, Array], Array]


def _line(design: Array, target: Array) -> Array:
    return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0])


def baselines(
    space: Space, points: Sequence[Point], seconds: Array, count: int
) -> dict[str, Errors]:
    """Return errors of simple ways, fitted to the first ``count`` points, on the rest.

    Times are regressed on one number of a network and a constant, or on how often each
    operation is chosen. These are the usual linear regressions, by least squares; the
    look-up is also fitted as the profile is, with coefficients that are not negative
    and robustly to relative errors.

    **Source**: look-ups of operations: Cai, Zhu, Han 2019, "ProxylessNAS",
    arXiv:1812.00332, appendix B.
    """
    found = {}
    for name, design, solve in _ways(space, points):
        theta = solve(design[:count], seconds[:count])
        # A straight line may fall below 0, where nothing takes less than no time.
        predicted = np.maximum(design[count:] @ theta, 0)
        found[name] = Errors.of(predicted, seconds[count:])
    return found


def _ways(space: Space, points: Sequence[Point]) -> Iterator[tuple[str, Array, Solver]]:
    """Give each way's name, its features of the points, and how it is solved."""
    costs = space.costs(points, ["macs", "parameters"])
    for name, metric in (("FLOPs", "macs"), ("parameters", "parameters")):
        yield name, np.column_stack([np.ones(len(points)), costs[metric]]), _line
    if isinstance(space, Choices):
        design = _chosen(space, np.array(points))
        yield LOOK_UP, design, _line
        yield f"{LOOK_UP}, robust", design, nonnegative


def _chosen(space: Choices, points: Array) -> Array:
    """Return how often each value is chosen, at all places that have the same values.

    Columns of one set of places add up to a constant, so that none is needed besides.
    """
    alike: dict[tuple[Any, ...], list[int]] = {}
    for place, values in enumerate(space.choices.values()):
        alike.setdefault(values, []).append(place)
    columns = [
        (points[:, places] == number).sum(axis=1)
        for values, places in alike.items()
        for number in range(len(values))
    ]
    return np.column_stack(columns).astype(float)
