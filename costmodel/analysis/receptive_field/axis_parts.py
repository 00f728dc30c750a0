"""Where spatial axes are in a tensor, in one part or in several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple, TypeAlias

import sympy

from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.algebra.window import Window
from costmodel.network.axes import extents as extents_of
from costmodel.network.shape import Shape


class Digit(NamedTuple):
    """A part of a spatial axis: where it is, and how many positions it has.

    Its neighbours are ``below`` elements apart in that axis of the tensor. Without a
    ``size`` it is all of that axis.
    """

    axis: int
    size: Dim | None = None
    below: Dim = 1


Digits: TypeAlias = tuple[Digit, ...]
"""A spatial axis by its parts, the slowest first: i = first·(sizes behind) + …"""


class Place(NamedTuple):
    """Where a spatial axis is in a tensor.

    There are several ``ways`` if a position has two of its positions, as the product of
    each token with each other has. Without any, all positions are read or none is.
    """

    ways: tuple[Digits, ...] = ()
    problem: str | None = None
    """Why the axis is not followed."""
    taps: Digits = ()
    """Where the pixels under each window are that have become channels (im2col)."""

    @property
    def axes(self) -> set[int]:
        """The axes of the tensor that hold parts of it."""
        return {digit.axis for way in self.ways for digit in way}


Places: TypeAlias = tuple[Place, ...]
"""The axes of height and width, or of whatever spatial axes the input has."""

CONSUMED = Place()
FLAT = Place(problem="was flattened into a vector")
PART = Place(problem="was flattened into a vector, of which parts are not followed")


def standard_axes(axes: int) -> Places:
    """Return the axes of so many spatial axes in a feature map.

    >>> [place.ways for place in standard_axes(1)]
    [((Digit(axis=2, size=None, below=1),),)]
    """
    return tuple(Place(((Digit(2 + axis),),)) for axis in range(axes))


def divides(divisor: Dim, number: Dim) -> bool:
    """Say whether the quotient of two products of sizes is whole."""
    if type(divisor) is type(number) is int:
        return number % divisor == 0
    ratio = sympy.cancel(sympy.sympify(number) / divisor)
    return bool(ratio.as_numer_denom()[1] == 1)


def over(number: Dim, divisor: Dim) -> Dim:
    """Return the quotient of two products of sizes."""
    return as_dim(sympy.cancel(sympy.sympify(number) / divisor))


@dataclass(frozen=True)
class Tensor:
    """A tensor, and where the spatial axes are in it."""

    x: Shape
    where: Places

    @cached_property
    def sizes(self) -> tuple[Dim, ...]:
        """The sizes of the axes."""
        return tuple(extent.value for extent in extents_of(self.x))

    def size(self, digit: Digit) -> Dim:
        """Return how many positions a part of a spatial axis has."""
        return self.sizes[digit.axis - 1] if digit.size is None else digit.size

    @cached_property
    def hidden(self) -> frozenset[int]:
        """The axes whose elements are channels though some of them are pixels.

        They have other elements too, or are the first axis of a feature map.
        """
        inside: dict[int, set[Digit]] = {}
        for place in self.where:
            for digit in (digit for way in place.ways for digit in way):
                inside.setdefault(digit.axis, set()).add(digit)
        slowest = [way[0].axis for place in self.where for way in place.ways]
        is_map = sorted(slowest) == list(range(2, len(self.sizes) + 1))
        return frozenset(
            axis
            for axis, digits in inside.items()
            if (is_map and axis == 1)
            or not (
                any(digit.size is None for digit in digits)
                or is_equal(prod(map(self.size, digits)), self.sizes[axis - 1])
            )
        )

    def position(self, place: Place) -> tuple[Window | None, str | None]:
        """Return the window of a position, or why it is none."""
        if place.problem is not None or not place.ways:
            is_vector = place == FLAT and not self.x.spatial
            return Window(), None if is_vector else place.problem
        if len(place.ways) > 1:
            counts = {prod(map(self.size, way)) for way in place.ways}
            is_block = len(counts) > 1 and len({way[0].axis for way in place.ways}) == 1
            if not is_block:
                return None, "comes along two axes"
            return None, blocks_of(over(max(counts), min(counts)))
        (digits,) = place.ways
        shown = [digit for digit in digits if digit.axis not in self.hidden]
        rest = digits[len(shown) :]
        if not shown and digits[0].axis == 1:
            return None, None
        if digits[: len(shown)] != tuple(shown) or not shown:
            return None, _merged(digits)
        size = prod(map(self.size, rest))
        return (Window(size, size) if rest else Window()), None

    def whole(self, digits: Iterable[Digit]) -> Digits:
        """Return digits without those of one position, and neighbours in one."""
        found = list[Digit]()
        for digit in (one for one in digits if one.size != 1):
            size = self.size(digit)
            if found and found[-1].axis == digit.axis:
                last = found[-1]
                if is_equal(last.below, digit.below * size):
                    digit = Digit(digit.axis, self.size(last) * size, digit.below)  # noqa: PLW2901
                    found.pop()
            found.append(digit)
        return tuple(
            Digit(digit.axis)
            if digit.below == 1
            and is_equal(self.size(digit), self.sizes[digit.axis - 1])
            else digit
            for digit in found
        )


def blocks_of(size: Dim) -> str:
    """Say that positions of a block look at the same."""
    return f"is split into blocks of {size}, and each position sees its own"


def _merged(digits: Digits) -> str:
    if digits[-1].below == 1:
        return "is merged with another axis"
    return "is merged with what varies faster: neighbouring positions see the same"
