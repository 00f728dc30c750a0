"""How wrong a calibration is: drawn networks, predicted by fits that left them out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.runtime.profile import UNJUDGED, Coefficients, LeftOut
from costmodel.runtime.profile.fit import Timed, classes, grouped, predicted
from costmodel.runtime.profile.least_squares import Array, nonnegative
from costmodel.runtime.profile.peaks import rounded
from costmodel.runtime.validate.baselines import BASELINES, Case


FOLDS = 8
"""Parts of the networks; each is predicted by a fit to all others."""

NOISE = 0.02
"""Relative errors of whole networks' times over their kernels' that count as noise.

What runs between kernels is a few per cent: networks that are off by more tell nothing
of it.
"""

HELD = 0.8
"""The share of networks that an interval should hold."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured network: its totals, its kernels that were timed, and their sum.

    **Units**: seconds.
    """

    case: Case
    timed: Sequence[Timed]
    inside: float
    """Of all kernels, of those too whose own times are not known."""

    @property
    def kernels(self) -> int:
        """Kernels that run."""
        return sum(terms[3] for terms in self.case.totals.classes.values())


def beside(samples: Sequence[Sample]) -> tuple[float, float]:
    """Return what a whole network takes: a factor of its kernels, seconds for each.

    Both as they were measured: what runs between kernels is no error of a fit.
    """
    timed = [one for one in samples if one.inside]
    design = np.array([(one.inside, one.kernels) for one in timed], float)
    whole = np.array([one.case.seconds for one in timed])
    factor, between = nonnegative(design, whole, scale=NOISE)
    if not factor:  # all that was measured passed between kernels
        factor, between = 1.0, 0.0
    return float(factor), float(between)


def left_out(samples: Sequence[Sample]) -> tuple[float, LeftOut | None]:
    """Return the factor within which four of five networks lie, and all errors.

    Networks are left out whole, so that kernels of one are never on both sides. An
    interval is as wide as the errors of networks that were left out (split conformal
    prediction); how many it holds is counted with intervals made without them.

    **Source**: Lei et al. 2018, "Distribution-free predictive inference for
    regression", section 2.2.
    """
    if len(samples) < FOLDS:
        return UNJUDGED, None
    found = list(_predictions(samples))
    told = {one.sample.case.name: one.predicted for one in found}
    return judged([one.case for one in samples], told, _by_class(found))


def judged(
    cases: Sequence[Case], told: Mapping[str, float],
    by_class: Mapping[str, tuple[float, float]],
) -> tuple[float, LeftOut]:  # fmt: skip
    """Return the same of what fits without each network told of it, by its name."""
    ratios = np.array([told[one.name] / one.seconds for one in cases])
    apart = np.abs(np.log(ratios))
    errors = np.abs(ratios - 1)
    held = [
        apart[number] <= _quantile(np.delete(apart, number))
        for number in range(len(apart))
    ]
    return math.exp(_quantile(apart)), LeftOut(
        networks=len(cases),
        mape=rounded(errors.mean()),
        median=rounded(np.median(errors)),
        coverage=rounded(np.mean(held)),
        classes=by_class,
        baselines=_baselines(cases),
    )


def _quantile(apart: Array) -> float:
    """Return what one more network's error stays below in four of five cases."""
    rank = math.ceil(HELD * (len(apart) + 1))
    return float(np.sort(apart)[min(rank, len(apart)) - 1])


@dataclass(frozen=True, slots=True)
class _Predicted:
    """A network that was left out: its seconds, and those of its classes, both ways."""

    sample: Sample
    predicted: float
    classes: Mapping[str, tuple[float, float]]


def _predictions(samples: Sequence[Sample]) -> Iterator[_Predicted]:
    """Give every network as predicted by a fit without it."""
    for out in folds(len(samples)):
        others = [one for n, one in enumerate(samples) if n not in out]
        found = classes(grouped(row for one in others for row in one.timed))
        factor, between = beside(others)
        for number in out:
            sample = samples[number]
            by_class = _sums(sample, found)
            seconds = factor * _inside(sample, by_class) + between * sample.kernels
            yield _Predicted(sample, seconds, by_class)


def _sums(
    sample: Sample, found: Mapping[str, Coefficients]
) -> dict[str, tuple[float, float]]:
    """Return a network's seconds by class: as predicted, and as measured.

    What has no class among those found is taken as it was measured.
    """
    by_class = {}
    for kind, rows in grouped(sample.timed).items():
        taken = float(rows.seconds.sum())
        known = found.get(kind)
        guess = float(predicted(known, rows).sum()) if known else taken
        by_class[kind] = (guess, taken)
    return by_class


def _inside(sample: Sample, by_class: Mapping[str, tuple[float, float]]) -> float:
    """Return the seconds of a network's kernels as predicted.

    Those that nobody could time apart are as they were measured.
    """
    return sample.inside + sum(guess - taken for guess, taken in by_class.values())


def folds(count: int) -> Iterator[Collection[int]]:
    """Give the numbers of the networks that are left out together."""
    order = np.random.default_rng(0).permutation(count)
    for start in range(FOLDS):
        yield set(order[start::FOLDS].tolist())


def _by_class(found: Sequence[_Predicted]) -> dict[str, tuple[float, float]]:
    """Return each class's share of all seconds, and how far off its sums are."""
    whole = sum(taken for one in found for _, taken in one.classes.values())
    kinds = sorted({kind for one in found for kind in one.classes})
    shares = {}
    for kind in kinds:
        pairs = [one.classes[kind] for one in found if kind in one.classes]
        share = sum(taken for _, taken in pairs) / whole
        off = np.mean([abs(guess / taken - 1) for guess, taken in pairs])
        shares[kind] = (rounded(share), rounded(float(off)))
    return shares


def _baselines(cases: Sequence[Case]) -> dict[str, float]:
    """Return the mean error of every baseline on the same networks, left out alike."""
    errors: dict[str, list[float]] = {way.name: [] for way in BASELINES}
    for out in folds(len(cases)):
        others = [case for n, case in enumerate(cases) if n not in out]
        for way in BASELINES:
            model = way.fit(others)
            errors[way.name] += [
                abs(model(cases[n]) / cases[n].seconds - 1) for n in out
            ]
    return {name: rounded(float(np.mean(some))) for name, some in errors.items()}
