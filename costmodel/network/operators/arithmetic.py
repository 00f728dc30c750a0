"""Arithmetic of each element: of a tensor and a number, or of two tensors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.operators.axes import extents, shaped
from costmodel.network.operators.base import Elementwise, Weight, Weights
from costmodel.network.shape import Shape


PAIRS: dict[str, Tally] = {
    "add": Tally(add=1),
    "subtract": Tally(add=1),
    "multiply": Tally(mul=1),
    "divide": Tally(div=1),
    "power": Tally(exp=1),
    "maximum": Tally(compare=1),
    "minimum": Tally(compare=1),
    "comparison": Tally(compare=1),
    "equal": Tally(compare=1),
    "not_equal": Tally(compare=1),
    "less": Tally(compare=1),
    "less_equal": Tally(compare=1),
    "greater": Tally(compare=1),
    "greater_equal": Tally(compare=1),
}
"""Operations a result of two elements. ``comparison`` is one that nobody named."""

SCALARS: dict[str, Tally] = PAIRS | {
    "reverse_subtract": Tally(add=1),
    "reverse_divide": Tally(div=1),
    "reverse_power": Tally(exp=1),
    "clamp": Tally(compare=2),
}
"""Operations an element and a number; ``reverse`` has the number in front."""


def _one_of(name: str, known: dict[str, Tally], what: str) -> None:
    if name not in known:
        raise CostModelError(
            f'{what} "{name}" is unknown; known are {", ".join(sorted(known))}'
        )


@final
@dataclass(frozen=True, slots=True)
class Scalar(Elementwise):
    """A tensor and a number: x + 1, 1 − x, x / 2, x², max(x, 0).

    ``value`` is the number as text; ``clamp`` has two, ``"0, 6"``.

    >>> x = Shape(2, (Extent(3), Extent(3)))
    >>> Scalar("divide", "2").tally(x, x).div
    18
    """

    kind: ClassVar[str] = "scalar"
    operation: str
    value: str

    def __post_init__(self) -> None:
        """Check that the operation has a rule."""
        super(Scalar, self).__post_init__()
        _one_of(self.operation, SCALARS, "operation")
        if not self.value.strip():
            raise CostModelError(f"{self.operation}: the number is missing")

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return an operation an element; a square is a multiplication."""
        is_square = self.operation == "power" and self.value in ("2", "2.0")
        each = Tally(mul=1) if is_square else SCALARS[self.operation]
        return each * output.numel

    def __str__(self) -> str:
        """Write add 1."""
        return f"{self.operation.replace('_', ' ')} {self.value}"


@final
@dataclass(frozen=True, slots=True)
class Binary(Elementwise):
    """Two tensors, element by element; a size of 1 is repeated to fit the other's.

    Axes are aligned at the last one, as PyTorch does; a stored tensor, which has no
    batch, may have fewer.

    **Source**: PyTorch, "Broadcasting semantics".

    >>> x, y = Shape(2, (Extent(3), Extent(4))), Shape(2, (Extent(1), Extent(4)))
    >>> print(Binary("subtract").output(x, y))
    2×3×4
    """

    kind: ClassVar[str] = "binary"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    operation: str

    def __post_init__(self) -> None:
        """Check that the operation has a rule."""
        super(Binary, self).__post_init__()
        _one_of(self.operation, PAIRS, "operation")

    def output(self, *inputs: Shape) -> Shape:
        """Return the broadcast shape."""
        return broadcast(*inputs)

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return an operation an output."""
        return PAIRS[self.operation] * output.numel

    def __str__(self) -> str:
        """Write subtract."""
        return self.operation.replace("_", " ")


@final
@dataclass(frozen=True, slots=True)
class PReLU(Elementwise):
    """max(x, 0) + a·min(x, 0), with one learned slope, or one for each channel.

    **Source**: He, Zhang, Ren, Sun 2015, arXiv:1502.01852, section 2.1.

    >>> x = Shape(8, (Extent(3), Extent(3)))
    >>> PReLU(8).weights(x)["weight"].shape
    (8,)
    """

    kind: ClassVar[str] = "prelu"
    parameters: Dim = 1

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape; its channels are as many as the slopes, if any."""
        slopes, channels = self.parameters, inputs[0].channels
        if slopes != 1 and not is_equal(slopes, channels):
            raise CostModelError(f"{slopes} slopes do not fit {channels} channels")
        return inputs[0]

    def weights(self, *inputs: Shape) -> Weights:
        """Return ``weight``, the slopes."""
        return {"weight": Weight((self.parameters,))}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return a comparison and a multiplication an element."""
        return Tally(compare=output.numel, mul=output.numel)

    def __str__(self) -> str:
        """Write prelu, 64."""
        return "prelu" if self.parameters == 1 else f"prelu, {self.parameters}"


def broadcast(left: Shape, right: Shape) -> Shape:
    """Return the shape of two aligned at the last axis, sizes of 1 repeated."""
    sides = []
    pairs = zip_longest(reversed(extents(left)), reversed(extents(right)))
    for one, other in pairs:
        if one is None or other is None or one == other or other == Extent(1):
            sides.append(one or other)
        elif one == Extent(1):
            sides.append(other)
        else:
            raise CostModelError(
                f"shapes do not broadcast: {left} and {right}; did one use a stride?"
            )
    return shaped(reversed(sides))
