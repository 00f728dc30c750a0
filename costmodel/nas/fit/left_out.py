"""Which way of fitting errs least on networks that it leaves out, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.nas.fit.class_totals import CLASSES
from costmodel.runtime.left_out import HELD
from costmodel.runtime.profile import Coefficients
from costmodel.runtime.profile.least_squares import Array
from costmodel.runtime.profile.peaks import rounded
from costmodel.runtime.validate.class_regression import (
    DEVIATION,
    WORKING,
    ByClass,
    Feature,
    features_of,
)


FOLDS = 5
"""Parts of the networks; each is predicted by fits to all others."""

WAYS = tuple(
    ByClass(deviation=deviation, scale=scale)
    for scale in (0.1, 0.01, 0.001)
    for deviation in (DEVIATION, math.inf)
)
"""How fast errors stop counting by their squares, and if classes are held alike.

A device whose times are noise by a tenth wants other values than a simulator's table.
The first that errs least is taken.
"""

LEAST = 1e-15
"""Seconds per call of a class that costs nothing: profiles have no class for free."""


@dataclass(frozen=True, slots=True)
class Regressed:
    """Coefficients of classes, and how they were found.

    ``predicted`` is of each network by a fit without it, in seconds.
    """

    way: ByClass
    coefficients: Mapping[str, Coefficients]
    predicted: Array


def regress(totals: np.ndarray, seconds: Array) -> Regressed:
    """Fit class coefficients to networks' totals, in the way that errs least.

    ``totals`` is networks × classes × terms. Every network is left out once, one fold
    at a time; the error is the mean of |predicted/measured − 1|.
    """
    kinds = [kind for n, kind in enumerate(CLASSES) if totals[:, n].any()]
    features = features_of(kinds)
    design = _design(totals, features)
    best = min(
        ((way, _left_out(way, features, design, seconds)) for way in WAYS),
        key=lambda pair: round(float(np.abs(pair[1] / seconds - 1).mean()), 9),
    )
    way, predicted = best
    known, _ = way.coefficients(features, design, seconds)
    return Regressed(way, {k: _coefficients(known, k) for k in kinds}, predicted)


def margin(predicted: Array, seconds: Array) -> tuple[float, float]:
    """Return the factor within which four of five networks lie, and how many do.

    Both are of fits that left the networks out.

    **Source**: split conformal prediction, as :mod:`costmodel.runtime.left_out`.
    """
    apart = np.abs(np.log(np.maximum(predicted, 1e-300) / seconds))
    rank = min(math.ceil(HELD * (len(apart) + 1)), len(apart))
    factor = math.exp(min(float(np.sort(apart)[rank - 1]), math.log(1e6)))
    return rounded(factor), rounded((np.exp(apart) <= factor).mean())


def _left_out(
    way: ByClass, features: Sequence[Feature], design: Array, seconds: Array
) -> Array:
    """Return what fits without each network say of it."""
    predicted = np.empty(len(seconds))
    fold = np.arange(len(seconds)) % FOLDS
    for number in range(FOLDS):
        out = fold == number
        known, _ = way.coefficients(features, design[~out], seconds[~out])
        predicted[out] = design[out] @ np.array(list(known.values()))
    return predicted


def _design(totals: np.ndarray, features: Sequence[Feature]) -> Array:
    """Return a row for each network and a column for each feature."""
    whole = {"weight": totals[..., 2].sum(axis=1), "call": totals[..., 3].sum(axis=1)}
    term = {"work": 0, "byte": 1}
    columns = [
        whole[name] if name in whole else totals[:, CLASSES.index(kind), term[name]]
        for name, kind in features
    ]
    return np.column_stack(columns).astype(float)


def _coefficients(known: Mapping[Feature, float], kind: str) -> Coefficients:
    """Return a class's four, as a profile writes them."""
    values = [
        known["work", kind] if kind in WORKING else 0.0, known["byte", kind],
        known["weight", ""], known["call", ""],
    ]  # fmt: skip
    work, byte, weight, call = map(rounded, values)
    return Coefficients(work, byte, weight, call if max(values) > 0 else LEAST)
