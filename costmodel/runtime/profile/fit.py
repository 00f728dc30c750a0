"""Coefficients of every class of kernels, from kernels timed inside networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.algebra.symbols import as_int
from costmodel.errors import CostModelError
from costmodel.runtime.kernels import Kernel
from costmodel.runtime.kernels.kernel import NUMBERS
from costmodel.runtime.profile import FEATURES, MULTIPLIED, Coefficients
from costmodel.runtime.profile.least_squares import SOFT, Array, nonnegative
from costmodel.runtime.profile.peaks import rounded


FOLDS = 5
"""Parts of the networks that are left out, one at a time, to judge a split."""

LEAST_KERNELS, LEAST_NETWORKS = 15, 12
"""Kernels of either side of a split, and networks that they come from, at least."""

LEAST_GAIN = 0.02
"""The share by which a split lowers the error of networks left out, at least."""

DEEPEST = 2
"""Splits, one inside of the other, at most."""

TRIED = 6
"""Numbers by which a class is split on trial: those that sort its errors best."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One kernel of one network, timed inside that network; all its numbers are known.

    **Units**: seconds.
    """

    network: str
    kernel: Kernel
    seconds: float


@dataclass(frozen=True, slots=True)
class Rows:
    """The kernels of one class."""

    features: Array
    """rows × (work, activation bytes, weight bytes, calls)"""
    numbers: Array
    """rows × :data:`NUMBERS`: what a class may be split by"""
    seconds: Array
    networks: Array
    """Names."""

    def __getitem__(self, chosen: Any) -> Rows:
        """Return some of the rows."""
        return Rows(self.features[chosen], self.numbers[chosen],
                    self.seconds[chosen], self.networks[chosen])  # fmt: skip

    def __len__(self) -> int:
        """Return the number of kernels."""
        return len(self.seconds)

    @property
    def box(self) -> dict[str, tuple[int, int]]:
        """The least and the most of each feature."""
        columns = self.features[:, :3].astype(object)
        return {
            feature: (int(min(column)), int(max(column)))
            for feature, column in zip(FEATURES, columns.T)
        }


def grouped(timed: Iterable[Timed]) -> dict[str, Rows]:
    """Return kernels by class, without those that are taken for another."""
    found: dict[str, list[Timed]] = {}
    for one in timed:
        if not (math.isfinite(one.seconds) and one.seconds > 0):
            raise CostModelError(
                f"fit: {one.kernel.kind} of {one.network}, "
                f"node {one.kernel.name}: {one.seconds!r} seconds"
            )
        if one.kernel.is_modelled and one.kernel.when == 1:
            found.setdefault(one.kernel.kind, []).append(one)
    if not found:
        raise CostModelError("fit: no kernel was timed")
    return {kind: _rows(found[kind]) for kind in sorted(found)}


def _rows(timed: list[Timed]) -> Rows:
    multiplied = [[as_int(getattr(t.kernel, n)) for n in MULTIPLIED] for t in timed]
    return Rows(
        np.array(multiplied, float),
        np.array([[as_int(t.kernel.number(n)) for n in NUMBERS] for t in timed], float),
        np.array([t.seconds for t in timed]),
        np.array([t.network for t in timed]),
    )


def classes(groups: Mapping[str, Rows]) -> dict[str, Coefficients]:
    """Return the coefficients of every class, split where that predicts better.

    t ≈ a·work + b·activation bytes + c·weight bytes + d·calls, none below 0, by
    :func:`nonnegative`. A class is split in two by one of its kernels' numbers where
    networks that were left out are then predicted better, and its parts again.

    **Source**: Quinlan 1992, "Learning with continuous classes": trees whose leaves
    are linear.
    """
    return {kind: _split(rows, _left_out(rows)) for kind, rows in groups.items()}


def predicted(found: Coefficients, rows: Rows) -> Array:
    """Return the seconds of kernels of a class."""
    if not found.parts:
        return np.asarray(rows.features @ np.array(found.values))
    is_low = rows.numbers[:, NUMBERS.index(found.split)] <= found.limit
    seconds = np.zeros(len(rows))
    for part, chosen in zip(found.parts, (is_low, ~is_low)):
        seconds[chosen] = predicted(part, rows[chosen])
    return seconds


def _split(rows: Rows, left_out: float, depth: int = DEEPEST) -> Coefficients:
    """Return a class as it is, or in parts where these are better."""
    whole = _fitted(rows)
    least, best = (1 - LEAST_GAIN) * left_out, None
    for number, limit in _cuts(rows, whole) if depth else ():
        sides = _sides(rows, number, limit)
        errors = [_left_out(side) for side in sides]
        if sum(errors) < least:
            least, best = sum(errors), (number, limit, sides, errors)
    if best is None:
        return whole
    number, limit, sides, errors = best
    parts = (_split(*side, depth - 1) for side in zip(sides, errors))
    return replace(whole, split=NUMBERS[number], limit=limit, parts=tuple(parts))


def _sides(rows: Rows, number: int, cut: int) -> tuple[Rows, Rows]:
    is_low = rows.numbers[:, number] <= cut
    return rows[is_low], rows[~is_low]


def _fitted(rows: Rows) -> Coefficients:
    theta = nonnegative(rows.features, rows.seconds)
    off = np.abs(rows.features @ theta / rows.seconds - 1)
    work, activation_byte, weight_byte, call = map(rounded, theta)
    residual = rounded(float(np.median(off)))
    return Coefficients(
        work, activation_byte, weight_byte, call, residual=residual, samples=len(rows)
    )


def _left_out(rows: Rows) -> float:
    """Return the summed loss of kernels whose networks are left out, part by part."""
    names = np.unique(rows.networks)
    part = np.arange(len(names)) % FOLDS
    np.random.default_rng(0).shuffle(part)
    fold = part[np.searchsorted(names, rows.networks)]
    total = 0.0
    for number in range(FOLDS):
        is_out = fold == number
        if is_out.all():
            return math.inf
        if is_out.any():
            theta = nonnegative(rows.features[~is_out], rows.seconds[~is_out])
            error = rows.features[is_out] @ theta / rows.seconds[is_out] - 1
            total += float(np.sum(np.hypot(1, error / SOFT) - 1))
    return total


def _cuts(rows: Rows, whole: Coefficients) -> list[tuple[int, int]]:
    """Return the numbers, and their limits, that sort a class's errors best.

    A limit's gain is what the squared log errors, cut off at 1, fall by if either side
    is multiplied by a factor of its own: one pass over sorted kernels.
    """
    off = np.log(rows.seconds / np.maximum(rows.features @ whole.values, 1e-300))
    off = np.clip(off, -1, 1)
    return [cut for _, *cut in sorted(_gains(rows, off), reverse=True)[:TRIED]]  # type: ignore[misc]


def _gains(rows: Rows, off: Array) -> Iterator[tuple[float, int, int]]:
    """Give the best limit of every number, and its gain."""
    count = np.arange(1, len(off))
    for number, column in enumerate(rows.numbers.T):
        order = np.argsort(column, kind="stable")
        values, sums = column[order], np.cumsum(off[order])
        gain = sums[:-1] ** 2 / count + (sums[-1] - sums[:-1]) ** 2 / count[::-1]
        is_cut = values[1:] > values[:-1]
        is_cut &= np.minimum(count, count[::-1]) >= LEAST_KERNELS
        if not is_cut.any():
            continue
        at = int(np.argmax(np.where(is_cut, gain, -1)))
        middle = math.floor(math.sqrt(max(values[at], 0.5) * values[at + 1]))
        limit = max(middle, int(values[at]))
        sides = _sides(rows, number, limit)
        if min(len(np.unique(side.networks)) for side in sides) >= LEAST_NETWORKS:
            yield float(gain[at]), number, limit
