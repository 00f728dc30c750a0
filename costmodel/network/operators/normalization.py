"""Normalizations by statistics of the sample itself: layer, RMS, group, instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from costmodel.algebra.symbols import Dim, exact_div
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.axes import others, rank
from costmodel.network.flow import Flow, Mixed, Same
from costmodel.network.operator import Weight, Weights
from costmodel.network.operators.base import Normalization
from costmodel.network.shape import AXES, Shape


def standardized(output: Shape, groups: Dim, *, scale: bool, shift: bool) -> Tally:
    """Return the operations of y = (x − μ)/√(σ² + ε)·γ + β over so many groups.

    Per element: two sums, the centring and the shift are additions; the square, the
    reciprocal root and the scale are multiplications. Per group: each sum needs one
    addition less, ε one more; two means and a reciprocal are divisions.
    """
    each = output.numel
    return Tally(
        add=(3 + shift) * each - groups,
        mul=(2 + scale) * each,
        div=3 * groups,
        exp=groups,
    )


def _last_axes(shape: Shape, count: Dim) -> range:
    axes = rank(shape)
    if type(count) is not int or count > axes:
        raise CostModelError(f"the last {count} axes of {shape}, which has {axes}")
    return range(axes - count + 1, axes + 1)


def last_sizes(shape: Shape, count: Dim) -> tuple[Dim, ...]:
    """Return the sizes of the last axes, the shape of γ and β."""
    return tuple(shape.sizes[axis - 1] for axis in _last_axes(shape, count))


def _mixed(x: Shape, axes: range) -> Flow:
    """Return the flow of a normalization over some axes."""
    every = range(1, rank(x) + 1)
    return Flow(tuple(Mixed(n) if n in axes else Same(n) for n in every))


@final
@dataclass(frozen=True, slots=True)
class LayerNorm(Normalization):
    """Layer normalization over the last axes, y = γ·(x − μ)/√(σ² + ε) + β.

    Each position of the other axes has its own μ and σ; γ and β have the normalized
    axes' shape.

    **Source**: Ba, Kiros, Hinton 2016, arXiv:1607.06450, equation 4.

    >>> from costmodel.algebra.extent import Extent
    >>> tokens = Shape(197, (Extent(768),))
    >>> LayerNorm(axes=1).weights(tokens)["weight"].shape
    (768,)
    >>> LayerNorm(axes=1).tally(tokens, tokens).exp
    197
    """

    kind: ClassVar[str] = "layer_norm"
    defaults: ClassVar[Mapping[str, Any]] = {"eps": 1e-5}
    axes: Dim = 1
    affine: bool = True
    bias: bool = True

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; it has that many axes."""
        _last_axes(inputs[0], self.axes)
        return inputs[0]

    def weights(self, *inputs: Shape) -> Weights:
        """Return γ and β, each of the normalized axes' shape."""
        each = Weight(last_sizes(inputs[0], self.axes))
        learned = {"weight": each, "bias": each} if self.bias else {"weight": each}
        return learned if self.affine else {}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the operations of as many groups as there are other positions."""
        groups = others(output, _last_axes(output, self.axes))
        shift = self.affine and self.bias
        return standardized(output, groups, scale=self.affine, shift=shift)

    def flow(self, *inputs: Shape) -> Flow:
        """Return each of the last axes mixed."""
        return _mixed(inputs[0], _last_axes(inputs[0], self.axes))

    def __str__(self) -> str:
        """Write layer norm, or layer norm, 3 axes."""
        return "layer norm" if self.axes == 1 else f"layer norm, {self.axes} axes"


@final
@dataclass(frozen=True, slots=True)
class RMSNorm(Normalization):
    """Normalization by the root mean square over the last axes, y = γ·x/√(x̄² + ε).

    **Source**: Zhang & Sennrich 2019, arXiv:1910.07467, equation 4.

    >>> from costmodel.algebra.extent import Extent
    >>> tokens = Shape(197, (Extent(768),))
    >>> RMSNorm(axes=1).tally(tokens, tokens).mul == 3 * 197 * 768
    True
    """

    kind: ClassVar[str] = "rms_norm"
    defaults: ClassVar[Mapping[str, Any]] = {"eps": None}
    axes: Dim = 1
    affine: bool = True

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; it has that many axes."""
        _last_axes(inputs[0], self.axes)
        return inputs[0]

    def weights(self, *inputs: Shape) -> Weights:
        """Return γ, of the normalized axes' shape."""
        each = Weight(last_sizes(inputs[0], self.axes))
        return {"weight": each} if self.affine else {}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Square, sum and scale per element; mean, ε, root and reciprocal per group."""
        groups = others(output, _last_axes(output, self.axes))
        each = output.numel
        return Tally(add=each, mul=(2 + self.affine) * each, div=2 * groups, exp=groups)

    def flow(self, *inputs: Shape) -> Flow:
        """Return each of the last axes mixed."""
        return _mixed(inputs[0], _last_axes(inputs[0], self.axes))

    def __str__(self) -> str:
        """Write rms norm, or rms norm, 3 axes."""
        return "rms norm" if self.axes == 1 else f"rms norm, {self.axes} axes"


@final
@dataclass(frozen=True, slots=True)
class GroupNorm(Normalization):
    """Group normalization: μ and σ over the channels of a group, and all positions.

    **Source**: Wu & He 2018, arXiv:1803.08494, equations 1 to 3.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> GroupNorm(groups=32).tally(x, x).exp
    32
    """

    kind: ClassVar[str] = "group_norm"
    defaults: ClassVar[Mapping[str, Any]] = {"eps": 1e-5}
    groups: Dim
    affine: bool = True

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; the groups divide its channels."""
        try:
            exact_div(inputs[0].channels, self.groups)
        except CostModelError:
            raise CostModelError(
                f"groups {self.groups} do not divide the {inputs[0].channels} channels"
            ) from None
        return inputs[0]

    def weights(self, *inputs: Shape) -> Weights:
        """Return γ and β, one per channel."""
        each = Weight((inputs[0].channels,))
        return {"weight": each, "bias": each} if self.affine else {}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the operations of so many groups."""
        affine = self.affine
        return standardized(output, self.groups, scale=affine, shift=affine)

    def flow(self, *inputs: Shape) -> Flow:
        """Return the channels mixed in groups, and all positions."""
        spatial = map(Mixed, range(2, rank(inputs[0]) + 1))
        return Flow((Mixed(1, self.groups), *spatial))

    def __str__(self) -> str:
        """Write group norm, 32."""
        return f"group norm, {self.groups}"


@final
@dataclass(frozen=True, slots=True)
class InstanceNorm(Normalization):
    """Instance normalization: μ and σ of each channel of each sample, by itself.

    It keeps no running statistics, as PyTorch's default.

    **Source**: Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022, equation 2.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(64, (Extent(7), Extent(7)))
    >>> InstanceNorm().tally(x, x).exp
    64
    """

    kind: ClassVar[str] = "instance_norm"
    defaults: ClassVar[Mapping[str, Any]] = {"eps": 1e-5}
    affine: bool = False

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; it must be a feature map, of 1 to 3 axes."""
        if len(inputs[0].spatial) not in AXES:
            inputs[0].require_axes(2)
        return inputs[0]

    def weights(self, *inputs: Shape) -> Weights:
        """Return γ and β, one per channel."""
        each = Weight((inputs[0].channels,))
        return {"weight": each, "bias": each} if self.affine else {}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the operations of one group per channel."""
        groups, affine = output.channels, self.affine
        return standardized(output, groups, scale=affine, shift=affine)

    def flow(self, *inputs: Shape) -> Flow:
        """Return all positions mixed."""
        return _mixed(inputs[0], range(2, rank(inputs[0]) + 1))
