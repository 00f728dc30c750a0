"""Weighted layers: convolutions, fully connected layers, radial basis functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, exact_div, is_equal
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import sliding
from costmodel.errors import CostModelError
from costmodel.network.flow import AxisFlow, Flow, Listed, Mixed, Same, Slid
from costmodel.network.operator import Pair, Sizes, Weight, Weights, Windows
from costmodel.network.operators.base import (
    POINT,
    Weighted,
    Windowed,
    by,
    slide,
    suffix,
)
from costmodel.network.shape import Shape


PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
"""The padding modes of a convolution."""


@final
@dataclass(frozen=True, slots=True)
class Conv(Weighted, Windowed):
    """Grouped, dilated cross-correlation along 1, 2 or 3 axes.

    Along two of them:

    y[o,i,j] = b[o] + Σ_{c,u,v} w[o,c,u,v] · x[c, i·s+u·d−p, j·s+v·d−p]

    MACs = C_out · (C_in/groups) · k_h · k_w · H_out · W_out; padded taps count.

    **Source**: Dumoulin & Visin 2016, "A guide to convolution arithmetic"; PyTorch,
    ``torch.nn.Conv1d``, ``Conv2d`` and ``Conv3d``.

    >>> from costmodel.algebra.extent import Extent
    >>> layer, x = Conv(1, (3,), padding=1, bias=False), Shape(1, (Extent(64),))
    >>> print(layer.output(x), layer.tally(layer.output(x), x).mac)
    1×64 192
    """

    kind: ClassVar[str] = "conv"
    channels: Dim
    kernel: Sizes
    stride: Sizes = (1,)
    padding: Sizes = (0,)
    dilation: Sizes = (1,)
    groups: Dim = 1
    bias: bool = True
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        """Check the numbers and the padding mode."""
        super(Conv, self).__post_init__()
        if self.padding_mode not in PADDING_MODES:
            known = ", ".join(PADDING_MODES)
            raise CostModelError(
                f"padding_mode {self.padding_mode!r} is none of {known}"
            )

    @property
    def window(self) -> Windows | None:
        """Return the dilated kernel's windows."""
        return tuple(
            map(sliding, self.kernel, self.stride, self.padding, self.dilation)
        )

    def output(self, *inputs: Shape) -> Shape:
        """Return ``channels`` × the windows; groups divide both channel counts."""
        check_groups(inputs[0].channels, self.channels, self.groups)
        self._check_border(inputs[0])
        return slide(inputs[0], self.channels, self.window or POINT)

    def _check_border(self, x: Shape) -> None:
        """Refuse a border wider than the input, which could not fill it."""
        least = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if least is None:
            return
        axes = x.require_axes(len(self.padding))
        for extent, padding in zip(axes, self.padding, strict=True):
            known = type(extent.base) is int and type(padding) is int
            if known and padding + least > extent.base:
                raise CostModelError(
                    f"input {x} is too small: {self.padding_mode} padding "
                    f"{by(self.padding)} takes more than there is"
                )

    def weights(self, *inputs: Shape) -> Weights:
        """Return ``weight`` C_out × C_in/groups × the kernel, and ``bias`` C_out."""
        fan_in = exact_div(inputs[0].channels, self.groups)
        weights = {"weight": Weight((self.channels, fan_in, *self.kernel))}
        return weights | ({"bias": Weight((self.channels,))} if self.bias else {})

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one MAC per kernel tap and output, and an addition for the bias."""
        mac = self.weights(*inputs)["weight"].numel * output.positions
        return Tally(mac=mac, add=output.numel if self.bias else 0)

    def channel_flow(self, x: Shape) -> AxisFlow:
        """Return channels that depend on all channels of their group."""
        return Mixed(1, self.groups, "channels")

    def window_flow(self) -> tuple[AxisFlow, ...]:
        """Return a window along each side, with its padding mode."""
        sides = enumerate(zip(self.window or POINT, self.dilation, strict=True), 2)
        mode = self.padding_mode
        return tuple(Slid(axis, along, gap, mode) for axis, (along, gap) in sides)

    def __str__(self) -> str:
        """Write 3×3 conv, 64, /2; along one axis 3 conv of tokens, 64."""
        depthwise = self.groups != 1 and is_equal(self.groups, self.channels)
        name = "depthwise conv" if depthwise else "conv"
        groups = 1 if depthwise else self.groups
        extras = suffix(self.stride, groups, self.dilation)
        extras += "" if self.padding_mode == "zeros" else f", {self.padding_mode}"
        of = " of tokens" if len(self.kernel) == 1 else ""
        return f"{by(self.kernel)} {name}{of}, {self.channels}{extras}"


def check_groups(read: Dim, made: Dim, groups: Dim) -> None:
    """Refuse groups that do not divide the channels on both sides."""
    for count, side in ((read, "input"), (made, "output")):
        try:
            exact_div(count, groups)
        except CostModelError:
            raise CostModelError(
                f"groups {groups} do not divide the {count} {side} channels"
            ) from None


@final
@dataclass(frozen=True, slots=True)
class TableConv2d(Weighted, Windowed):
    """A convolution of only those input channels that a table lists.

    Output channel o sums over the inputs c in table[o]. LeNet-5's layer C3 has such a
    table, which limits its connections and breaks the symmetry between its channels.

    **Source**: LeCun, Bottou, Bengio, Haffner 1998, section II.B and Table I.
    """

    kind: ClassVar[str] = "table_conv"
    table: tuple[tuple[int, ...], ...]
    kernel: Pair

    def __post_init__(self) -> None:
        """Check the numbers and the table."""
        super(TableConv2d, self).__post_init__()
        try:
            rows = tuple(tuple(row) for row in self.table)
        except TypeError:
            raise CostModelError(f"table {self.table!r} is not made of rows") from None
        if any(type(c) is not int or c < 0 for row in rows for c in row):
            raise CostModelError("table: input channels are numbered 0, 1, 2, …")
        if not rows or any(not row or len(set(row)) != len(row) for row in rows):
            raise CostModelError(
                "table: each row needs one or more different input channels"
            )
        object.__setattr__(self, "table", rows)

    @property
    def window(self) -> Windows | None:
        """Return the kernel's windows."""
        return sliding(self.kernel[0]), sliding(self.kernel[1])

    def output(self, *inputs: Shape) -> Shape:
        """Return one output channel per row of the table."""
        last = max(max(row) for row in self.table)
        channels = inputs[0].channels
        if type(channels) is int and last >= channels:
            raise CostModelError(f"the table lists channel {last} of only {channels}")
        return slide(inputs[0], len(self.table), self.window or POINT)

    def weights(self, *inputs: Shape) -> Weights:
        """Return one kernel and one bias per row of the table."""
        weights: Weights = {}
        for index, row in enumerate(self.table):
            weights[f"maps.{index}.weight"] = Weight((1, len(row), *self.kernel))
            weights[f"maps.{index}.bias"] = Weight((1,))
        return weights

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one MAC per listed connection, one addition per output for a bias."""
        taps = sum(map(len, self.table)) * self.kernel[0] * self.kernel[1]
        return Tally(mac=taps * output.positions, add=output.numel)

    def channel_flow(self, x: Shape) -> AxisFlow:
        """Return channels that depend on those that the table lists."""
        return Listed(1, self.table)

    def __str__(self) -> str:
        """Write 5×5 conv by table, 16."""
        return f"{by(self.kernel)} conv by table, {len(self.table)}"


@final
@dataclass(frozen=True, slots=True)
class Linear(Weighted):
    """A fully connected layer of the last axis, y = W·x + b at every position.

    MACs = positions · in · out, for vectors, tokens L×C and maps H×W×C alike.

    **Source**: PyTorch, ``torch.nn.Linear``.

    >>> layer, x = Linear(3072), Shape(197, (Extent(768),))
    >>> layer.tally(layer.output(x), x).mac
    464781312
    """

    kind: ClassVar[str] = "linear"
    features: Dim
    bias: bool = True

    @property
    def window(self) -> Windows | None:
        """Return the windows of a position: the last axis is no spatial one."""
        return POINT

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape with ``features`` along the last axis."""
        x = inputs[0]
        if not x.spatial:
            return Shape(self.features)
        return Shape(x.channels, (*x.spatial[:-1], Extent(self.features)))

    def weights(self, *inputs: Shape) -> Weights:
        """Return ``weight`` out × in, and ``bias`` out."""
        x = inputs[0]
        read = x.spatial[-1].atom if x.spatial else x.channels
        weights = {"weight": Weight((self.features, read))}
        return weights | ({"bias": Weight((self.features,))} if self.bias else {})

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one MAC per weight and position, one addition per output for bias."""
        mac = inputs[0].numel * self.features
        return Tally(mac=mac, add=output.numel if self.bias else 0)

    def flow(self, *inputs: Shape) -> Flow:
        """Return features that depend on all of the last axis."""
        *others, last = range(1, len(inputs[0].spatial) + 2)
        return Flow((*map(Same, others), Mixed(last, held="features")))

    def __str__(self) -> str:
        """Write linear, 1000."""
        return f"linear, {self.features}"


@final
@dataclass(frozen=True, slots=True)
class RadialBasis(Weighted):
    """Euclidean distances to fixed codes, y_i = Σ_j (x_j − w_ij)².

    The output layer of LeNet-5, whose codes are ±1 images of the digits, not learned.

    **Source**: LeCun, Bottou, Bengio, Haffner 1998, section II.B, equation 7.
    """

    kind: ClassVar[str] = "radial_basis"
    is_layer: ClassVar[bool] = False
    features: Dim

    @property
    def window(self) -> Windows | None:
        """Return None: the whole input."""
        return None

    def output(self, *inputs: Shape) -> Shape:
        """Return a vector of ``features``."""
        if inputs[0].spatial:
            raise CostModelError(
                f"needs a vector, got the feature map {inputs[0]}; flatten it first"
            )
        return Shape(self.features)

    def weights(self, *inputs: Shape) -> Weights:
        """Return the fixed codes, out × in."""
        return {"weight": Weight((self.features, inputs[0].channels), learnable=False)}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one subtraction and one MAC (square and add) per code element."""
        count = inputs[0].channels * output.channels
        return Tally(mac=count, add=count)

    def flow(self, *inputs: Shape) -> Flow:
        """Return features that depend on all inputs."""
        return Flow((Mixed(1, held="features"),))

    def __str__(self) -> str:
        """Write radial basis, 10."""
        return f"radial basis, {self.features}"
