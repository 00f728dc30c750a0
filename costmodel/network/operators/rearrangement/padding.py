"""Padding of a tensor along any of its axes, with zeros or its own elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError, known_are
from costmodel.network.axes import along, rank, replaced
from costmodel.network.flow import Flow, Padded, unchanged
from costmodel.network.operator import Windows
from costmodel.network.operators.base import Rearrangement, by, fitted
from costmodel.network.shape import Shape, names_of


_REACH = {"constant": None, "reflect": 1, "replicate": None, "circular": 0}
"""The least difference of a side and its padding, by mode; None is no limit."""


@final
@dataclass(frozen=True, slots=True)
class Pad(Rearrangement):
    """Padding by so many positions before and after each axis.

    Numbers are in the order of axes, channels first; further axes stay. Channels
    alone are ResNet's shortcut of option A. Negative numbers crop: −1 before and 1
    after shift a feature map. Modes other than zeros repeat elements: reflect mirrors
    the feature map at its border, replicate repeats the border, circular continues at
    the other end.

    **Source**: He et al. 2015, arXiv:1512.03385, section 3.3 (option A).

    >>> x = Shape(6, (Extent(4), Extent(4)))
    >>> print(Pad((0, 1, 1), (0, 2, 2)).output(x), Pad((2,), (8,)).output(x))
    6×7×7 16×4×4
    """

    kind: ClassVar[str] = "pad"
    defaults: ClassVar[Mapping[str, Any]] = {"value": 0}
    before: tuple[Dim, ...]
    after: tuple[Dim, ...]
    mode: str = "constant"

    def __post_init__(self) -> None:
        """Check the mode; only padding with zeros may be negative, and no channels."""
        super(Pad, self).__post_init__()
        if len(self.before) != len(self.after) or not self.before:
            raise CostModelError(
                f"before {self.before} and after {self.after} are of other axes"
            )
        for name, (channels, *_) in (("before", self.before), ("after", self.after)):
            if type(channels) is int and channels < 0:
                raise CostModelError(f"{name} {channels} is below 0")
        if self.mode not in _REACH:
            known = known_are(self.mode, _REACH)
            raise CostModelError(f'mode "{self.mode}" is unknown; {known}')
        added = (*self.before, *self.after)
        if self.mode != "constant" and any(type(n) is int and n < 0 for n in added):
            raise CostModelError(f"{self}: a mode other than constant adds only")

    @property
    def windows(self) -> dict[int, Window]:
        """The window of each axis that changes, by its number."""
        ends = enumerate(zip(self.before, self.after, strict=True), start=1)
        return {
            axis: Window(before=before, after=after)
            for axis, (before, after) in ends
            if (before, after) != (0, 0)
        }

    @property
    def window(self) -> Windows | None:
        """Return windows of one position, shifted by the padding."""
        windows = self.windows
        axes = range(2, max(windows, default=1) + 1)
        return tuple(windows.get(axis, Window()) for axis in axes)

    def output(self, *inputs: Shape) -> Shape:
        """Return the padded or cropped shape."""
        shape = inputs[0]
        if len(self.before) == 3 > rank(shape):
            shape.require_axes(2)
        if len(self.before) > rank(shape):
            raise CostModelError(f"{self} has more axes than {shape}")
        for axis, window in self.windows.items():
            extent = along(shape, axis)
            self._check(extent, window, inputs[0])
            side = fitted(inputs[0], names_of(shape)[axis - 1], extent, window)
            shape = replaced(shape, axis, side)
        return shape

    def _check(self, extent: Extent, window: Window, x: Shape) -> None:
        """Refuse to crop, or to mirror, more than there is."""
        if type(extent.base) is not int:
            return
        known = [n for n in (window.before, window.after) if type(n) is int]
        if -sum(min(n, 0) for n in known) > extent.base:
            raise CostModelError(f"{self} takes more than there is of {x}")
        reach = _REACH[self.mode]
        if reach is not None and extent.base < max(known, default=0) + reach:
            side = max(known, default=0) + reach
            raise CostModelError(f"{self} needs a side of {side}, not {extent}")

    def flow(self, *inputs: Shape) -> Flow:
        """Return padded axes; those without padding are unchanged."""
        border = "zeros" if self.mode == "constant" else self.mode
        axes = list(unchanged(rank(inputs[0])).axes)
        for axis, window in self.windows.items():
            held = (("before", axis - 1), ("after", axis - 1))
            axes[axis - 1] = Padded(axis, window.before, window.after, border, held)
        return Flow(tuple(axes))

    def __str__(self) -> str:
        """Write pad 1×1 before, 0×0 after, reflect; or pad channels, +16."""
        mode = "" if self.mode == "constant" else f", {self.mode}"
        channels = self.before[0] + self.after[0]
        if len(self.before) == 1:
            return f"pad channels, +{channels}{mode}"
        more = "" if channels == 0 else f"channels, +{channels}, and "
        before, after = by(self.before[1:]), by(self.after[1:])
        return f"pad {more}{before} before, {after} after{mode}"
