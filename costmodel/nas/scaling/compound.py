"""Compound scaling: depth, width and resolution grown together by one number φ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction


AXES = ("depth", "width", "resolution")

_PAPER = {"depth": 1.2, "width": 1.1, "resolution": 1.15}
"""α, β and γ. Source: Tan & Le 2019, section 3.3."""

_POWERS: Mapping[str, Mapping[str, int]] = {
    "macs": {"depth": 1, "width": 2, "resolution": 2},
    "parameters": {"depth": 1, "width": 2, "resolution": 0},
    "activations": {"depth": 1, "width": 1, "resolution": 2},
}
"""The textbook's law of each metric. Source: Tan & Le 2019, section 3.3, for macs."""


@dataclass(frozen=True, slots=True)
class Compound:
    """What depth, width and resolution are multiplied by as φ grows by one."""

    factors: Mapping[str, float]
    """α, β and γ of the axes that vary."""
    source: str
    """Where they are from."""

    def multiples(self, phi: float) -> dict[str, Fraction]:
        """Return the multiple of each axis at φ, in four decimals; 1 if it is fixed.

        >>> compound("efficientnet", AXES).multiples(2)["width"]
        Fraction(121, 100)
        """
        return {
            axis: Fraction(round(10**4 * self.factors.get(axis, 1.0) ** phi), 10**4)
            for axis in AXES
        }

    def law(self, metric: str, ratio: float) -> float | None:
        """Return φ at which the textbook's law has a metric grow to a ratio.

        None where it has no law, or where nothing that varies is in it.
        """
        powers = _POWERS.get(metric, {})
        slope = sum(powers[a] * math.log(f) for a, f in self.factors.items() if powers)
        return math.log(ratio) / slope if slope else None


def compound(family: str, axes: Iterable[str]) -> Compound:
    """Return α, β and γ of the axes that vary.

    EfficientNet has its paper's, if all three vary. Others have these to a common
    power, so that depth · width² · resolution² doubles with each φ.

    >>> compound("resnet", ["depth"]).factors
    {'depth': 2.0}
    """
    chosen = {axis: _PAPER[axis] for axis in AXES if axis in set(axes)}
    if family == "efficientnet" and len(chosen) == len(AXES):
        return Compound(chosen, "Tan & Le 2019, section 3.3")
    powers = _POWERS["macs"]
    growth = sum(powers[axis] * math.log(factor) for axis, factor in chosen.items())
    power = math.log(2) / growth
    factors = {axis: round(factor**power, 4) for axis, factor in chosen.items()}
    return Compound(factors, "Tan & Le's in proportion, so that the law's macs double")
