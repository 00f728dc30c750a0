"""Maps that are made larger or smaller by interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import sympy

from costmodel.algebra.rounding import common_divisor
from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.axes import enlarged
from costmodel.network.flow import AxisFlow, Sampled
from costmodel.network.operators.base import Pair, Stateless, Windowed, by
from costmodel.network.shape import Shape


MODES = {
    "nearest": Tally(),
    "nearest_exact": Tally(),
    "bilinear": Tally(mul=4, add=3),
    "bilinear_corners": Tally(mul=4, add=3),
    "bicubic": Tally(mul=16, add=15),
    "bicubic_corners": Tally(mul=16, add=15),
    "area": Tally(div=1),
}
"""Operations an output: a weighted sum of 2×2 or 4×4 inputs, their weights given.

``…_corners`` keep the corners where they are, and cost the same; ``area`` adds up what
it reads besides, as adaptive pooling does.

**Source**: Keys 1981, "Cubic convolution interpolation for digital image processing",
equation 9 (4 samples an axis); PyTorch, ``torch.nn.functional.interpolate``.
"""


class Resampling(Stateless, Windowed):
    """Another number of rows and columns, each output a weighted sum of inputs."""

    __slots__ = ()
    mode: str

    def __post_init__(self) -> None:
        """Check the mode as well as the numbers."""
        super().__post_init__()
        if self.mode not in MODES:
            raise CostModelError(f"mode {self.mode!r} is none of {', '.join(MODES)}")

    @property
    def window(self) -> tuple[Window, Window] | None:
        """Refuse: the stride is a fraction, and neighbours see different pixels."""
        raise CostModelError(
            "interpolation is no one window: neighbouring positions look at different "
            "numbers of pixels"
        )

    def window_flow(self) -> tuple[AxisFlow, ...]:
        """Return positions that lie between others."""
        return tuple(Sampled(axis, self.mode, is_given=False) for axis in (2, 3))

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the mode's operations an output; area adds up what it reads."""
        operations = MODES[self.mode] * output.numel
        if self.mode != "area":
            return operations
        added = _elements_read(inputs[0], output) - output.numel
        return Tally(add=added, div=output.numel)


def _elements_read(x: Shape, output: Shape) -> Dim:
    """Return how many elements are averaged: n + m − gcd(n, m) along each axis."""
    read = x.channels
    for before, after in zip(x.require_map(), output.require_map(), strict=True):
        n, m = sympy.sympify(before.value), sympy.sympify(after.value)
        multiple = (m / n).is_Integer
        read = read * as_dim(m if multiple else n + m - common_divisor(n, m))
    return read


@final
@dataclass(frozen=True, slots=True)
class Upsample2d(Resampling):
    """A map enlarged by whole factors.

    **Source**: Odena, Dumoulin, Olah 2016, "Deconvolution and Checkerboard Artifacts".

    >>> from costmodel.algebra.extent import Extent
    >>> layer, x = Upsample2d((2, 2), "bilinear"), Shape(8, (Extent(7), Extent(7)))
    >>> print(layer.output(x), layer.tally(layer.output(x), x).mul)
    8×14×14 6272
    """

    kind: ClassVar[str] = "upsample"
    scale: Pair
    mode: str = "nearest"

    def output(self, *inputs: Shape) -> Shape:
        """Return so many times the rows and columns."""
        pairs = zip(inputs[0].require_map(), self.scale, strict=True)
        extents = tuple(enlarged(extent, factor) for extent, factor in pairs)
        return Shape(inputs[0].channels, extents)

    def __str__(self) -> str:
        """Write upsample 2×2, nearest."""
        return f"upsample {by(self.scale)}, {self.mode.replace('_', ' ')}"


@final
@dataclass(frozen=True, slots=True)
class Resize2d(Resampling):
    """A map brought to a size that is given, such as that of another map.

    >>> from costmodel.algebra.extent import Extent
    >>> layer = Resize2d(Shape(8, (Extent(10), Extent(10))), "nearest")
    >>> print(layer.output(Shape(8, (Extent(7), Extent(7)))))
    8×10×10
    """

    kind: ClassVar[str] = "resize"
    shape: Shape
    mode: str

    def output(self, *inputs: Shape) -> Shape:
        """Return the shape that was given; channels stay."""
        inputs[0].require_map()
        self.shape.require_map()
        if not is_equal(inputs[0].channels, self.shape.channels):
            raise CostModelError(
                f"channels differ: {inputs[0]} cannot be resized to {self.shape}"
            )
        return self.shape

    def __str__(self) -> str:
        """Write resize to 64×56×56, bilinear."""
        return f"resize to {self.shape}, {self.mode.replace('_', ' ')}"
