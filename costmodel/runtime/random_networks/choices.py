"""Random choices of a calibration network's numbers: a seed gives them all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from costmodel.network.build import Value, activation, batch_norm
from costmodel.network.building.builder import apply
from costmodel.network.operators import GroupNorm, Pointwise, PReLU


T = TypeVar("T")

ACTIVATIONS = ("relu", "relu", "relu6", "silu", "hardswish", "gelu", "sigmoid", "tanh",
               "hardsigmoid", "leaky_relu", "prelu", "none")  # fmt: skip
"""What follows a normalization; ReLU is drawn twice as often."""


TIMED_AS_POINTWISE = ("gelu", "leaky_relu")
"""Functions whose kernels are called ``pointwise`` in measurements."""


class Dice:
    """A source of choices; the same seed gives the same ones everywhere."""

    def __init__(self, *seed: object) -> None:
        """Start from a seed of text and numbers."""
        self._random = Random(":".join(map(str, seed)))  # noqa: S311 - no secrets
        self.activation = self.one(ACTIVATIONS)
        """What a network uses after most of its layers."""

    def one(self, values: Sequence[T]) -> T:
        """Return one of several."""
        # random() is what Python promises to keep from version to version.
        return values[int(self._random.random() * len(values))]

    def often(self, share: float) -> bool:
        """Say yes in this share of all cases."""
        return self._random.random() < share

    def between(self, least: int, most: int) -> int:
        """Return a whole number, log-uniform between the two.

        >>> dice = Dice("example")
        >>> all(3 <= dice.between(3, 5) <= 5 for _ in range(99))
        True
        """
        low, high = math.log(least), math.log(most + 1)
        drawn = int(math.exp(low + (high - low) * self._random.random()))
        return min(most, max(least, drawn))

    def channels(self, least: int, most: int) -> int:
        """Return a width: two of three are multiples of 8."""
        width = self.between(least, most)
        return -(-width // 8) * 8 if self.often(0.67) else width


def act(dice: Dice, x: Value, kind: str | None = None) -> Value:
    """Apply the network's activation, now and then another one."""
    if kind is None:
        kind = dice.one(ACTIVATIONS) if dice.often(0.15) else dice.activation
    if kind == "none":
        return x
    if kind == "prelu":
        return apply(PReLU, [x], None, x.channels)
    if kind in TIMED_AS_POINTWISE:
        return apply(Pointwise, [x], None, kind, stem="pointwise")
    return activation(x, kind)


def norm(dice: Dice, x: Value) -> Value:
    """Normalize: by running statistics mostly, by groups or not at all sometimes."""
    if dice.often(0.85):
        return batch_norm(x)
    if dice.often(0.5):
        width = int(x.channels)
        fitting = [g for g in range(1, 33) if width % g == 0]
        return apply(GroupNorm, [x], None, dice.one(fitting), True)
    return x
