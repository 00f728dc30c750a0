"""Functions of each element: of one tensor, of a tensor and a number, of two."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.axes import extents, rank, shaped
from costmodel.network.flow import Flow, Same, unchanged
from costmodel.network.operators.base import Elementwise, Weight, Weights
from costmodel.network.shape import Shape


FUNCTIONS: dict[str, Tally] = {
    "abs": Tally(compare=1),
    "celu": Tally(compare=1, exp=1, add=1, div=1, mul=1),  # x < 0: α(e^(x/α) − 1)
    "ceil": Tally(compare=1),
    "clamp": Tally(compare=2),
    "cos": Tally(exp=1),
    "elu": Tally(compare=1, exp=1, add=1, mul=1),  # x < 0: α(e^x − 1)
    "erf": Tally(exp=1),
    "exp": Tally(exp=1),
    "expm1": Tally(exp=1, add=1),
    "floor": Tally(compare=1),
    "gelu": Tally(exp=1, add=1, mul=3),  # x·½·(1 + erf(x·√½))
    "gelu_tanh": Tally(exp=1, add=4, mul=7, div=1),  # ½x(1 + tanh(√(2/π)(x + cx³)))
    "hardshrink": Tally(compare=2),
    "leaky_relu": Tally(compare=1, mul=1),
    "log": Tally(exp=1),
    "log1p": Tally(exp=1, add=1),
    "logsigmoid": Tally(exp=2, add=1),  # −log(1 + e^−x)
    "mish": Tally(exp=3, add=3, mul=2, div=1),  # x·tanh(log(1 + e^x))
    "neg": Tally(mul=1),
    "reciprocal": Tally(div=1),
    "round": Tally(compare=1),
    "rsqrt": Tally(exp=1, div=1),
    "selu": Tally(compare=1, exp=1, add=1, mul=2),  # λ·elu
    "sign": Tally(compare=2),
    "sin": Tally(exp=1),
    "softplus": Tally(exp=2, add=1),  # log(1 + e^x)
    "softshrink": Tally(compare=2, add=1),
    "softsign": Tally(compare=1, add=1, div=1),  # x/(1 + |x|)
    "sqrt": Tally(exp=1),
    "square": Tally(mul=1),
    "tanhshrink": Tally(exp=1, add=3, mul=1, div=1),  # x − tanh x
    "threshold": Tally(compare=1),
    "trunc": Tally(compare=1),
}
"""Operations an element, by PyTorch's name, read from the function's formula.

A root, a power, a logarithm, a sine and the error function are an ``exp`` each, as
:class:`costmodel.algebra.tally.Tally` counts them; rounding and a choice between two
formulas are a comparison; tanh is counted as the activation ``tanh`` is.
"""

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
class Pointwise(Elementwise):
    """One function of every element, by its name in PyTorch: gelu, exp, sqrt.

    Constants of the function (a slope, say) are PyTorch's defaults.

    **Units**: the operations an element of :data:`FUNCTIONS`.

    >>> x = Shape(2, (Extent(3), Extent(3)))
    >>> Pointwise("square").tally(x, x)
    Tally(mac=0, add=0, mul=18, div=0, exp=0, compare=0)
    """

    kind: ClassVar[str] = "pointwise"
    function: str

    def __post_init__(self) -> None:
        """Check that the function has a rule."""
        super(Pointwise, self).__post_init__()
        _one_of(self.function, FUNCTIONS, "function")

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return the operations an element, times the elements."""
        return FUNCTIONS[self.function] * output.numel

    def __str__(self) -> str:
        """Write gelu."""
        return self.function.replace("_", " ")


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

    def flow(self, *inputs: Shape) -> Flow:
        """Return each axis as it is; slopes are as many as channels, unless one."""
        slopes = "parameters" if self.parameters != 1 else None
        return Flow((Same(1, held=slopes), *unchanged(rank(inputs[0])).axes[1:]))

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
