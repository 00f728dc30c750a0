"""Operators that put something beside a feature map: around it, or more channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.operators.base import (
    POINT,
    Rearrangement,
    Sizes,
    Windows,
    by,
    slide,
)
from costmodel.network.shape import Shape


_REACH = {"constant": None, "reflect": 1, "replicate": None, "circular": 0}
"""How much longer than the padding a side has to be; None where any side will do."""


@final
@dataclass(frozen=True, slots=True)
class Pad2d(Rearrangement):
    """Zeros around a feature map, as many before and after as each axis asks for.

    Below zero it takes rows and columns away: −1 before and 1 after shift the map.
    Other modes repeat what is there: reflect mirrors the map at its border, replicate
    repeats the border, circular goes on at the other end.
    """

    kind: ClassVar[str] = "pad"
    signed: ClassVar[frozenset[str]] = frozenset({"before", "after"})
    before: Sizes
    after: Sizes
    mode: str = "constant"

    def __post_init__(self) -> None:
        """Check the mode; only zeros may be fewer than none."""
        super(Pad2d, self).__post_init__()
        if self.mode not in _REACH:
            raise CostModelError(
                f'mode "{self.mode}" is unknown; known are {", ".join(_REACH)}'
            )
        added = (*self.before, *self.after)
        if self.mode != "constant" and any(type(n) is int and n < 0 for n in added):
            raise CostModelError(f"{self}: a mode other than constant adds only")

    @property
    def window(self) -> Windows | None:
        """See one position, after the padding."""
        return tuple(
            Window(before=b, after=a)
            for b, a in zip(self.before, self.after, strict=True)
        )

    def output(self, *inputs: Shape) -> Shape:
        """Return the larger or smaller feature map; what is taken away is there."""
        axes = inputs[0].require_axes(len(self.before))
        ends = zip(axes, self.before, self.after, strict=True)
        for extent, *added in ends:
            taken = -sum(min(n, 0) for n in added if type(n) is int)
            if type(extent.base) is int and taken > extent.base:
                raise CostModelError(f"{self} takes more than there is of {inputs[0]}")
            most = max((n for n in added if type(n) is int), default=0)
            reach = _REACH[self.mode]
            if reach is None or type(extent.base) is not int:
                continue
            if extent.base < most + reach:
                raise CostModelError(
                    f"{self} needs a side of {most + reach}, not {extent}"
                )
        return slide(inputs[0], inputs[0].channels, self.window or POINT)

    def __str__(self) -> str:
        """Write pad 1×1 before, 0×0 after, reflect."""
        mode = "" if self.mode == "constant" else f", {self.mode}"
        return f"pad {by(self.before)} before, {by(self.after)} after{mode}"


@final
@dataclass(frozen=True, slots=True)
class PadChannels(Rearrangement):
    """Channels of zeros before and after: ResNet's shortcut of option A.

    **Source**: He et al. 2015, arXiv:1512.03385, section 3.3.
    """

    kind: ClassVar[str] = "pad_channels"
    before: Dim
    after: Dim

    def output(self, *inputs: Shape) -> Shape:
        """Return the same map with more channels."""
        return Shape(
            as_dim(inputs[0].channels + self.before + self.after), inputs[0].spatial
        )

    def __str__(self) -> str:
        """Write pad channels, +16."""
        return f"pad channels, +{self.before + self.after}"
