"""Sources: inputs, stored tensors, tensors derived from them, and unknown operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, final

from costmodel.algebra.extent import Extent
from costmodel.algebra.tally import Tally
from costmodel.errors import CostModelError
from costmodel.network.axes import rank
from costmodel.network.flow import Flow, New, Unknown
from costmodel.network.operator import Weight, Weights, Windows
from costmodel.network.operators.base import Source, Stateless
from costmodel.network.shape import Shape


@final
@dataclass(frozen=True, slots=True)
class Input(Source):
    """An input of the network: ``channels × height × width``, a vector, any shape."""

    kind: ClassVar[str] = "input"
    is_input: ClassVar[bool] = True
    shape: Shape

    def __post_init__(self) -> None:
        """Normalise the sample's sizes, and refuse sizes that no sample can have."""
        shape = self.shape
        if not isinstance(shape, Shape) or not all(
            isinstance(extent, Extent) for extent in shape.spatial
        ):
            raise CostModelError(
                f"the sample {shape} is not a Shape such as channels × height × width"
            )
        super(Input, self).__post_init__()

    def output(self, *inputs: Shape) -> Shape:
        """Return the sample's shape."""
        return self.shape

    def __str__(self) -> str:
        """Write the sample's shape."""
        return f"input {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Parameter(Source):
    """A stored tensor that is an operand: a class token, a scale, an embedding.

    It has no batch: the same numbers serve every sample, and are stored once. Results
    of such tensors alone have no batch either, and are counted once per batch.

    >>> from costmodel.algebra.extent import Extent
    >>> token = Parameter(Shape(1, (Extent(768),)))
    >>> token.weights()["data"].numel
    768
    """

    kind: ClassVar[str] = "parameter"
    is_unbatched: ClassVar[bool] = True
    shape: Shape
    learnable: bool = True

    def output(self, *inputs: Shape) -> Shape:
        """Return the stored tensor's shape; all of its axes, none is a batch."""
        return self.shape

    def weights(self, *inputs: Shape) -> Weights:
        """Return the tensor itself."""
        return {"data": Weight(self.shape.sizes, self.learnable)}

    def flow(self, *inputs: Shape) -> Flow:
        """Return new axes, as long as those that they are combined with."""
        return Flow((New(),) * rank(self.shape))

    def __str__(self) -> str:
        """Write parameter 1×768."""
        return f"{'parameter' if self.learnable else 'buffer'} {self.shape}"


@final
@dataclass(frozen=True, slots=True)
class Opaque(Stateless):
    """An operator without a rule: its result's shape is known, its cost is not.

    It stores nothing itself; tensors that it is given are operands. Totals of a
    network that has one are partial, and say so: an unknown cost is never zero.

    **Errors**: raised by its tally and its window.
    """

    kind: ClassVar[str] = "opaque"
    is_unknown: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (0, None)
    is_determined = False
    """Its values are not recorded."""
    name: str
    shape: Shape

    def __post_init__(self) -> None:
        """Check the name as well as the shape."""
        super(Opaque, self).__post_init__()
        if not isinstance(self.name, str) or not self.name:
            raise CostModelError(f"name {self.name!r} is not text")

    def output(self, *inputs: Shape) -> Shape:
        """Return the given shape."""
        return self.shape

    def tally(self, output: Shape, *inputs: Shape) -> NoReturn:
        """Refuse: its cost is not known."""
        raise CostModelError(f"{self.name}: no rule says what it costs")

    @property
    def window(self) -> Windows | None:
        """Refuse: its window is not known."""
        raise CostModelError(f"{self.name}: no rule says what it looks at")

    def flow(self, *inputs: Shape) -> Flow:
        """Return unknown axes."""
        return Flow((Unknown(),) * rank(self.shape))

    def __str__(self) -> str:
        """Write unknown operator foo."""
        return f"unknown operator {self.name}"


@final
@dataclass(frozen=True, slots=True)
class Derived(Source):
    """A tensor computed from stored ones alone, such as a position bias looked up.

    It is the same for every sample and every batch, and is computed once. That is no
    cost of a sample, and is not counted here nor by any tool. How it is computed is
    not recorded, unless one number fills it, or it is its last operand, whose axes are
    in the order ``dims``, expanded to its sizes.
    """

    kind: ClassVar[str] = "derived"
    is_unbatched: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (0, None)
    defaults: ClassVar[Mapping[str, Any]] = {"fill": ..., "dims": ...}
    shape: Shape

    @property
    def is_determined(self) -> bool:
        """Whether it is one number everywhere, ``fill``, or a view of its operand."""
        return bool(self.constants)

    def output(self, *inputs: Shape) -> Shape:
        """Return its shape."""
        return self.shape

    def weights(self, *inputs: Shape) -> Weights:
        """Return no tensors: its operands store them."""
        return {}

    def tally(self, output: Shape, *inputs: Shape) -> Tally:
        """Return no operations per sample."""
        return Tally()

    def flow(self, *inputs: Shape) -> Flow:
        """Return new axes, as long as those that they are combined with."""
        return Flow((New(),) * rank(self.shape))

    def __str__(self) -> str:
        """Write derived, 49×49."""
        return f"derived, {self.shape}"
