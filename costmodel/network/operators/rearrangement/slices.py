"""Slicing, cropping, and padding to a given size, along any axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import sympy

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.axes import along, extents, rank, replaced
from costmodel.network.flow import Flow, Padded, Part, Same, unchanged
from costmodel.network.operator import Windows
from costmodel.network.operators.base import POINT, Rearrangement
from costmodel.network.operators.rearrangement.views import is_known
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Slice(Rearrangement):
    """A slice of one axis, every ``step``-th element from ``start`` on: a view.

    It has ``length`` elements; or the last ``end`` are left out, and n elements
    become ⌈(n − start − end)/step⌉. A slice of channels is a channel split.

    **Source**: Ma et al. 2018, arXiv:1807.11164, section 3 (channel split).

    >>> from costmodel.algebra.extent import Extent
    >>> from costmodel.algebra.symbols import H
    >>> print(Slice(axis=1, length=1).output(Shape(197, (Extent(768),))))
    1×768
    >>> Slice(axis=2, start=1, step=2).output(Shape(3, (Extent(H),))).spatial[0]
    Extent(base=H, offset=0, stride=2)
    """

    kind: ClassVar[str] = "slice"
    view: ClassVar[bool] = True
    allow_zero: ClassVar[frozenset[str]] = frozenset({"start", "end"})
    axis: Dim
    start: Dim = 0
    end: Dim = 0
    length: Dim | None = None
    step: Dim = 1

    def __post_init__(self) -> None:
        """Check that only one of length and end is given."""
        super(Slice, self).__post_init__()
        if self.length is not None and self.end != 0:
            raise CostModelError(
                f"length {self.length} and end {self.end}: a part has one of them"
            )

    @property
    def window(self) -> Windows | None:
        """Return windows shifted by ``start``, if the axis is a spatial one."""
        return _windows(self.axis, self._along)

    @property
    def _along(self) -> Window:
        return Window(before=-self.start, after=-self.end, stride=self.step)

    def output(self, *inputs: Shape) -> Shape:
        """Return the shape of the slice, which has one element or more."""
        extent = along(inputs[0], self.axis)
        if self.length is not None:
            needed = self.start + self.step * (self.length - 1) + 1
            if sympy.sympify(extent.value - needed).is_negative:
                raise CostModelError(f"{self} are not all among {self._of(inputs[0])}")
            return replaced(inputs[0], self.axis, along(Shape(self.length), 1))
        if is_known(extent) and type(self.start) is type(self.end) is int:
            left = extent.base - self.start - self.end
            if left < 1:
                raise CostModelError(f"{self} leaves nothing of {inputs[0]}")
        return replaced(inputs[0], self.axis, extent.through(self._along))

    def _of(self, x: Shape) -> str:
        return f"the {x.channels} of {x}" if self.axis == 1 else f"those of {x}"

    def flow(self, *inputs: Shape) -> Flow:
        """Return a part of the axis, the others unchanged."""
        counted = self.length is not None
        held = ("start", "length", None) if counted else ("start", None, "end")
        part = Part(int(self.axis), self.start, self.step, self.end, held)
        axes = list(unchanged(rank(inputs[0])).axes)
        axes[part.axis - 1] = part
        return Flow(tuple(axes))

    def __str__(self) -> str:
        """Write channels 58 to 115, counted from 0; else 1 of axis 2 from 0."""
        every = "" if self.step == 1 else f" every {self.step}"
        if self.length is None:
            ends = f"{self.start} first, {self.end} last"
            return f"axis {self.axis} without {ends}{every and ','}{every}"
        if self.axis == 1 and self.step == 1:
            return f"channels {self.start} to {self.start + self.length - 1}"
        return f"{self.length} of axis {self.axis} from {self.start}{every}"


def _windows(axis: Dim, window: Window) -> Windows:
    """Return a window along one axis, single positions along the others."""
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

    def flow(self, *inputs: Shape) -> Flow:
        """Return a part of every axis that gets shorter."""
        sides = zip(extents(inputs[0]), extents(self.shape), strict=True)
        axes = enumerate(sides, start=1)
        return Flow(tuple(Same(n) if a == b else Part(n) for n, (a, b) in axes))

    def __str__(self) -> str:
        """Write crop to 64×7×7."""
        return f"crop to {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class PadTo(Rearrangement):
    """Padding of every axis to an explicit size, with zeros at its end: a copy.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> print(PadTo(Shape(64, (Extent(8), Extent(8)))).output(x))
    64×8×8
    """

    kind: ClassVar[str] = "pad_to"
    defaults: ClassVar[Mapping[str, Any]] = {"value": 0, "before": 0}
    """``before`` says how much of it is in front: 0, ``"half"`` of it rounded down,
    ``"most"`` rounded up, or ``"all"``."""
    shape: Shape

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape; no known size is below the input's."""
        _check_sizes(inputs[0], self.shape, inputs[0], self.shape, str(self))
        return self.shape

    def flow(self, *inputs: Shape) -> Flow:
        """Return every axis that gets longer padded at its end."""
        sides = zip(extents(inputs[0]), extents(self.shape), strict=True)
        return Flow(tuple(
            Same(axis) if a == b else Padded(axis, 0, as_dim(b.value - a.value))
            for axis, (a, b) in enumerate(sides, start=1)
        ))  # fmt: skip

    def __str__(self) -> str:
        """Write pad to 64×8×8."""
        return f"pad to {self.shape}"


def _check_sizes(x: Shape, shape: Shape, small: Shape, large: Shape, what: str) -> None:
    _same_rank(x, shape, "the size")
    for less, more in zip(extents(small), extents(large), strict=True):
        if is_known(less) and is_known(more) and less.base > more.base:
            raise CostModelError(f"{what} does not fit {x}")


def _same_rank(x: Shape, shape: Shape, what: str) -> None:
    if rank(x) != rank(shape):
        raise CostModelError(f"{what} {shape} has other axes than {x}")
