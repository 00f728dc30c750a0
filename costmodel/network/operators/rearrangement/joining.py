"""Concatenation, flattening, zeros, and channel shuffle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim, exact_div
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.axes import along, rank, replaced, total
from costmodel.network.axis_groups import regrouped
from costmodel.network.flow import (
    Flow,
    Joined,
    Merged,
    New,
    Same,
    Slid,
    Split,
    elementwise,
    unchanged,
)
from costmodel.network.operator import Sizes, Windows
from costmodel.network.operators.base import POINT, Rearrangement, Source, slide, suffix
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Concat(Rearrangement):
    """Concatenation of tensors along an axis, by default the channels: a copy.

    All other axes are equal. Axes have PyTorch's numbers; the batch is axis 0.
    """

    kind: ClassVar[str] = "concat"
    arity: ClassVar[tuple[int, int | None]] = (2, None)
    axis: Dim = 1

    @property
    def window(self) -> Windows | None:
        """Return the windows of a single position, or None if positions move."""
        return POINT if self.axis == 1 else None

    def output(self, *inputs: Shape) -> Shape:
        """Return the sum along the axis."""
        first, one = inputs[0], Extent(1)
        common = replaced(first, self.axis, one)
        for other in inputs[1:]:
            if len(other.spatial) != len(first.spatial) or not common.same_as(
                replaced(other, self.axis, one)
            ):
                raise CostModelError(
                    f"branches differ in size: {first} and {other}; "
                    "did one use a stride?"
                )
        if self.axis == 1:
            channels = sum(x.channels for x in inputs)
            return Shape(as_dim(channels), first.spatial)
        return replaced(first, self.axis, total([along(x, self.axis) for x in inputs]))

    def flow(self, *inputs: Shape) -> Flow:
        """Return the operands concatenated along the axis, the other axes together."""
        axes = list(elementwise(*[inputs[0]] * len(inputs)).axes)
        parts = tuple(Same(int(self.axis), number) for number in range(len(inputs)))
        axes[int(self.axis) - 1] = Joined(parts)
        return Flow(tuple(axes))


@final
@dataclass(frozen=True, slots=True)
class Flatten(Rearrangement):
    """A feature map as one long vector."""

    kind: ClassVar[str] = "flatten"
    view: ClassVar[bool] = True

    def output(self, *inputs: Shape) -> Shape:
        """Return a vector of all elements."""
        return Shape(as_dim(inputs[0].numel))

    def flow(self, *inputs: Shape) -> Flow:
        """Return all axes merged into one."""
        return regrouped(inputs[0], self.output(inputs[0]))


@final
@dataclass(frozen=True, slots=True)
class Zeros(Source):
    """Zeros in the place of a feature map: the missing connection of a searched cell.

    **Source**: Liu, Simonyan, Yang 2018, arXiv:1806.09055, section 3.1.1.
    """

    kind: ClassVar[str] = "zeros"
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    channels: Dim
    stride: Sizes = (1, 1)

    @property
    def window(self) -> Windows | None:
        """Return windows of one position, with the stride."""
        return tuple(Window(stride=step) for step in self.stride)

    def output(self, *inputs: Shape) -> Shape:
        """Return the channels at the strided positions."""
        return slide(inputs[0], self.channels, self.window or POINT)

    def flow(self, *inputs: Shape) -> Flow:
        """Return new channels at the strided positions."""
        sides = enumerate(self.window or POINT, start=2)
        return Flow((New("channels"), *(Slid(axis, along) for axis, along in sides)))

    def __str__(self) -> str:
        """Write zeros, 16, /2."""
        return f"zeros, {self.channels}{suffix(self.stride)}"


@final
@dataclass(frozen=True, slots=True)
class ChannelShuffle(Rearrangement):
    """Channels interleaved across groups, so that grouped layers mix all of them.

    With g groups of n channels each, channel i·n + j becomes channel j·g + i.

    **Source**: Zhang et al. 2017, arXiv:1707.01083, section 3.1.
    """

    kind: ClassVar[str] = "channel_shuffle"
    groups: Dim

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; the groups divide its channels."""
        try:
            exact_div(inputs[0].channels, self.groups)
        except CostModelError:
            raise CostModelError(
                f"groups {self.groups} do not divide the {inputs[0].channels} channels"
            ) from None
        return inputs[0]

    def flow(self, *inputs: Shape) -> Flow:
        """Return (g n) h w → (n g) h w."""
        each = exact_div(inputs[0].sizes[0], self.groups)
        group, member = (Split(Same(1), (self.groups, each), n, 1) for n in range(2))
        return Flow((Merged((member, group)), *unchanged(rank(inputs[0])).axes[1:]))

    def __str__(self) -> str:
        """Write channel shuffle, groups 3."""
        return f"channel shuffle, groups {self.groups}"
