"""Transposed convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from costmodel.algebra.symbols import Dim, exact_div
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import sliding
from costmodel.errors import CostModelError
from costmodel.network.axes import enlarged
from costmodel.network.flow import AxisFlow, Mixed, Scattered
from costmodel.network.operator import Sizes, Weight, Weights, Windows
from costmodel.network.operators.base import Weighted, Windowed, are_all, by, suffix
from costmodel.network.operators.layers import check_groups
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class ConvTranspose(Weighted, Windowed):
    """Transposed convolution: the gradient of a convolution by its input.

    Every input element adds its kernel, k_h·k_w taps of C_out/groups channels, to the
    output: MACs = C_in · (C_out/groups) · k_h · k_w · H_in · W_in. The output's sides
    are (H_in − 1)·s − 2p + d(k − 1) + 1 + output_padding; taps cut off by the padding
    count, as padded taps do in a convolution. Along 1 or 3 axes it is alike.

    **Source**: Dumoulin & Visin 2016, "A guide to convolution arithmetic", section 4.

    >>> from costmodel.algebra.extent import Extent
    >>> layer = ConvTranspose(64, (2, 2), stride=(2, 2), bias=False)
    >>> x = Shape(128, (Extent(28), Extent(28)))
    >>> print(layer.output(x), layer.tally(layer.output(x), x).mac)
    64×56×56 25690112
    """

    kind: ClassVar[str] = "conv_transpose"
    allow_zero: ClassVar[frozenset[str]] = frozenset({"padding", "output_padding"})
    channels: Dim
    kernel: Sizes
    stride: Sizes = (1,)
    padding: Sizes = (0,)
    output_padding: Sizes = (0,)
    dilation: Sizes = (1,)
    groups: Dim = 1
    bias: bool = True

    def __post_init__(self) -> None:
        """Check, as PyTorch does, that output_padding is below stride or dilation."""
        super(ConvTranspose, self).__post_init__()
        sizes = zip(self.output_padding, self.stride, self.dilation, strict=True)
        for more, stride, dilation in sizes:
            known = all(type(size) is int for size in (more, stride, dilation))
            if known and more >= max(stride, dilation):
                raise CostModelError(
                    f"output_padding {by(self.output_padding)} is not below "
                    f"stride {by(self.stride)} or dilation {by(self.dilation)}"
                )

    @property
    def window(self) -> Windows | None:
        """Refuse: the windows of neighbouring positions differ in size."""
        raise CostModelError(
            "a transposed convolution is no one window: neighbouring positions look "
            "at different numbers of pixels"
        )

    def output(self, *inputs: Shape) -> Shape:
        """Return ``channels`` × the larger axes; groups divide both channel counts."""
        check_groups(inputs[0].channels, self.channels, self.groups)
        extents = []
        for axis, extent in enumerate(inputs[0].require_axes(len(self.kernel))):
            span = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            more = span - self.stride[axis] - 2 * self.padding[axis]
            more = more + self.output_padding[axis]
            extents.append(enlarged(extent, self.stride[axis], more))
        shape = Shape(self.channels, tuple(extents))
        if any(type(e.base) is int and e.base < 1 for e in extents):
            raise CostModelError(
                f"nothing of the output {shape} is left; is padding too large?"
            )
        return shape

    def weights(self, *inputs: Shape) -> Weights:
        """Return ``weight`` C_in × C_out/groups × the kernel, and ``bias`` C_out."""
        fan_out = exact_div(self.channels, self.groups)
        weights = {"weight": Weight((inputs[0].channels, fan_out, *self.kernel))}
        return weights | ({"bias": Weight((self.channels,))} if self.bias else {})

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one MAC per kernel tap and input, one addition per output for bias."""
        mac = self.weights(*inputs)["weight"].numel * inputs[0].positions
        return Tally(mac=mac, add=output.numel if self.bias else 0)

    def channel_flow(self, x: Shape) -> AxisFlow:
        """Return channels that depend on all channels of their group."""
        return Mixed(1, self.groups, "channels")

    def window_flow(self) -> tuple[AxisFlow, ...]:
        """Return positions to which input positions are scattered."""
        sizes = zip(self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple(
            Scattered(axis, sliding(*size), size[-1])
            for axis, size in enumerate(sizes, start=2)
        )

    def __str__(self) -> str:
        """Write 2×2 transposed conv, 64, ×2."""
        up = "" if are_all(self.stride, 1) else f", ×{by(self.stride)}"
        extras = suffix((1,), self.groups, self.dilation)
        return f"{by(self.kernel)} transposed conv, {self.channels}{up}{extras}"
