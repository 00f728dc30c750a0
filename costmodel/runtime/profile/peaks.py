"""The highest sustained rates of a device: a roofline's two sides, measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from costmodel.runtime.profile import DIGITS
from costmodel.runtime.profile.least_squares import Array


ENOUGH = 30
"""Kernels of a class below which a profile notes that there were few."""


class Rows(Protocol):
    """The kernels of one class: features and seconds."""

    @property
    def features(self) -> Array:
        """Rows × (work, activation bytes, weight bytes, calls)."""

    @property
    def seconds(self) -> Array:
        """What each of them took."""


def peaks(groups: Mapping[str, Rows]) -> dict[str, float]:
    """Return the highest sustained rates: FLOP/s of some classes, bytes/s of all.

    A class's rate is the median of the tenth of its kernels that compute most, or move
    most: small ones find their data in a cache, and single ones may be outliers.
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
        "peak_flop_per_s": rounded(max(flops)),
        "peak_byte_per_s": rounded(max(moved)),
    }


def _lasting(amounts: Array, seconds: Array) -> float:
    """Return the median rate of the tenth of the rows with the largest amounts."""
    most = np.argsort(amounts)[-max(1, len(amounts) // 10) :]
    return float(np.median(amounts[most] / seconds[most]))


_MULTIPLYING = frozenset({
    "conv", "pointwise_conv", "conv_native", "pointwise_conv_native", "gemm", "matmul",
    "attention",
})  # fmt: skip
"""Classes whose rate of work comes near the device's peak; padding does not count."""


def rounded(value: float) -> float:
    """Return a number as it is written in a profile."""
    return float(f"{float(value):.{DIGITS}g}")
