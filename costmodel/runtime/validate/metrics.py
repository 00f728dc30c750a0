"""Errors of predictions: relative errors, rank correlation, and the noise floor.

**Units**: errors are relative, predicted/measured − 1; 0.05 is five percent too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from costmodel.errors import CostModelError
from costmodel.runtime.profile.least_squares import scipy


Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

CLOSE = 0.1
"""The error within which a prediction counts as close."""

_SEED = 20240229
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one predictor on one set of networks.

    ``interval`` holds the mean error with 95 % probability: the networks are drawn
    anew 2,000 times, with a fixed seed. ``bias`` is the median of predicted/measured.
    """

    count: int
    mape: float
    interval: tuple[float, float]
    median: float
    p90: float
    largest: float
    within: float
    bias: float
    tau: float
    rho: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values, NaN as null."""
        values = asdict(self) | {"interval": list(self.interval)}
        return {k: None if v != v else v for k, v in values.items()}  # noqa: PLR0124


def summary(predicted: Sequence[float], measured: Sequence[float]) -> Summary:
    """Return every figure at once.

    >>> found = summary([1.1, 2.0, 2.7, 4.0], [1.0, 2.0, 3.0, 4.0])
    >>> round(found.mape, 3), round(found.largest, 3), found.within, found.tau
    (0.05, 0.1, 1.0, 1.0)
    """
    p, m = pairs(predicted, measured)
    off = np.abs(p / m - 1)
    return Summary(
        count=len(p),
        mape=float(off.mean()),
        interval=bootstrap(off),
        median=float(np.median(off)),
        p90=float(np.quantile(off, 0.9)),
        largest=float(off.max()),
        # A tenth in decimals may come out a bit above it in floats.
        within=float((off <= CLOSE * (1 + 1e-9)).mean()),
        bias=float(np.median(p / m)),
        tau=kendall(p, m),
        rho=spearman(p, m),
    )


def errors(predicted: Sequence[float], measured: Sequence[float]) -> list[float]:
    """Return each prediction's signed error, predicted/measured − 1.

    >>> errors([3.0, 1.0], [2.0, 2.0])
    [0.5, -0.5]
    """
    p, m = pairs(predicted, measured)
    found: list[float] = (p / m - 1).tolist()
    return found


def pairs(predicted: Sequence[float], measured: Sequence[float]) -> tuple[Array, Array]:
    """Return both as arrays of positive seconds; refuse what is not."""
    p, m = (np.asarray(values, float) for values in (predicted, measured))
    if p.ndim != 1 or p.shape != m.shape or not len(p):
        raise CostModelError(
            f"metrics: {p.size} predictions and {m.size} measurements do not pair up"
        )
    for name, values in (("prediction", p), ("measurement", m)):
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            place = int(bad.argmax())
            raise CostModelError(
                f"metrics: {name} {place} is {values[place]}, not positive seconds"
            )
    return p, m


def bootstrap(values: Sequence[float] | Array, level: float = 0.95) -> Any:
    """Return the interval of a mean: quantiles of means of resampled values.

    **Source**: Efron, Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.

    >>> bootstrap([0.2] * 9)
    (0.2, 0.2)
    """
    array = np.asarray(values, float)
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, len(array), (_RESAMPLES, len(array)))
    means = array[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # The mean of equal numbers is off in the last digit.
    return round(float(low), 12), round(float(high), 12)


def kendall(first: Sequence[float] | Array, second: Sequence[float] | Array) -> float:
    """Return Kendall's τ_b; it is not a number where one side is all ties.

    >>> kendall([1, 2, 3, 4], [1, 2, 4, 3])
    0.666666666667
    """
    return _ranked("kendalltau", first, second)


def spearman(first: Sequence[float] | Array, second: Sequence[float] | Array) -> float:
    """Return Spearman's ρ: the correlation of ranks, ties sharing their mean rank.

    >>> spearman([1, 2, 3, 4], [1, 10, 100, 1000])
    1.0
    """
    return _ranked("spearmanr", first, second)


def _ranked(name: str, *sides: Sequence[float] | Array) -> float:
    """Return one of SciPy's rank correlations, to twelve digits."""
    if any(len(np.unique(np.asarray(side, float))) < 2 for side in sides):
        return float("nan")
    return round(float(getattr(scipy("stats"), name)(*sides).statistic), 12)


def noise_floor(halves: Sequence[tuple[float, float]]) -> float:
    """Return the mean relative difference of two halves of the same measurements.

    An error that is not clearly above it says nothing about the predictor.

    >>> round(noise_floor([(1.0, 1.02), (2.0, 1.96)]), 4)
    0.02
    """
    if not halves:
        raise CostModelError("noise floor: no measurement was made in two halves")
    a, b = pairs(*zip(*halves, strict=True))
    return float((2 * np.abs(a - b) / (a + b)).mean())
