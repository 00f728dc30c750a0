"""Operators that take a part of a tensor, or put zeros beside it, along any axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import sympy

from costmodel.algebra.symbols import Dim
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.operators.arranging import is_known
from costmodel.network.operators.axes import along, extents, rank, replaced
from costmodel.network.operators.base import POINT, Rearrangement, Windows
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Select(Rearrangement):
    """A fixed number of elements along an axis, every ``step``-th: a view.

    >>> from costmodel.algebra.extent import Extent
    >>> print(Select(axis=1, start=0, length=1).output(Shape(197, (Extent(768),))))
    1×768
    """

    kind: ClassVar[str] = "select"
    view: ClassVar[bool] = True
    axis: Dim
    start: Dim
    length: Dim
    step: Dim = 1

    @property
    def window(self) -> Windows | None:
        """See the positions from ``start`` on, if the axis is the image's."""
        return _windows(self.axis, Window(stride=self.step, before=-self.start))

    def output(self, *inputs: Shape) -> Shape:
        """Return so many along the axis; there must be that many."""
        extent = along(inputs[0], self.axis)
        needed = self.start + self.step * (self.length - 1) + 1
        if sympy.sympify(extent.value - needed).is_negative:
            raise CostModelError(f"{self} are not all among those of {inputs[0]}")
        side = along(Shape(self.length), 1)
        return replaced(inputs[0], self.axis, side)

    def __str__(self) -> str:
        """Write 1 of axis 1 from 0."""
        every = "" if self.step == 1 else f" every {self.step}"
        return f"{self.length} of axis {self.axis} from {self.start}{every}"


@final
@dataclass(frozen=True, slots=True)
class Slice(Rearrangement):
    """An axis without its first and last elements, every ``step``-th: a view.

    n elements become ⌈(n − start − end)/step⌉.

    >>> from costmodel.algebra.extent import Extent
    >>> from costmodel.algebra.symbols import H
    >>> Slice(axis=2, start=1, step=2).output(Shape(3, (Extent(H),))).spatial[0]
    Extent(base=H, offset=0, stride=2)
    """

    kind: ClassVar[str] = "slice"
    view: ClassVar[bool] = True
    allow_zero: ClassVar[frozenset[str]] = frozenset({"start", "end"})
    axis: Dim
    start: Dim = 0
    end: Dim = 0
    step: Dim = 1

    @property
    def window(self) -> Windows | None:
        """See the positions from ``start`` on, if the axis is the image's."""
        return _windows(self.axis, self._along)

    @property
    def _along(self) -> Window:
        return Window(before=-self.start, after=-self.end, stride=self.step)

    def output(self, *inputs: Shape) -> Shape:
        """Return what is left; known sizes leave an element at least."""
        extent = along(inputs[0], self.axis)
        if is_known(extent) and type(self.start) is type(self.end) is int:
            left = extent.base - self.start - self.end
            if left < 1:
                raise CostModelError(f"{self} leaves nothing of {inputs[0]}")
        return replaced(inputs[0], self.axis, extent.through(self._along))

    def __str__(self) -> str:
        """Write axis 2 without 1 first, 0 last."""
        every = "" if self.step == 1 else f", every {self.step}"
        return f"axis {self.axis} without {self.start} first, {self.end} last{every}"


def _windows(axis: Dim, window: Window) -> Windows:
    """Return a window along one axis, a point along the others."""
    spatial = axis - 2 if type(axis) is int else -1
    return (*[Window()] * spatial, window) if spatial >= 0 else POINT


@final
@dataclass(frozen=True, slots=True)
class Crop(Rearrangement):
    """The first elements of every axis, up to an explicit size: a view.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(64, (Extent(8), Extent(8)))
    >>> print(Crop(Shape(64, (Extent(7), Extent(7)))).output(x))
    64×7×7
    """

    kind: ClassVar[str] = "crop"
    view: ClassVar[bool] = True
    shape: Shape

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; no known size is above the input's."""
        _check_sizes(inputs[0], self.shape, self.shape, inputs[0], str(self))
        return self.shape

    def __str__(self) -> str:
        """Write crop to 64×7×7."""
        return f"crop to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class PadTo(Rearrangement):
    """Zeros at the end of every axis, up to an explicit size: a copy.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> print(PadTo(Shape(64, (Extent(8), Extent(8)))).output(x))
    64×8×8
    """

    kind: ClassVar[str] = "pad_to"
    shape: Shape

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; no known size is below the input's."""
        _check_sizes(inputs[0], self.shape, inputs[0], self.shape, str(self))
        return self.shape

    def __str__(self) -> str:
        """Write pad to 64×8×8."""
        return f"pad to {self.shape}"


def _check_sizes(x: Shape, shape: Shape, small: Shape, large: Shape, what: str) -> None:
    _same_rank(x, shape, "the size")
    for less, more in zip(extents(small), extents(large), strict=True):
        if is_known(less) and is_known(more) and less.base > more.base:
            raise CostModelError(f"{what} does not fit {x}")


@final
@dataclass(frozen=True, slots=True)
class PadAxis(Rearrangement):
    """Zeros before and after, along any axis: a copy.

    >>> from costmodel.algebra.extent import Extent
    >>> print(PadAxis(axis=1, before=0, after=2).output(Shape(6, (Extent(4),))))
    8×4
    """

    kind: ClassVar[str] = "pad_axis"
    axis: Dim
    before: Dim = 0
    after: Dim = 0

    @property
    def window(self) -> Windows | None:
        """See one position, after the padding."""
        return _windows(self.axis, Window(before=self.before, after=self.after))

    def output(self, *inputs: Shape) -> Shape:
        """Return the longer axis."""
        longer = Window(before=self.before, after=self.after)
        extent = along(inputs[0], self.axis).through(longer)
        return replaced(inputs[0], self.axis, extent)

    def __str__(self) -> str:
        """Write pad axis 1 by 0 before, 2 after."""
        return f"pad axis {self.axis} by {self.before} before, {self.after} after"


def _same_rank(x: Shape, shape: Shape, what: str) -> None:
    if rank(x) != rank(shape):
        raise CostModelError(f"{what} {shape} has other axes than {x}")
