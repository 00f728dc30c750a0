"""The sample positions of interpolation, and padding modes as index arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.errors import CostModelError


def bordered(mode: str, at: npt.NDArray[Any], inputs: int) -> npt.NDArray[Any]:
    """Return the positions inside an axis that a padding mode repeats outside it.

    Padding with zeros repeats none, so those stay outside.

    >>> bordered("reflect", np.arange(-2, 6), 4).tolist()
    [2, 1, 0, 1, 2, 3, 2, 1]
    """
    if mode == "reflect":
        at = inputs - 1 - np.abs(inputs - 1 - np.abs(at))
    elif mode == "replicate":
        at = np.clip(at, 0, inputs - 1)
    return at % inputs if mode == "circular" else at


def samples(mode: str, inputs: int, outputs: int) -> list[list[int]]:
    """Return the input positions that each output position is interpolated from.

    Those of weight zero are left out.

    **Source**: PyTorch, ``aten/src/ATen/native/UpSample.h``.

    >>> samples("bilinear", 2, 4)
    [[0], [0, 1], [0, 1], [1]]
    """
    last = inputs - 1
    return [
        sorted({min(max(at, 0), last) for at in _samples(mode, inputs, outputs, place)})
        for place in range(outputs)
    ]


def _samples(mode: str, inputs: int, outputs: int, place: int) -> Iterator[int]:
    """Give the positions that one output reads; those outside repeat the border."""
    ratio, (name, _, corners) = Fraction(inputs, outputs), mode.partition("_")
    if name == "nearest":
        yield int((place + (Fraction(1, 2) if corners else 0)) * ratio)
    elif name == "area":
        yield from range(place * inputs // outputs, -(-(place + 1) * inputs // outputs))
    elif name in _REACH:
        centre = (place + Fraction(1, 2)) * ratio - Fraction(1, 2)
        if corners:
            centre = Fraction(place * (inputs - 1), max(1, outputs - 1))
        first = centre // 1
        reach = range(1) if centre == first else _REACH[name]
        yield from (int(first) + step for step in reach)
    else:
        raise CostModelError(f"interpolation {mode!r}: where it looks is not known")


_REACH = {"bilinear": range(2), "bicubic": range(-1, 3)}
"""The neighbours that are read, by their distance from the position rounded down."""
