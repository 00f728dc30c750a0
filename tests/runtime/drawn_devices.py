"""Device profiles that no machine has: for laws that hold on every device."""

from __future__ import annotations

import random
from typing import Any

from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.profile import Coefficients, Profile
from costmodel.runtime.setting import Setting


SCALE = (1e-11, 1e-10, 5e-11, 5e-6)
"""Seconds a multiply–accumulate, a byte, a byte of weights, a call: about a core's."""


def device(seed: int = 0, *, without: tuple[str, ...] = (), **setting: Any) -> Profile:
    """Return a profile whose coefficients are drawn, a tenth of them 0."""
    drawn = random.Random(seed)  # noqa: S311 - for a test
    return Profile(
        name=f"drawn {seed}",
        setting=Setting(**setting),
        coefficients={
            kind: _coefficients(drawn) for kind in KINDS if kind not in without
        },
        overhead=1.03,
        spread=0.04,
        peak_flop_per_s=2e11,
        peak_byte_per_s=2e10,
    )


def _coefficients(drawn: random.Random) -> Coefficients:
    values = [float(f"{s * drawn.lognormvariate(0, 1):.6g}") for s in SCALE]
    if drawn.random() < 0.4:
        values[drawn.randrange(4)] = 0.0
    spread = tuple(
        tuple((value / 10) ** 2 if i == j else 0.0 for j in range(4))
        for i, value in enumerate(values)
    )
    return Coefficients(*values, covariance=spread, residual=0.05, samples=100)
