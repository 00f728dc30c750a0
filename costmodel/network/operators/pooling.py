"""Pooling: reductions over a window, or over all positions, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from operator import attrgetter
from typing import Any, ClassVar, final

import sympy

from costmodel.algebra.extent import Extent
from costmodel.algebra.rounding import common_divisor
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import sliding
from costmodel.errors import CostModelError
from costmodel.network.flow import AxisFlow, Sampled
from costmodel.network.operator import Pair, Sizes, Weight, Weights, Windows
from costmodel.network.operators.base import (
    POINT,
    Stateless,
    Windowed,
    are_all,
    by,
    slide,
    suffix,
)
from costmodel.network.shape import Shape


_SLIDING = attrgetter("kernel", "stride", "padding")


class Pool(Stateless, Windowed):
    """A reduction over a sliding window, each channel by itself.

    The fields ``kernel``, ``stride`` and ``padding`` define the window, with
    ``dilation`` and ``ceil_mode`` if the class has them.
    """

    __slots__ = ()

    @property
    def window(self) -> Windows | None:
        """Return the kernel's windows; ceil_mode pads the end."""
        sizes: tuple[Sizes, ...] = _SLIDING(self)
        if dilation := getattr(self, "dilation", None):
            sizes = (*sizes, dilation)
        ceil_mode = getattr(self, "ceil_mode", False)
        axes = zip(*sizes, strict=True)
        return tuple(sliding(*axis, ceil_mode=ceil_mode) for axis in axes)

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's channels at the windows' positions."""
        kernel, _, padding = _SLIDING(self)
        _check_pool(kernel, padding)
        return slide(inputs[0], inputs[0].channels, self.window or POINT)


def _check_pool(kernel: Sizes, padding: Sizes) -> None:
    """Refuse a padding that PyTorch refuses: over half the kernel."""
    for k, p in zip(kernel, padding, strict=True):
        if type(k) is int and type(p) is int and 2 * p > k:
            raise CostModelError(
                f"padding {by(padding)} is over half of the kernel {by(kernel)}"
            )


@final
@dataclass(frozen=True, slots=True)
class MaxPool(Pool):
    """The maximum of the elements under a window."""

    kind: ClassVar[str] = "max_pool"
    kernel: Sizes
    stride: Sizes
    padding: Sizes = (0,)
    dilation: Sizes = (1,)
    ceil_mode: bool = False

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return k_h·k_w − 1 comparisons per output."""
        return Tally(compare=(prod(self.kernel) - 1) * output.numel)

    def __str__(self) -> str:
        """Write 3×3 max pool, /2."""
        return f"{by(self.kernel)} max pool{suffix(self.stride, 1, self.dilation)}"


@final
@dataclass(frozen=True, slots=True)
class AvgPool(Pool):
    """The mean of the elements under a window."""

    kind: ClassVar[str] = "avg_pool"
    defaults: ClassVar[Mapping[str, Any]] = {"divisor_override": None}
    kernel: Sizes
    stride: Sizes
    padding: Sizes = (0,)
    ceil_mode: bool = False
    count_include_pad: bool = True

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's channels at the windows' positions."""
        _check_pool(self.kernel, self.padding)
        self._check_volume(inputs[0])
        return slide(inputs[0], inputs[0].channels, self.window or POINT)

    def _check_volume(self, x: Shape) -> None:
        """Refuse a volume smaller than the kernel, as PyTorch does even if padded.

        **Source**: PyTorch, ``aten/src/ATen/native/Pool.h``, ``pool3d_shape_check``.
        """
        for extent, kernel in (
            zip(x.spatial, self.kernel) if len(self.kernel) > 2 else ()
        ):
            if type(extent.base) is type(kernel) is int and extent.base < kernel:
                raise CostModelError(
                    f"input {x} is too small: PyTorch takes the mean of a volume under "
                    f"{by(self.kernel)} where it is at least that large"
                )

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return k_h·k_w − 1 additions and one division per output."""
        count = output.numel
        return Tally(add=(prod(self.kernel) - 1) * count, div=count)

    def __str__(self) -> str:
        """Write 2×2 avg pool, /2."""
        return f"{by(self.kernel)} avg pool{suffix(self.stride)}"


@final
@dataclass(frozen=True, slots=True)
class Subsample2d(Windowed):
    """LeNet-5's subsampling: a window's sum, times a coefficient, plus a bias.

    y = w_c · Σ x + b_c: two learned numbers per channel. Windows do not overlap.

    **Source**: LeCun, Bottou, Bengio, Haffner 1998, section II.B, layers S2 and S4.
    """

    kind: ClassVar[str] = "subsample"
    kernel: Pair = (2, 2)

    @property
    def window(self) -> Windows | None:
        """Return windows whose stride is the kernel."""
        return tuple(sliding(k, k) for k in self.kernel)

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's channels at the windows' positions."""
        return slide(inputs[0], inputs[0].channels, self.window or POINT)

    def weights(self, *inputs: Shape) -> Weights:
        """Return one coefficient and one bias per channel."""
        each = Weight((inputs[0].channels,))
        return {"weight": each, "bias": each}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return k_h·k_w additions and one multiplication per output."""
        count = output.numel
        return Tally(add=self.kernel[0] * self.kernel[1] * count, mul=count)

    def connections(self, tally: Tally) -> Dim:
        """Return each unit's inputs and its bias, as its paper counts them."""
        return tally.add + tally.mul

    def __str__(self) -> str:
        """Write 2×2 subsampling."""
        return f"{by(self.kernel)} subsampling"


class AdaptivePool(Pool):
    """Pooling over windows that adapt to the input, to a fixed output size."""

    __slots__ = ()
    size: Sizes
    word: ClassVar[str]

    @property
    def window(self) -> Windows | None:
        """Return None: the whole input, since the windows differ."""
        return None

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's channels at the fixed size."""
        inputs[0].require_axes(len(self.size))
        return Shape(inputs[0].channels, tuple(Extent(m) for m in self.size))

    @property
    def is_global(self) -> bool:
        """True if one window covers all positions."""
        return are_all(self.size, 1)

    def window_flow(self) -> tuple[AxisFlow, ...]:
        """Return positions sampled from the whole axis."""
        return tuple(Sampled(axis + 2) for axis in range(len(self.size)))

    def elements_read(self, x: Shape) -> Dim:
        """Return how many elements the windows read: Σ of their areas.

        Along an axis of n positions, m windows ⌊i·n/m⌋ … ⌈(i+1)·n/m⌉ read
        n + m − gcd(n, m) positions: neighbours share one where i·n/m is not whole.
        """
        if self.is_global:
            return x.numel
        read: Dim = x.channels
        for extent, m in zip(x.require_axes(len(self.size)), self.size, strict=True):
            n = extent.atom
            shared = common_divisor(sympy.sympify(n), sympy.sympify(m))
            read = read * as_dim(n + m - shared)
        return read

    def __str__(self) -> str:
        """Write global avg pool, or adaptive avg pool, 7×7."""
        if self.is_global:
            return f"global {self.word} pool"
        return f"adaptive {self.word} pool, {by(self.size)}"


@final
@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool(AdaptivePool):
    """Means over windows that adapt to a fixed output size; 1×1 is global pooling.

    **Source**: Lin, Chen, Yan 2013, arXiv:1312.4400, section 3.2 (global pooling).
    """

    kind: ClassVar[str] = "adaptive_avg_pool"
    word: ClassVar[str] = "avg"
    size: Sizes = (1, 1)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return n − 1 additions and one division per output, of n elements read."""
        read = self.elements_read(inputs[0])
        return Tally(add=read - output.numel, div=output.numel)


@final
@dataclass(frozen=True, slots=True)
class AdaptiveMaxPool(AdaptivePool):
    """Maxima over windows that adapt to a fixed output size."""

    kind: ClassVar[str] = "adaptive_max_pool"
    word: ClassVar[str] = "max"
    size: Sizes = (1, 1)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return n − 1 comparisons per output, of n elements read."""
        return Tally(compare=self.elements_read(inputs[0]) - output.numel)
