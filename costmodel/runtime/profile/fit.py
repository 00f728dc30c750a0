"""Coefficients of every class of kernels, from kernels timed inside networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.algebra.symbols import as_int
from costmodel.errors import CostModelError
from costmodel.runtime.kernels import Kernel
from costmodel.runtime.profile import FEATURES, TERMS, Box, Coefficients, Profile
from costmodel.runtime.profile.peaks import ENOUGH, peaks, rounded
from costmodel.runtime.profile.robust_nnls import Array, Prior, nonnegative
from costmodel.runtime.setting import Setting


RESAMPLES = 40
"""Fits to networks drawn with replacement, for the coefficients' uncertainty."""

SETTLED, NEGLIGIBLE = 0.5, 0.05
"""A term is settled where its error is below half of it, or where all that it may
amount to, a standard error included, is below a twentieth of the time."""


SOFT = 0.1
"""Log errors from about here on count by their size, not by their square."""

PRIOR = 0.1
"""Weight of the prior: that many kernels, each term a quarter of their time."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One kernel of one network, timed inside that network; all its numbers are known.

    **Units**: seconds.
    """

    network: str
    kernel: Kernel
    seconds: float


def fit(
    timed: Iterable[Timed],
    setting: Setting,
    *,
    name: str,
    stamp: Mapping[str, Any] | None = None,
    overhead: float = 1.0,
    overhead_spread: float = 0.0,
    versions: Mapping[str, str] | None = None,
    date: str = "",
) -> Profile:
    """Return the profile that fits kernels timed inside networks.

    Each class by itself: t ≈ a·work + b·activation bytes + c·weight bytes + d, none
    below 0, with soft-L1 loss on log t and a weak prior (:func:`coefficients_of`). A
    kernel counts by its share of its network's time, since that is its share in an
    error of the whole.
    Uncertainties come from networks drawn with replacement, so that kernels of one
    network stay together, and from priors drawn around ours; networks that a draw left
    out give the spread of whole sums.
    ``overhead`` is the median of whole networks' times over the sums of their kernels',
    and ``overhead_spread`` that of its logarithm.

    **Units**: seconds.
    """
    groups = _grouped(timed)
    every = sorted({network for rows in groups.values() for network in rows.networks})
    draws = _draws(every)
    fitted = {kind: rows.fitted() for kind, rows in groups.items()}
    again = {kind: rows.resampled(fitted[kind], draws) for kind, rows in groups.items()}
    spread = _spread(groups, again, draws, every)
    found = {
        kind: _summary(rows, fitted[kind], again[kind]) for kind, rows in groups.items()
    }
    return Profile(
        name=name,
        setting=setting,
        coefficients=found,
        box={kind: rows.box for kind, rows in groups.items()},
        overhead=rounded(overhead),
        spread=rounded(math.hypot(spread, overhead_spread)),
        **peaks(groups),
        stamp=dict(stamp or {}),
        versions=dict(versions or {}),
        date=date,
        notes=tuple(_notes(found)),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The kernels of one class: features, seconds, networks, and what each counts."""

    features: Array
    """rows × (work, activation bytes, weight bytes, calls)"""
    seconds: Array
    networks: tuple[str, ...]
    counts: Array
    """A kernel's share of its network's time, over the mean of the class."""

    def fitted(self) -> Array:
        return coefficients_of(self.features, self.seconds, self.counts)

    def resampled(self, start: Array, draws: list[_Draw]) -> Array:
        """Return a row of coefficients for each draw of networks and of the prior."""
        found = []
        for draw in draws:
            drawn = np.array([draw.times.get(n, 0) for n in self.networks], float)
            chosen, counts = drawn > 0, drawn * self.counts
            rows = self.features[chosen], self.seconds[chosen], counts[chosen]
            found.append(
                coefficients_of(*rows, start, draw.centre) if chosen.any() else start
            )
        return np.array(found)

    @property
    def box(self) -> dict[str, tuple[int, int]]:
        """The least and the most of each feature."""
        columns = self.features[:, :3].astype(object)
        return {
            feature: (int(min(column)), int(max(column)))
            for feature, column in zip(FEATURES, columns.T)
        }


def coefficients_of(
    features: Array, seconds: Array, counts: Array | None = None,
    start: Array | None = None, centre: Array | None = None,
) -> Array:  # fmt: skip
    """Return the four coefficients of a class, none below 0.

    Least squares of log errors, soft-L1 (:func:`nonnegative`), and a weak prior that
    pulls every term to a quarter of the median time: what the data do not tell stays
    there, what they tell overrides it. ``counts`` is how often each row counts,
    ``start`` where the search begins, and ``centre`` what the prior pulls to, in
    quarters of the median time.

    >>> x = np.array([[1.0, 0, 0, 1], [2, 0, 0, 1], [400, 0, 0, 1], [900, 0, 0, 1]])
    >>> coefficients_of(x, x @ [3.0, 0, 0, 5]).round().tolist()
    [3.0, 0.0, 0.0, 5.0]
    """
    typical = [np.median(x[x > 0]) if x.any() else np.inf for x in features.T]
    scale = np.median(seconds) / np.array(typical) / 4
    present = scale > 0  # nothing pulls a term that no kernel has
    deviation = np.where(present, math.sqrt(SOFT / PRIOR), np.inf)
    prior = Prior(np.ones(4) if centre is None else centre, deviation)
    theta = np.ones(4) if start is None else start / np.where(present, scale, 1.0)
    theta = nonnegative(
        features * scale, seconds, counts, error="log", scale=SOFT, prior=prior,
        start=np.where(present, np.maximum(theta, 1e-9), 0.0),
    )  # fmt: skip
    return np.asarray(theta * scale)


def log_errors(features: Array, seconds: Array, theta: Array) -> Array:
    """Return log(measured / predicted), row by row."""
    return np.asarray(np.log(seconds / np.maximum(features @ theta, 1e-300)))


def _grouped(timed: Iterable[Timed]) -> dict[str, _Rows]:
    """Return the kernels by class, without unmodelled ones."""
    rows: dict[str, list[Timed]] = {}
    whole: dict[str, float] = {}
    for one in timed:
        whole[one.network] = whole.get(one.network, 0.0) + one.seconds
        if not (math.isfinite(one.seconds) and one.seconds > 0):
            raise CostModelError(
                f"fit: {one.kernel.kind} of {one.network}, "
                f"node {one.kernel.name}: {one.seconds!r} seconds"
            )
        if one.kernel.is_modelled and one.kernel.when == 1:
            rows.setdefault(one.kernel.kind, []).append(one)
    if not rows:
        raise CostModelError("fit: no kernel was timed")
    return {kind: _as_rows(rows[kind], whole) for kind in sorted(rows)}


def _as_rows(timed: list[Timed], whole: Mapping[str, float]) -> _Rows:
    features = [[as_int(getattr(t.kernel, name)) for name in FEATURES] for t in timed]
    calls = [float(as_int(t.kernel.calls)) for t in timed]
    table = np.column_stack([np.array(features, float), calls])
    seconds = np.array([t.seconds for t in timed])
    shares = np.array([t.seconds / whole[t.network] for t in timed])
    networks = tuple(t.network for t in timed)
    return _Rows(table, seconds, networks, shares / shares.mean())


@dataclass(frozen=True, slots=True)
class _Draw:
    """How often each network is drawn, and where the prior pulls to.

    A prior that stayed would make what only it tells look certain.
    """

    times: Mapping[str, int]
    centre: Array


def _draws(networks: list[str]) -> list[_Draw]:
    """Return draws of networks and of the prior, the same for every class."""
    random = np.random.default_rng(0)
    drawn = random.integers(len(networks), size=(RESAMPLES, len(networks)))
    counts = (np.bincount(row, minlength=len(networks)) for row in drawn)
    pulls = random.exponential(size=(RESAMPLES, len(TERMS)))
    return [
        _Draw(dict(zip(networks, map(int, row))), centre)
        for row, centre in zip(counts, pulls)
    ]


def _spread(
    groups: Mapping[str, _Rows], again: Mapping[str, Array],
    draws: list[_Draw], networks: list[str],
) -> float:  # fmt: skip
    """Return the spread of log measured/predicted sums of networks left out of a fit.

    Half of the range between the 16th and the 84th percentile, as one standard
    deviation has it.
    """
    errors = []
    for number, draw in enumerate(draws):
        left = [network for network in networks if not draw.times[network]]
        measured, predicted = dict.fromkeys(left, 0.0), dict.fromkeys(left, 0.0)
        for kind, rows in groups.items():
            sums = rows.features @ again[kind][number]
            for network, seconds, guess in zip(rows.networks, rows.seconds, sums):
                if network in measured:
                    measured[network] += float(seconds)
                    predicted[network] += float(guess)
        errors += [math.log(measured[n] / predicted[n]) for n in left if predicted[n]]
    if not errors:
        return 0.0
    low, high = np.percentile(errors, [16, 84])
    return float(high - low) / 2


def _summary(rows: _Rows, found: Array, again: Array) -> Coefficients:
    errors = log_errors(rows.features, rows.seconds, found)
    low, high = np.percentile(errors, [16, 84])
    covariance = np.cov(again.T)
    work, activation_byte, weight_byte, call = map(rounded, found)
    return Coefficients(
        work,
        activation_byte,
        weight_byte,
        call,
        covariance=tuple(tuple(rounded(v) for v in row) for row in covariance),
        residual=rounded(float(high - low) / 2),
        samples=len(rows.seconds),
        identified=_identified(rows, found, np.sqrt(np.diag(covariance))),
    )


def _identified(rows: _Rows, found: Array, errors: Array) -> tuple[str, ...]:
    """Return the terms that the measurements settle, or show to be negligible.

    A feature that is always 0 has nothing to settle. Two that are proportional in all
    kernels are told together only: neither is settled by itself.
    """
    settled = []
    typical = np.median(rows.features / rows.seconds[:, None], axis=0)
    for number, term in enumerate(TERMS):
        column = rows.features[:, number]
        is_sure = errors[number] <= SETTLED * found[number]
        is_small = (found + errors)[number] * typical[number] <= NEGLIGIBLE
        is_told = len(column) >= ENOUGH and (is_sure or is_small)
        if not column.any() or (is_told and not _has_twin(rows.features, number)):
            settled.append(term)
    return tuple(settled)


def _has_twin(features: Array, number: int) -> bool:
    """Say whether another column is proportional to this one, in four rows of five."""
    column = features[:, number]
    for other in np.delete(features, number, axis=1).T:
        if column.all() and other.all():
            low, high = np.percentile(np.log(column / other), [10, 90])
            if high - low < 0.01:
                return True
    return False


def _notes(found: Mapping[str, Coefficients]) -> Iterable[str]:
    for kind, fitted in found.items():
        if fitted.samples < ENOUGH:
            yield f"{kind}: only {fitted.samples} kernels; at least {ENOUGH} are needed"
        elif fitted.unidentified:
            terms = ", ".join(fitted.unidentified)
            yield f"{kind}: {terms} not settled by {fitted.samples} kernels"


__all__ = ["ENOUGH", "Box", "Timed", "fit"]
