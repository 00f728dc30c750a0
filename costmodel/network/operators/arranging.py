"""Operators that give a tensor another shape or order, or take a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import sympy

from costmodel.algebra.extent import Extent, resolve
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.operators.axes import (
    along,
    extents,
    rank,
    replaced,
    shaped,
)
from costmodel.network.operators.base import Elementwise
from costmodel.network.shape import Shape


class Movement(Elementwise):
    """Elements moved, repeated or left out: no operations, nothing stored."""

    __slots__ = ()

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return no operations."""
        return Tally()


def _same_rank(x: Shape, shape: Shape, what: str) -> None:
    if rank(x) != rank(shape):
        raise CostModelError(f"{what} {shape} has other axes than {x}")


def _is_known(extent: Extent) -> bool:
    return type(extent.base) is int


@final
@dataclass(frozen=True, slots=True)
class Reshape(Movement):
    """The same elements, in the same order, under another shape: a view.

    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> print(Reshape(Shape(64, (Extent(49),))).output(x))
    64×49
    """

    kind: ClassVar[str] = "reshape"
    view: ClassVar[bool] = True
    shape: Shape

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; it has as many elements, where both are known."""
        before, after = (resolve(s.numel) for s in (inputs[0], self.shape))
        known = type(before) is int and type(after) is int
        if known and before != after:
            raise CostModelError(
                f"{inputs[0]} has {before} elements, {self.shape} has {after}"
            )
        return self.shape

    def __str__(self) -> str:
        """Write reshape to 64×49."""
        return f"reshape to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Permute(Movement):
    """The axes in another order, the batch staying in front: a view.

    Output axis i is input axis order[i−1]; (2, 3, 1) puts channels last.

    >>> print(Permute((2, 3, 1)).output(Shape(64, (Extent(7), Extent(5)))))
    7×5×64
    """

    kind: ClassVar[str] = "permute"
    view: ClassVar[bool] = True
    order: tuple[int, ...]

    def output(self, *inputs: Shape) -> Shape:
        """Return the extents in that order, which names every axis once."""
        sides = extents(inputs[0])
        if sorted(self.order) != list(range(1, len(sides) + 1)):
            raise CostModelError(
                f"order {self.order} does not name each axis of {inputs[0]} once"
            )
        return shaped(sides[axis - 1] for axis in self.order)

    def __str__(self) -> str:
        """Write permute to axes 2, 3, 1."""
        return f"permute to axes {', '.join(map(str, self.order))}"


def _repeats(x: Shape, shape: Shape) -> bool:
    """Say whether each axis stays, or was 1, axes being aligned at the last one."""
    pairs = zip(reversed(extents(x)), reversed(extents(shape)), strict=False)
    return rank(x) <= rank(shape) and all(a in (b, Extent(1)) for a, b in pairs)


@final
@dataclass(frozen=True, slots=True)
class Expand(Movement):
    """Sizes of 1 repeated, without a copy: a view that reads its elements again.

    >>> x = Shape(64, (Extent(1), Extent(1)))
    >>> print(Expand(Shape(64, (Extent(7), Extent(7)))).output(x))
    64×7×7
    """

    kind: ClassVar[str] = "expand"
    view: ClassVar[bool] = True
    shape: Shape

    @property
    def window(self) -> tuple[Window, Window] | None:
        """See what the single position sees."""
        return None

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; what was not 1 stays."""
        if not _repeats(inputs[0], self.shape):
            raise CostModelError(f"{inputs[0]} cannot be expanded to {self.shape}")
        return self.shape

    def __str__(self) -> str:
        """Write expand to 64×7×7."""
        return f"expand to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Repeat(Movement):
    """The tensor again and again along some axes: a copy.

    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> print(Repeat(Shape(128, (Extent(7), Extent(7)))).output(x))
    128×7×7
    """

    kind: ClassVar[str] = "repeat"
    shape: Shape

    @property
    def window(self) -> tuple[Window, Window] | None:
        """See positions that lie elsewhere."""
        return None

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; known sizes are multiples of the input's."""
        x = inputs[0]
        if rank(x) > rank(self.shape):
            raise CostModelError(f"{x} cannot be repeated to {self.shape}")
        pairs = zip(reversed(extents(x)), reversed(extents(self.shape)), strict=False)
        for a, b in pairs:
            if _is_known(a) and _is_known(b) and b.base % a.base:
                raise CostModelError(f"{x} cannot be repeated to {self.shape}")
        return self.shape

    def __str__(self) -> str:
        """Write repeat to 128×7×7."""
        return f"repeat to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Select(Movement):
    """A fixed number of elements along an axis, every ``step``-th: a view.

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
    def window(self) -> tuple[Window, Window] | None:
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
class Slice(Movement):
    """An axis without its first and last elements, every ``step``-th: a view.

    n elements become ⌈(n − start − end)/step⌉.

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
    def window(self) -> tuple[Window, Window] | None:
        """See the positions from ``start`` on, if the axis is the image's."""
        return _windows(self.axis, self._along)

    @property
    def _along(self) -> Window:
        return Window(before=-self.start, after=-self.end, stride=self.step)

    def output(self, *inputs: Shape) -> Shape:
        """Return what is left; known sizes leave an element at least."""
        extent = along(inputs[0], self.axis)
        if _is_known(extent) and type(self.start) is type(self.end) is int:
            left = extent.base - self.start - self.end
            if left < 1:
                raise CostModelError(f"{self} leaves nothing of {inputs[0]}")
        return replaced(inputs[0], self.axis, extent.through(self._along))

    def __str__(self) -> str:
        """Write axis 2 without 1 first, 0 last."""
        every = "" if self.step == 1 else f", every {self.step}"
        return f"axis {self.axis} without {self.start} first, {self.end} last{every}"


def _windows(axis: Dim, window: Window) -> tuple[Window, Window]:
    """Return a window along one axis, a point along the others."""
    return window if axis == 2 else Window(), window if axis == 3 else Window()


@final
@dataclass(frozen=True, slots=True)
class Crop(Movement):
    """The first elements of every axis, up to an explicit size: a view.

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
class PadTo(Movement):
    """Zeros at the end of every axis, up to an explicit size: a copy.

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
        if _is_known(less) and _is_known(more) and less.base > more.base:
            raise CostModelError(f"{what} does not fit {x}")


@final
@dataclass(frozen=True, slots=True)
class PadAxis(Movement):
    """Zeros before and after, along any axis: a copy.

    >>> print(PadAxis(axis=1, before=0, after=2).output(Shape(6, (Extent(4),))))
    8×4
    """

    kind: ClassVar[str] = "pad_axis"
    axis: Dim
    before: Dim = 0
    after: Dim = 0

    @property
    def window(self) -> tuple[Window, Window] | None:
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


@final
@dataclass(frozen=True, slots=True)
class Roll(Movement):
    """The elements moved along some axes, the last ones to the front: a copy.

    **Source**: Liu et al. 2021, arXiv:2103.14030, section 3.2 (cyclic shift).
    """

    kind: ClassVar[str] = "roll"

    @property
    def window(self) -> tuple[Window, Window] | None:
        """See positions that lie elsewhere."""
        return None


@final
@dataclass(frozen=True, slots=True)
class Flip(Movement):
    """The elements in reverse along some axes: a copy."""

    kind: ClassVar[str] = "flip"

    @property
    def window(self) -> tuple[Window, Window] | None:
        """See positions that lie elsewhere."""
        return None


@final
@dataclass(frozen=True, slots=True)
class Copy(Movement):
    """The same elements in new memory: clone, contiguous, another number format."""

    kind: ClassVar[str] = "copy"
