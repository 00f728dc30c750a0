"""Operators that move elements between channels and positions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, final

from costmodel.algebra.extent import normal, resolve
from costmodel.algebra.symbols import Dim, as_dim, exact_div
from costmodel.algebra.window import sliding
from costmodel.errors import CostModelError
from costmodel.network.axes import divided, enlarged
from costmodel.network.flow import Fixed, Flow, Merged, Same, Slid, Split
from costmodel.network.operator import Sizes, Windows
from costmodel.network.operators.base import POINT, Rearrangement, by, slide, suffix
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Unfold(Rearrangement):
    """The elements under each window as a column: channels·k_h·k_w × windows.

    A convolution is a product of these columns with its weights (im2col).

    **Source**: Chellapilla, Puri, Simard 2006, "High performance convolutional
    neural networks for document processing", section 3.

    >>> from costmodel.algebra.extent import Extent
    >>> print(Unfold((3, 3)).output(Shape(8, (Extent(6), Extent(5)))))
    72×12
    """

    kind: ClassVar[str] = "unfold"
    kernel: Sizes
    stride: Sizes = (1,)
    padding: Sizes = (0,)
    dilation: Sizes = (1,)

    @property
    def window(self) -> Windows | None:
        """Return the dilated kernel's windows."""
        return tuple(
            map(sliding, self.kernel, self.stride, self.padding, self.dilation)
        )

    def output(self, *inputs: Shape) -> Shape:
        """Return one column per window."""
        slid = slide(inputs[0], inputs[0].channels, self.window or POINT)
        column = as_dim(inputs[0].channels * prod(self.kernel))
        return Shape(column, (normal(resolve(slid.positions), 0, 1),))

    def flow(self, *inputs: Shape) -> Flow:
        """Return channels times taps, and the windows of all axes merged."""
        taps = map(Fixed, self.kernel)
        windows = self.window or POINT
        slid = (
            Slid(axis, along, gap)
            for axis, (along, gap) in enumerate(zip(windows, self.dilation), start=2)
        )
        return Flow((Merged((Same(1), *taps)), Merged(tuple(slid))))

    def __str__(self) -> str:
        """Write unfold 3×3, /2."""
        return f"unfold {by(self.kernel)}{suffix(self.stride, 1, self.dilation)}"


@final
@dataclass(frozen=True, slots=True)
class PixelShuffle(Rearrangement):
    """Each r² channels become r × r positions: C·r² × H × W → C × r·H × r·W, a copy.

    **Source**: Shi et al. 2016, arXiv:1609.05158, equation 4.

    >>> from costmodel.algebra.extent import Extent
    >>> print(PixelShuffle(2).output(Shape(12, (Extent(5), Extent(5)))))
    3×10×10
    """

    kind: ClassVar[str] = "pixel_shuffle"
    factor: Dim

    @property
    def window(self) -> Windows | None:
        """Refuse: neighbouring positions depend on one pixel, with stride 1/r."""
        raise CostModelError(
            "pixel shuffle is no one window: neighbouring positions look at one pixel"
        )

    def output(self, *inputs: Shape) -> Shape:
        """Return r times the height and width, and 1/r² of the channels."""
        inputs[0].require_axes(2)
        r = self.factor
        try:
            channels = exact_div(inputs[0].channels, r * r)
        except CostModelError:
            raise CostModelError(
                f"factor {r}: {r}² does not divide the {inputs[0].channels} channels"
            ) from None
        return Shape(channels, tuple(enlarged(e, r) for e in inputs[0].spatial))

    def flow(self, *inputs: Shape) -> Flow:
        """Return (c i j) h w → c (h i) (w j), where i and j count to r."""
        r = self.factor
        sizes = (exact_div(inputs[0].sizes[0], r * r), r, r)
        channels, down, right = (Split(Same(1), sizes, n, 0) for n in range(3))
        return Flow((channels, Merged((Same(2), down)), Merged((Same(3), right))))

    def __str__(self) -> str:
        """Write pixel shuffle, 2."""
        return f"pixel shuffle, {self.factor}"


@final
@dataclass(frozen=True, slots=True)
class PixelUnshuffle(Rearrangement):
    """Each r × r positions become r² channels: C × r·H × r·W → C·r² × H × W, a copy.

    The factor divides height and width; PyTorch refuses other sizes.

    **Source**: Shi et al. 2016, arXiv:1609.05158, equation 4, inverted.

    >>> from costmodel.algebra.extent import Extent
    >>> print(PixelUnshuffle(2).output(Shape(3, (Extent(10), Extent(10)))))
    12×5×5
    """

    kind: ClassVar[str] = "pixel_unshuffle"
    factor: Dim

    @property
    def window(self) -> Windows | None:
        """Return windows of r × r positions."""
        each = sliding(self.factor, self.factor)
        return each, each

    def output(self, *inputs: Shape) -> Shape:
        """Return 1/r of the height and width, and r² times the channels."""
        inputs[0].require_axes(2)
        r = self.factor
        sides = (divided(e, r, "the side") for e in inputs[0].spatial)
        return Shape(as_dim(inputs[0].channels * r * r), tuple(sides))

    def flow(self, *inputs: Shape) -> Flow:
        """Return c (h i) (w j) → (c i j) h w, where i and j count to r."""
        r, (_, *sides) = self.factor, self.output(*inputs).sizes
        (height, i), (width, j) = (
            [Split(Same(axis), (side, r), part) for part in range(2)]
            for axis, side in enumerate(sides, start=2)
        )
        return Flow((Merged((Same(1), i, j)), height, width))

    def __str__(self) -> str:
        """Write pixel unshuffle, 2."""
        return f"pixel unshuffle, {self.factor}"
