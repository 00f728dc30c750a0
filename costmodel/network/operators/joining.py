"""Operators that join tensors or change how they are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, as_dim, is_equal
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network.operators.base import POINT, Elementwise, Pair, by, slide
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Add(Elementwise):
    """The sum of two or more tensors of one shape: a residual connection."""

    kind: ClassVar[str] = "add"
    arity: ClassVar[tuple[int, int | None]] = (2, None)

    def output(self, *inputs: Shape) -> Shape:
        """Return the common shape."""
        for other in inputs[1:]:
            if not inputs[0].same_as(other):
                raise CostModelError(
                    f"operands differ: {inputs[0]} and {other}; does the shortcut "
                    "need a projection?"
                )
        return inputs[0]

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return an addition an element for every operand but the first."""
        return Tally(add=(len(inputs) - 1) * output.numel)


@final
@dataclass(frozen=True, slots=True)
class Multiply(Elementwise):
    """The product of two tensors; a size of 1 is repeated to fit the other's."""

    kind: ClassVar[str] = "multiply"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    def output(self, *inputs: Shape) -> Shape:
        """Return the broadcast shape."""
        left, right = inputs
        problem = f"shapes do not broadcast: {left} and {right}"
        if len(left.spatial) != len(right.spatial):
            raise CostModelError(problem)
        one = Extent(1)
        extents = []
        for a, b in zip(left.spatial, right.spatial, strict=True):
            if a != b and one not in (a, b):
                raise CostModelError(f"{problem}; did one use a stride?")
            extents.append(b if a == one else a)
        a_channels, b_channels = left.channels, right.channels
        if not is_equal(a_channels, b_channels) and 1 not in (a_channels, b_channels):
            raise CostModelError(problem)
        return Shape(b_channels if a_channels == 1 else a_channels, tuple(extents))

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return a multiplication an output."""
        return Tally(mul=output.numel)


@final
@dataclass(frozen=True, slots=True)
class Concat(Elementwise):
    """Tensors of one height and width, stacked by channels: a copy."""

    kind: ClassVar[str] = "concat"
    arity: ClassVar[tuple[int, int | None]] = (2, None)

    def output(self, *inputs: Shape) -> Shape:
        """Return the sum of the channels."""
        for other in inputs[1:]:
            if other.spatial != inputs[0].spatial:
                raise CostModelError(
                    f"branches differ in size: {inputs[0]} and {other}; "
                    "did one use a stride?"
                )
        channels: Dim = 0
        for x in inputs:
            channels = channels + x.channels
        return Shape(as_dim(channels), inputs[0].spatial)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return no operations."""
        return Tally()


@final
@dataclass(frozen=True, slots=True)
class Flatten(Elementwise):
    """A feature map as one long vector."""

    kind: ClassVar[str] = "flatten"
    view: ClassVar[bool] = True

    def output(self, *inputs: Shape) -> Shape:
        """Return a vector of all elements."""
        return Shape(as_dim(inputs[0].numel))

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return no operations."""
        return Tally()


@final
@dataclass(frozen=True, slots=True)
class Pad2d(Elementwise):
    """Zeros around a feature map, as many before and after as each axis asks for."""

    kind: ClassVar[str] = "pad"
    before: Pair
    after: Pair

    @property
    def window(self) -> tuple[Window, Window] | None:
        """See one position, after the padding."""
        height, width = (
            Window(before=b, after=a)
            for b, a in zip(self.before, self.after, strict=True)
        )
        return height, width

    def output(self, *inputs: Shape) -> Shape:
        """Return the larger feature map."""
        return slide(inputs[0], inputs[0].channels, self.window or POINT)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return no operations."""
        return Tally()

    def __str__(self) -> str:
        """Write pad 1×1 before, 0×0 after."""
        return f"pad {by(self.before)} before, {by(self.after)} after"


@final
@dataclass(frozen=True, slots=True)
class PadChannels(Elementwise):
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

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return no operations."""
        return Tally()

    def __str__(self) -> str:
        """Write pad channels, +16."""
        return f"pad channels, +{self.before + self.after}"
