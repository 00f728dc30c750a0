"""Device profiles that no machine has: for laws that hold on every device."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.kernels.kernel import NUMBERS
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
        between=1e-6,
        margin=1.05,
        peak_flop_per_s=2e11,
        peak_byte_per_s=2e10,
    )


def _coefficients(drawn: random.Random, depth: int = 2) -> Coefficients:
    """Draw a class; every third is in parts, split by any number of its kernels."""
    values = [float(f"{s * drawn.lognormvariate(0, 1):.6g}") for s in SCALE]
    if drawn.random() < 0.4:
        values[drawn.randrange(4)] = 0.0
    whole = Coefficients(*values, residual=0.05, samples=100)
    if not depth or drawn.random() < 0.7:
        return whole
    parts = (_coefficients(drawn, depth - 1), _coefficients(drawn, depth - 1))
    limit = int(10 ** drawn.uniform(0, 6))
    return replace(whole, split=drawn.choice(NUMBERS), limit=limit, parts=parts)
