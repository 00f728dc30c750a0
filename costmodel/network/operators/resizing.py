"""Resizing of feature maps by interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import sympy

from costmodel.algebra.rounding import common_divisor
from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.axes import enlarged
from costmodel.network.flow import AxisFlow, Sampled
from costmodel.network.operator import Sizes, Windows
from costmodel.network.operators.base import Stateless, Windowed, by
from costmodel.network.shape import AXES, Shape


MODES = {
    "nearest": Tally(),
    "nearest_exact": Tally(),
    "linear": Tally(mul=2, add=1),
    "linear_corners": Tally(mul=2, add=1),
    "bilinear": Tally(mul=4, add=3),
    "bilinear_corners": Tally(mul=4, add=3),
    "trilinear": Tally(mul=8, add=7),
    "trilinear_corners": Tally(mul=8, add=7),
    "bicubic": Tally(mul=16, add=15),
    "bicubic_corners": Tally(mul=16, add=15),
    "area": Tally(div=1),
}
"""Operations per output: a weighted sum of 2×2 or 4×4 inputs, their weights given.

Linear takes 2 inputs along one axis, trilinear 2×2×2 along three.

``…_corners`` align the corners, and cost the same; ``area`` also adds the elements
that it reads, as adaptive pooling does.

**Source**: Keys 1981, "Cubic convolution interpolation for digital image processing",
equation 9 (4 samples per axis); PyTorch, ``torch.nn.functional.interpolate``.
"""


_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
"""The number of axes that a mode is for; other modes are for any."""


def modes_of(axes: int) -> tuple[str, ...]:
    """Return the modes for so many axes.

    >>> modes_of(1)
    ('nearest', 'nearest_exact', 'linear', 'linear_corners', 'area')
    """
    return tuple(mode for mode in MODES if _AXES.get(_name(mode), axes) == axes)


def _name(mode: str) -> str:
    return mode.removesuffix("_corners")


@final
@dataclass(frozen=True, slots=True)
class Resize(Stateless, Windowed):
    """Interpolation to another size, each output a weighted sum of inputs.

    A feature map is enlarged by whole factors, ``scale``, or brought to the size of a
    given ``shape``, such as that of another feature map.

    **Source**: Odena, Dumoulin, Olah 2016, "Deconvolution and Checkerboard Artifacts".

    >>> from costmodel.algebra.extent import Extent
    >>> layer, x = Resize("bilinear", scale=(2, 2)), Shape(8, (Extent(7), Extent(7)))
    >>> print(layer.output(x), layer.tally(layer.output(x), x).mul)
    8×14×14 6272
    >>> print(Resize("nearest", shape=Shape(8, (Extent(10), Extent(10)))).output(x))
    8×10×10
    """

    kind: ClassVar[str] = "resize"
    defaults: ClassVar[Mapping[str, Any]] = {"scale_factor": None, "antialias": False}
    mode: str = "nearest"
    scale: Sizes | None = None
    shape: Shape | None = None

    def __post_init__(self) -> None:
        """Check the mode as well as the numbers, and that one size is given."""
        super(Resize, self).__post_init__()
        if self.mode not in MODES:
            raise CostModelError(f"mode {self.mode!r} is none of {', '.join(MODES)}")
        if (self.scale is None) == (self.shape is None):
            raise CostModelError("resize takes either a scale or a shape")

    @property
    def window(self) -> Windows | None:
        """Refuse: the stride is a fraction, and windows of neighbours differ."""
        raise CostModelError(
            "interpolation is no one window: neighbouring positions look at different "
            "numbers of pixels"
        )

    def window_flow(self) -> tuple[AxisFlow, ...]:
        """Return positions sampled between those of the input."""
        given = self.scale if self.shape is None else self.shape.spatial
        axes = range(2, 2 + len(given or ()))
        return tuple(Sampled(axis, self.mode, is_given=False) for axis in axes)

    def output(self, *inputs: Shape) -> Shape:
        """Return the scaled sides, or the given shape."""
        x = inputs[0]
        if self.shape is not None:
            return self._given(x, self.shape)
        scale = self.scale or ()
        sides = x.require_axes(len(scale))
        self._check_mode(len(scale))
        extents = (enlarged(e, factor) for e, factor in zip(sides, scale, strict=True))
        return Shape(x.channels, tuple(extents))

    def _given(self, x: Shape, shape: Shape) -> Shape:
        """Return the given shape, whose channels are the input's."""
        axes = len(shape.spatial) if len(shape.spatial) in AXES else 2
        x.require_axes(axes)
        shape.require_axes(axes)
        self._check_mode(axes)
        if not is_equal(x.channels, shape.channels):
            raise CostModelError(f"channels differ: {x} cannot be resized to {shape}")
        return shape

    def _check_mode(self, axes: int) -> None:
        """Refuse a mode for another number of axes, as PyTorch does."""
        if self.mode not in modes_of(axes):
            many = _AXES[_name(self.mode)]
            raise CostModelError(f"mode {self.mode!r} is for {many} axes, not {axes}")

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the mode's operations per output, with area's sums."""
        operations = MODES[self.mode] * output.numel
        if self.mode != "area":
            return operations
        added = _elements_read(inputs[0], output) - output.numel
        return Tally(add=added, div=output.numel)

    def __str__(self) -> str:
        """Write upsample 2×2, nearest, or resize to 64×56×56, bilinear."""
        what = f"upsample {by(self.scale)}" if self.scale else f"resize to {self.shape}"
        return f"{what}, {self.mode.replace('_', ' ')}"


def _elements_read(x: Shape, output: Shape) -> Dim:
    """Return the number of elements averaged: n + m − gcd(n, m) along each axis."""
    read = x.channels
    for before, after in zip(x.spatial, output.spatial, strict=True):
        n, m = sympy.sympify(before.value), sympy.sympify(after.value)
        multiple = (m / n).is_Integer
        read = read * as_dim(m if multiple else n + m - common_divisor(n, m))
    return read
