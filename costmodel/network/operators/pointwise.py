"""Operators that keep the shape: elementwise functions, normalizations, softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.axes import others, rank, require_axis
from costmodel.network.flow import Flow, Mixed, Slid, unchanged
from costmodel.network.operator import Weight, Weights, Windows
from costmodel.network.operators.base import (
    POINT,
    Elementwise,
    KindOf,
    Normalization,
    Rearrangement,
    Stateless,
)
from costmodel.network.operators.functions import Function, function_of
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Pointwise(Elementwise):
    """An elementwise function, by its name: relu, gelu, exp, sqrt.

    Each is a row of
    :data:`costmodel.network.operators.functions.FUNCTIONS`.

    **Units**: the operations per element that the row has.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(2, (Extent(3), Extent(3)))
    >>> Pointwise("square").tally(x, x)
    Tally(mac=0, add=0, mul=18, div=0, exp=0, compare=0)
    """

    kind: ClassVar[str] = KindOf("pointwise", "function")  # type: ignore[assignment]
    function: str

    def __post_init__(self) -> None:
        """Check that the function has a row."""
        super(Pointwise, self).__post_init__()
        function_of(self.function)

    @property
    def row(self) -> Function:
        """The function's row."""
        return function_of(self.function)

    @property
    def defaults(self) -> Mapping[str, Any]:  # type: ignore[override]
        """The row's constants."""
        return self.row.constants

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the operations per element, times the elements."""
        return self.row.tally * output.numel


@final
@dataclass(frozen=True, slots=True)
class BatchNorm(Normalization):
    """Batch normalization, y = γ·(x − μ)/√(σ² + ε) + β for each channel.

    It takes a feature map, a vector or tokens; channels are axis 1.
    In evaluation μ and σ are constants, so it is one multiplication and one addition
    per element; scale and shift of a channel are folded beforehand.

    **Source**: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 2.
    """

    kind: ClassVar[str] = "batch_norm"
    defaults: ClassVar[Mapping[str, Any]] = {"eps": 1e-5, "training": True}
    """Not ``training``: the running statistics, while the network trains as well."""
    affine: bool = True
    running: bool = True
    """Whether it keeps running statistics; without them it uses those of each batch."""

    def weights(self, *inputs: Shape) -> Weights:
        """Return γ and β, and the running statistics, which are buffers."""
        each = (inputs[0].channels,)
        learned = {"weight": Weight(each), "bias": Weight(each)} if self.affine else {}
        if not self.running:
            return learned
        return learned | {
            "running_mean": Weight(each, learnable=False),
            "running_var": Weight(each, learnable=False),
            "num_batches_tracked": Weight((), learnable=False),
        }

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one multiplication and one addition per element."""
        return Tally(mul=output.numel, add=output.numel)


@final
@dataclass(frozen=True, slots=True)
class LocalResponseNorm(Stateless, Normalization):
    """Local response normalization over ``size`` neighbouring channels.

    y = x / (k + (α/size)·Σ x²)^β. Channels beyond the first and last are zeros and
    count, as padded taps do.

    **Source**: Krizhevsky, Sutskever, Hinton 2012, section 3.3.
    """

    kind: ClassVar[str] = "local_response_norm"
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 5e-4, "beta": 0.75, "k": 2.0}
    """The paper's constants (section 3.3), α = 10⁻⁴ times n = 5."""
    size: Dim = 5

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; it must be a feature map."""
        inputs[0].require_axes(2)
        return inputs[0]

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Count squares, sums, scale and shift, powers, and divisions."""
        each = Tally(add=self.size, mul=2, div=1, exp=1)
        return each * output.numel

    def flow(self, *inputs: Shape) -> Flow:
        """Return channels under a window of ``size``, ⌊size/2⌋ of them before."""
        before = as_dim(self.size // 2)
        near = Window(self.size, 1, before, as_dim(self.size - 1 - before))
        return Flow((Slid(1, near), *unchanged(rank(inputs[0])).axes[1:]))

    def __str__(self) -> str:
        """Write local response norm, 5."""
        return f"local response norm, {self.size}"


@final
@dataclass(frozen=True, slots=True)
class Softmax(Stateless, Normalization):
    """e^x_i / Σ_j e^x_j along an axis, by default channels, after subtracting max x.

    ``log`` gives its logarithm, x_i − max x − log Σ_j e^(x_j − max x).
    """

    kind: ClassVar[str] = "softmax"
    axis: Dim = 1
    log: bool = False

    @property
    def window(self) -> Windows | None:
        """Return the windows of a position, or None if the axis is a spatial one."""
        return POINT if self.axis == 1 else None

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; it has that axis."""
        require_axis(inputs[0], self.axis)
        return inputs[0]

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """For C elements per position: 2C−1 additions, C−1 comparisons, C exp and div.

        The logarithm has one more ``exp`` per position, and subtractions for divisions.
        """
        every, places = output.numel, others(output, (self.axis,))
        if self.log:
            add, exp = 3 * every - places, every + places
            return Tally(add=add, compare=every - places, exp=exp)
        return Tally(
            add=2 * every - places, compare=every - places, exp=every, div=every
        )

    def flow(self, *inputs: Shape) -> Flow:
        """Return the axis mixed."""
        axes = list(unchanged(rank(inputs[0])).axes)
        axes[int(self.axis) - 1] = Mixed(int(self.axis))
        return Flow(tuple(axes))

    def __str__(self) -> str:
        """Write softmax, or log softmax, axis 2."""
        name = "log softmax" if self.log else "softmax"
        return name if self.axis == 1 else f"{name}, axis {self.axis}"


@final
@dataclass(frozen=True, slots=True)
class Identity(Rearrangement):
    """The input itself, under another name."""

    kind: ClassVar[str] = "identity"
    view: ClassVar[bool] = True


@final
@dataclass(frozen=True, slots=True)
class Dropout(Rearrangement):
    """Random zeros in training; the identity in evaluation, which is counted here.

    **Source**: Srivastava et al. 2014, *Journal of Machine Learning Research* 15.
    """

    kind: ClassVar[str] = "dropout"
    view: ClassVar[bool] = True
    percent: Dim = 50

    def __post_init__(self) -> None:
        """Check that it is a percentage."""
        super(Dropout, self).__post_init__()
        if type(self.percent) is int and self.percent > 100:
            raise CostModelError(f"percent {self.percent} is over 100")

    def __str__(self) -> str:
        """Write dropout 50%."""
        return f"dropout {self.percent}%"
