"""Elementwise arithmetic of tensors, or of a tensor and a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError, known_are
from costmodel.network.axes import extents, rank, shaped
from costmodel.network.flow import Flow, Same, unchanged
from costmodel.network.operator import Operator, Weight, Weights
from costmodel.network.operators.base import Elementwise, KindOf
from costmodel.network.shape import Shape, broadcast


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The table row of an operation on two elements."""

    tally: Tally
    """Operations per result."""
    torch: str = ""
    """The function's full name; empty if the network does not record which one."""
    runtime: str = "pointwise"
    """The kernel class for two tensors; for a number it is ``pointwise``."""
    in_float32: bool = False
    """Whether automatic mixed precision computes it in float32."""
    most: int | None = 2
    """The most tensors that it takes; n tensors need n − 1 operations per result."""
    numbers: int = 1
    """The number of scalars that it takes beside one tensor."""
    is_truth: bool = False
    """Whether its result is true or false, and so has no derivative."""

    @property
    def needs_number(self) -> bool:
        """Whether it takes no two tensors, so that one operand is a number."""
        return self.most == 1


# fmt: off
ARITHMETIC: dict[str, Operation] = {
    "add": Operation(
        tally=Tally(add=1), torch="operator.add", runtime="add", most=None),
    "subtract": Operation(tally=Tally(add=1), torch="operator.sub", runtime="add"),
    "multiply": Operation(
        tally=Tally(mul=1), torch="operator.mul", runtime="multiply"),
    "gated": Operation(tally=Tally(exp=1, add=1, div=1, mul=1), runtime="sigmoid",
                       torch="costmodel.bridge.compile.functions.gated"),
    "divide": Operation(tally=Tally(div=1), torch="operator.truediv"),
    "power": Operation(tally=Tally(exp=1), torch="operator.pow", in_float32=True),
    "maximum": Operation(tally=Tally(compare=1), torch="torch.maximum"),
    "minimum": Operation(tally=Tally(compare=1), torch="torch.minimum"),
    "comparison": Operation(tally=Tally(compare=1), is_truth=True),
    "equal": Operation(tally=Tally(compare=1), torch="torch.eq", is_truth=True),
    "not_equal": Operation(tally=Tally(compare=1), torch="torch.ne", is_truth=True),
    "less": Operation(tally=Tally(compare=1), torch="torch.lt", is_truth=True),
    "less_equal": Operation(tally=Tally(compare=1), torch="torch.le", is_truth=True),
    "greater": Operation(tally=Tally(compare=1), torch="torch.gt", is_truth=True),
    "greater_equal": Operation(tally=Tally(compare=1), torch="torch.ge", is_truth=True),
    "reverse_subtract": Operation(tally=Tally(add=1), torch="operator.sub", most=1),
    "reverse_divide": Operation(
        tally=Tally(div=1), torch="operator.truediv", in_float32=True, most=1),
    "reverse_power": Operation(
        tally=Tally(exp=1), torch="operator.pow", in_float32=True, most=1),
    "clamp": Operation(
        tally=Tally(compare=2), torch="torch.clamp", most=1, numbers=2),
}
# fmt: on
"""Operations by name. ``comparison`` stands for any; ``reverse`` has the number in
front; ``clamp`` keeps a tensor between two; ``gated`` is x·σ(y) (arXiv:1612.08083)."""


@final
@dataclass(frozen=True, slots=True)
class Arithmetic(Elementwise):
    """Tensors, or a tensor and a number, element by element: x + y, x·y, 1 − x, x².

    ``value`` is the number as text, where there is one; ``clamp`` has two, ``"0, 6"``.
    ``...`` is one that the network does not record, as the size of an image is.
    Sizes of 1 are repeated to fit the others'. Axes are aligned at the last one, as
    PyTorch does; a stored tensor, which has no batch, may have fewer.

    **Source**: PyTorch, "Broadcasting semantics".

    >>> from costmodel.algebra.extent import Extent
    >>> x, y = Shape(2, (Extent(3), Extent(4))), Shape(2, (Extent(1), Extent(4)))
    >>> print(Arithmetic("subtract").output(x, y), Arithmetic("divide", "2"))
    2×3×4 divide 2
    """

    kind: ClassVar[str] = KindOf("arithmetic", "operation")  # type: ignore[assignment]
    operation: str
    value: str | None = None

    def __post_init__(self) -> None:
        """Check that the operation has a row, and a number where it needs one."""
        super(Arithmetic, self).__post_init__()
        if self.operation not in ARITHMETIC:
            known = known_are(self.operation, sorted(ARITHMETIC))
            raise CostModelError(f'operation "{self.operation}" is unknown; {known}')
        is_missing = self.row.needs_number if self.value is None else (
            not self.value.strip()
        )  # fmt: skip
        if is_missing:
            raise CostModelError(f"{self.operation}: the number is missing")

    @property
    def row(self) -> Operation:
        """The operation's row."""
        return ARITHMETIC[self.operation]

    @property
    def is_determined(self) -> bool:
        """Whether the number is recorded, and which comparison it is."""
        return self.value != "..." and bool(self.row.torch)

    @property
    def arity(self) -> tuple[int, int | None]:  # type: ignore[override]
        """One tensor and a number, or two tensors; a sum of any more."""
        return (1, 1) if self.value is not None else (2, self.row.most)

    def output(self, *inputs: Shape) -> Shape:
        """Return the broadcast shape."""
        first, *others = inputs
        if all(first.same_as(other) for other in others):
            return first
        sides = broadcast(*map(extents, inputs))
        if sides is None:
            raise CostModelError(self._misfit(inputs))
        return shaped(sides)

    def _misfit(self, inputs: tuple[Shape, ...]) -> str:
        """Return the message for shapes that do not broadcast."""
        first, *others = inputs
        other = next(x for x in others if broadcast(extents(first), extents(x)) is None)
        if self.operation == "add":
            return (
                f"operands differ: {first} and {other}; does the shortcut need a "
                "projection?"
            )
        problem = f"shapes do not broadcast: {first} and {other}"
        fit = broadcast(first.spatial, other.spatial) is not None
        is_of_channels = fit and len(first.spatial) == len(other.spatial)
        return problem if is_of_channels else f"{problem}; did one use a stride?"

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one operation per result, for each tensor but the first, or a number.

        A square is a multiplication.
        """
        if self.operation == "power" and self.value in ("2", "2.0"):
            return Tally(mul=output.numel)
        return self.row.tally * (max(1, len(inputs) - 1) * output.numel)

    def __str__(self) -> str:
        """Write subtract, or add 1."""
        name = self.operation.replace("_", " ")
        return name if self.value is None else f"{name} {self.value}"


def is_gated(operator: Operator, inputs: Sequence[Shape]) -> bool:
    """Say whether two feature maps are multiplied, the second being a gate.

    Neither factor is a gate in products of tokens, or with stored tensors.
    """
    is_product = isinstance(operator, Arithmetic) and operator.operation == "multiply"
    return is_product and [len(x.spatial) for x in inputs] == [2, 2]


@final
@dataclass(frozen=True, slots=True)
class PReLU(Elementwise):
    """max(x, 0) + a·min(x, 0), with one learned slope, or one for each channel.

    **Source**: He, Zhang, Ren, Sun 2015, arXiv:1502.01852, section 2.1.

    >>> from costmodel.algebra.extent import Extent
    >>> x = Shape(8, (Extent(3), Extent(3)))
    >>> PReLU(8).weights(x)["weight"].shape
    (8,)
    """

    kind: ClassVar[str] = "prelu"
    parameters: Dim = 1

    def output(self, *inputs: Shape) -> Shape:
        """Return the input's shape, with one channel per slope unless there is one."""
        slopes, channels = self.parameters, inputs[0].channels
        if slopes != 1 and not is_equal(slopes, channels):
            raise CostModelError(f"{slopes} slopes do not fit {channels} channels")
        return inputs[0]

    def weights(self, *inputs: Shape) -> Weights:
        """Return ``weight``, the slopes."""
        return {"weight": Weight((self.parameters,))}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return one comparison and one multiplication per element."""
        return Tally(compare=output.numel, mul=output.numel)

    def flow(self, *inputs: Shape) -> Flow:
        """Return each axis unchanged; there is one slope per channel, or one."""
        slopes = "parameters" if self.parameters != 1 else None
        return Flow((Same(1, held=slopes), *unchanged(rank(inputs[0])).axes[1:]))

    def __str__(self) -> str:
        """Write prelu, 64."""
        return "prelu" if self.parameters == 1 else f"prelu, {self.parameters}"
