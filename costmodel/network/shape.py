"""Shapes of the tensors between operators, without the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import sympy

from costmodel.algebra.count import Count, polynomial, product
from costmodel.algebra.extent import Extent, extent_of, resolve, substitute
from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim, is_equal
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Shape:
    """``channels × height × width`` of a feature map, or ``channels`` of a vector.

    A video is ``channels × depth × height × width``, a sequence ``channels × length``.
    Any number of axes may follow the first: tokens are ``length × channels``, so that
    ``channels`` is the size of PyTorch's axis 1, the batch being axis 0.

    >>> print(Shape(64, (Extent(56), Extent(56))))
    64×56×56
    """

    channels: Dim
    spatial: tuple[Extent, ...] = ()

    @property
    def positions(self) -> Dim:
        """The product of all axes but channels, as opaque extents; 1 for a vector."""
        area: Dim = 1
        for extent in self.spatial:
            area = area * extent.atom
        return area

    @property
    def numel(self) -> Dim:
        """Elements per sample: channels times positions, as opaque extents."""
        return self.channels * self.positions

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """Channels and the axes behind them as numbers or plain expressions."""
        return (resolve(self.channels), *(extent.value for extent in self.spatial))

    def require_axes(self, count: int) -> tuple[Extent, ...]:
        """Return the spatial axes, or raise if there are not so many."""
        if len(self.spatial) != count:
            found = f"axes {self}" if self.spatial else f"vector {self}"
            raise CostModelError(
                f"needs {_MAPS[count]}{' × '.join(('channels', *AXES[count]))}, "
                f"got the {found}; is it behind a flatten?"
            )
        return self.spatial

    def checked(self) -> Shape:
        """Return the shape itself if every known size is a positive integer."""
        if isinstance(self.channels, sympy.Expr) and _is_doubtful(self.channels):
            problem = "not an integer" if self.channels.is_number else "negative"
            raise CostModelError(f"channels {self.channels} is {problem}")
        known = (self.channels, *(extent.base for extent in self.spatial))
        for name, count in zip(names_of(self), known, strict=True):
            if type(count) is int and count < 1:
                raise CostModelError(
                    f"output {self} is empty: {name} {count}"
                    + ("; the input is too small here" if name != "channels" else "")
                )
        return self

    def bind(self, values: dict[sympy.Symbol, Dim]) -> Shape:
        """Return the shape with symbols replaced; opaque extents become plain ones."""
        channels = substitute(resolve(self.channels), values)
        return Shape(channels, tuple(extent.bind(values) for extent in self.spatial))

    def same_as(self, other: Shape) -> bool:
        """Say whether two shapes are equal for every value of their symbols."""
        if self.spatial != other.spatial:
            return False
        return self.channels == other.channels or is_equal(
            resolve(self.channels), resolve(other.channels)
        )

    def __str__(self) -> str:
        """Write the shape as the papers do."""
        channels = str(resolve(self.channels))
        if self.spatial and isinstance(self.channels, sympy.Add):
            channels = f"({channels})"
        return "×".join([channels, *map(str, self.spatial)])


def _is_doubtful(size: sympy.Expr) -> bool:
    """Say whether a size may be no integer, or negative.

    A number times positive symbols is checked at once, without sympy's slower inference
    of assumptions.
    """
    number, rest = size.as_coeff_Mul()
    factors = sympy.Mul.make_args(rest)
    if number.is_positive and all(f.is_Symbol and f.is_positive for f in factors):
        return False
    return bool(size.is_number or size.is_negative)


AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The names of the spatial axes of a feature map, by their number."""

_MAPS = {1: "", 2: "a feature map ", 3: "a volume "}


def names_of(shape: Shape) -> tuple[str, ...]:
    """Return the names of the axes of a shape, without the batch."""
    if len(shape.spatial) in (0, 2, 3):
        return ("channels", *AXES.get(len(shape.spatial), ()))
    return tuple(f"axis {number}" for number in range(1, len(shape.spatial) + 2))


_Length = TypeVar("_Length", Extent, Size)
_ONES = (Extent(1), size(1))


def broadcast(*operands: Sequence[_Length]) -> tuple[_Length, ...] | None:
    """Return the broadcast sizes, aligned at the last axis; None if there are none.

    Sizes of 1, and those missing in front, are repeated to fit the others.

    >>> one, two, three = map(Extent, (1, 2, 3))
    >>> broadcast((two, three), (one,)) == (two, three), broadcast((two,), (three,))
    (True, None)
    """
    found = list[_Length]()
    for back in range(max(map(len, operands), default=0), 0, -1):
        sides = [sides[-back] for sides in operands if len(sides) >= back]
        wide = [side for side in sides if side not in _ONES] or sides[:1]
        if not all(_is_same(wide[0], side) for side in wide[1:]):
            return None
        found.append(wide[0])
    return tuple(found)


def _is_same(one: _Length, other: _Length) -> bool:
    return one == other or is_equal(one.value, other.value)


class Counted(Shape):
    """A shape whose sizes are polynomials: cheap to multiply and to add up.

    The counts that operators compute from it are turned into one expression at the end,
    by :func:`costmodel.algebra.count.added`.
    """

    __slots__ = ()

    @property
    def positions(self) -> Count:
        """The product of all axes but the channels; 1 for a vector."""
        return product(1, self.spatial)

    @property
    def numel(self) -> Count:
        """Elements per sample: channels times positions."""
        return product(self.channels, self.spatial)


def counted(shape: Shape) -> Counted:
    """Return a shape with polynomials for sizes, flattened lengths included."""
    length = shape.channels
    if not shape.spatial and isinstance(length, sympy.Expr):
        is_flattened = any(extent_of(s) is not None for s in length.free_symbols)
        length = polynomial(length) if is_flattened else length
    return Counted(length, shape.spatial)
