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
from costmodel.runtime.profile import (
    DIGITS,
    FEATURES,
    TERMS,
    Box,
    Coefficients,
    Profile,
)
from costmodel.runtime.regression import Array, coefficients_of, log_errors
from costmodel.runtime.setting import Setting


ENOUGH = 30
"""Kernels of a class from which on nothing is said of how few there were."""

RESAMPLES = 40
"""Fits to networks drawn with replacement, for the coefficients' uncertainty."""

SETTLED, NEGLIGIBLE = 0.5, 0.05
"""A term is settled where its error is below half of it, or where all that it may
amount to, a standard error included, is below a twentieth of the time."""


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
    below 0, with soft-L1 loss on log t and a weak prior
    (:func:`costmodel.runtime.regression.coefficients_of`). Uncertainties come from
    networks drawn with replacement, so that kernels of one network stay together;
    networks that a draw left out give the spread of whole sums. ``overhead`` is the
    median of whole networks' times over the sums of their kernels', and
    ``overhead_spread`` that of its logarithm.

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
        overhead=_digits(overhead),
        spread=_digits(math.hypot(spread, overhead_spread)),
        **_peaks(groups),
        stamp=dict(stamp or {}),
        versions=dict(versions or {}),
        date=date,
        notes=tuple(_notes(found)),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The kernels of one class: features, seconds, and the network of each."""

    features: Array
    """rows × (work, activation bytes, weight bytes, calls)"""
    seconds: Array
    networks: tuple[str, ...]

    def fitted(self) -> Array:
        return coefficients_of(self.features, self.seconds)

    def resampled(self, start: Array, draws: list[Mapping[str, int]]) -> Array:
        """Return a row of coefficients for each draw of networks."""
        found = []
        for draw in draws:
            times = np.array([draw.get(network, 0) for network in self.networks], float)
            chosen = times > 0
            if not chosen.any():
                found.append(start)
                continue
            found.append(
                coefficients_of(
                    self.features[chosen], self.seconds[chosen], times[chosen], start
                )
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


def _grouped(timed: Iterable[Timed]) -> dict[str, _Rows]:
    """Return the kernels by class; an unmodelled one says nothing of copies."""
    rows: dict[str, list[Timed]] = {}
    for one in timed:
        if not (math.isfinite(one.seconds) and one.seconds > 0):
            raise CostModelError(
                f"fit: {one.kernel.kind} of {one.network}, "
                f"node {one.kernel.name}: {one.seconds!r} seconds"
            )
        if one.kernel.is_modelled and one.kernel.when == 1:
            rows.setdefault(one.kernel.kind, []).append(one)
    if not rows:
        raise CostModelError("fit: no kernel was timed")
    return {kind: _as_rows(rows[kind]) for kind in sorted(rows)}


def _as_rows(timed: list[Timed]) -> _Rows:
    features = [[as_int(getattr(t.kernel, name)) for name in FEATURES] for t in timed]
    calls = [float(as_int(t.kernel.calls)) for t in timed]
    table = np.column_stack([np.array(features, float), calls])
    seconds = np.array([t.seconds for t in timed])
    return _Rows(table, seconds, tuple(t.network for t in timed))


def _draws(networks: list[str]) -> list[Mapping[str, int]]:
    """Return how often each network is drawn, the same draws for every class."""
    random = np.random.default_rng(0)
    drawn = random.integers(len(networks), size=(RESAMPLES, len(networks)))
    counts = (np.bincount(row, minlength=len(networks)) for row in drawn)
    return [dict(zip(networks, map(int, row))) for row in counts]


def _spread(
    groups: Mapping[str, _Rows], again: Mapping[str, Array],
    draws: list[Mapping[str, int]], networks: list[str],
) -> float:  # fmt: skip
    """Return the spread of log measured/predicted sums of networks left out of a fit.

    Half of the range between the 16th and the 84th percentile, as one standard
    deviation has it.
    """
    errors = []
    for number, draw in enumerate(draws):
        left = [network for network in networks if not draw[network]]
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
    work, activation_byte, weight_byte, call = map(_digits, found)
    return Coefficients(
        work,
        activation_byte,
        weight_byte,
        call,
        covariance=tuple(tuple(_digits(v) for v in row) for row in covariance),
        residual=_digits(float(high - low) / 2),
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
    """Say whether another column is this one times a number, all rows alike."""
    column = features[:, number]
    for other in np.delete(features, number, axis=1).T:
        if column.all() and other.all() and np.ptp(np.log(column / other)) < 0.01:
            return True
    return False


def _peaks(groups: Mapping[str, _Rows]) -> dict[str, float]:
    """Return the highest rates that last: of a class that multiplies, of any's bytes.

    A class's rate is the median of the tenth of its kernels that compute most, or move
    most: small ones find their data in a cache, and single ones may be a slip.
    """
    flops, moved = [0.0], [0.0]
    for kind, rows in groups.items():
        work, activations, weights, _ = rows.features.T
        if len(rows.seconds) < ENOUGH:
            continue
        if kind in _MULTIPLYING:
            flops.append(_lasting(2 * work, rows.seconds))
        moved.append(_lasting(activations + weights, rows.seconds))
    return {
        "peak_flop_per_s": _digits(max(flops)),
        "peak_byte_per_s": _digits(max(moved)),
    }


def _lasting(amounts: Array, seconds: Array) -> float:
    """Return the median rate of the tenth of the rows with the largest amounts."""
    most = np.argsort(amounts)[-max(1, len(amounts) // 10) :]
    return float(np.median(amounts[most] / seconds[most]))


_MULTIPLYING = frozenset({
    "conv", "pointwise_conv", "conv_native", "pointwise_conv_native", "gemm", "matmul",
    "attention",
})  # fmt: skip
"""Classes whose rate of work is near the device's peak; padding is no work there."""


def _notes(found: Mapping[str, Coefficients]) -> Iterable[str]:
    for kind, fitted in found.items():
        if fitted.samples < ENOUGH:
            yield f"{kind}: only {fitted.samples} kernels; at least {ENOUGH} are needed"
        elif fitted.unidentified:
            terms = ", ".join(fitted.unidentified)
            yield f"{kind}: {terms} not settled by {fitted.samples} kernels"


def _digits(value: float) -> float:
    """Return a number as it is written in a profile."""
    return float(f"{float(value):.{DIGITS}g}")


__all__ = ["Box", "Timed", "fit"]
