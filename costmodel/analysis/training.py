"""What a training step costs: the products forward, and those of both gradients.

y = Σ w·x has one product for each pair of a weight and an element that it meets. The
gradients ∂L/∂x = Σ w·∂y and ∂L/∂w = Σ x·∂y have one for each such pair as well: by
definition each costs what the forward pass costs, whatever groups, stride and dilation
are. Padded taps count, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.cost import Cost, Row, cost
from costmodel.analysis.saved import needs_gradient
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.operators import Operator


PARTS = {
    "forward": "multiply–accumulates of the forward pass, a batch",
    "backward_input": "multiply–accumulates of the gradients of activations",
    "backward_weight": "multiply–accumulates of the gradients of weights",
    "bias_additions": "additions into the gradients of biases",
}
"""The quantities of a row and of the totals, with their units."""


class Learns(NamedTuple):
    """Of an operator with multiply–accumulates: what is learned of its factors."""

    weights: bool = True
    bias: bool = True
    factors: bool = False
    """True where both factors are operands, so that each may get a gradient."""


PRODUCTS = {
    op.Conv: Learns(),
    op.TableConv2d: Learns(),
    op.Linear: Learns(),
    # Its codes are fixed; ∂L/∂x_j = Σ_i 2(x_j − w_ij)·∂y_i.
    op.RadialBasis: Learns(weights=False, bias=False),
    op.LastLinear: Learns(),
    op.ConvTranspose: Learns(),
    op.MatMul: Learns(weights=False, bias=False, factors=True),
    op.Attention: Learns(weights=False, bias=False, factors=True),
    op.Einsum: Learns(weights=False, bias=False, factors=True),
}
"""Operators that multiply and accumulate. An addition for the bias is one backward."""

NO_PRODUCTS: frozenset[type[Operator]] = frozenset({
    op.Input, op.BatchNorm, op.LocalResponseNorm, op.ReLU, op.ReLU6, op.Sigmoid,
    op.SiLU, op.Tanh, op.ScaledTanh, op.HardSigmoid, op.HardSwish, op.HardTanh,
    op.Softmax, op.Identity, op.Dropout, op.MaxPool, op.AvgPool, op.Subsample2d,
    op.AdaptiveAvgPool, op.AdaptiveMaxPool, op.Add, op.Multiply, op.Concat,
    op.Flatten, op.Pad2d, op.Zeros, op.PadChannels, op.SelectChannels,
    op.ChannelShuffle, op.Resize, op.Parameter,
    op.Derived, op.Derived,
    op.Pointwise, op.Scalar, op.Binary, op.PReLU, op.LayerNorm, op.RMSNorm,
    op.GroupNorm, op.InstanceNorm, op.Reduce, op.Cumulate, op.Reshape, op.Permute,
    op.Expand, op.Repeat, op.Select, op.Slice, op.Crop, op.PadTo, op.PadAxis, op.Roll,
    op.Flip, op.Copy, op.Unfold, op.PixelShuffle, op.PixelUnshuffle,
})  # fmt: skip
"""Operators without multiply–accumulates: work an element, in the tally."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """What one node costs, and for how many factors its backward multiplies.

    ``inputs`` are operands that get a gradient and are made of the sample; ``weights``
    are what is learned, stored here or given as an operand.
    """

    row: Row
    inputs: int
    weights: int

    @property
    def name(self) -> str:
        """The node's name, scopes first."""
        return self.row.name

    @property
    def forward(self) -> Dim:
        """Multiply–accumulates of the forward pass."""
        return self.row.macs

    @property
    def backward_input(self) -> Dim:
        """Those of the operand's gradient: none where nothing before it learns."""
        return as_dim(self.inputs * self.row.macs)

    @property
    def backward_weight(self) -> Dim:
        """Those of the gradient of the weights."""
        return as_dim(self.weights * self.row.macs)

    @property
    def bias_additions(self) -> Dim:
        """Additions into the bias's gradient: one for each output."""
        return self.row.tally.add if _learns(self.row).bias else 0


class TrainingCost:
    """The totals of a training step, and a row a node in network order."""

    def __init__(self, costs: Cost, network: Network) -> None:
        """Keep the rows; each total is added when first asked for."""
        self._costs = costs
        needs = needs_gradient(network)
        self.rows = tuple(
            TrainingRow(row, *_factors(row, needs, network.unbatched))
            for row in costs.rows
        )

    @property
    def forward(self) -> Dim:
        """Multiply–accumulates of the forward pass."""
        return self._costs.macs

    @cached_property
    def backward_input(self) -> Dim:
        """Those of the gradients of activations; none for the first layer."""
        return self._macs(lambda row: row.inputs)

    @cached_property
    def backward_weight(self) -> Dim:
        """Those of the gradients of weights."""
        return self._macs(lambda row: row.weights)

    @cached_property
    def bias_additions(self) -> Dim:
        """Additions into the gradients of biases."""
        names = [row.name for row in self.rows if _learns(row.row).bias]
        return self._costs.of_nodes(names).tally.add

    @property
    def backward(self) -> Dim:
        """Multiply–accumulates of the backward pass."""
        return as_dim(self.backward_input + self.backward_weight)

    @property
    def macs(self) -> Dim:
        """Multiply–accumulates of the whole step."""
        return as_dim(self.forward + self.backward)

    def _macs(self, times: Callable[[TrainingRow], int]) -> Dim:
        """Return the sum of the forward products of all rows, each so many times."""
        total: Dim = 0
        for most in (1, 2):
            names = [row.name for row in self.rows if times(row) >= most]
            total = total + self._costs.of_nodes(names).macs
        return as_dim(total)


def training_cost(network: Network) -> TrainingCost:
    """Return what one training step of a network costs, forward and backward.

    Work an element (normalization, activations, the update of weights) is none of
    multiply–accumulates, and not part of it.

    **Units**: multiply–accumulates, and additions for biases, of a batch.
    **Errors**: an operator that stands in neither table.

    >>> from costmodel.network.build import conv, image, network
    >>> costs = training_cost(network(conv(conv(image(), 8, kernel=3), 8, kernel=1)))
    >>> costs.forward, costs.backward_input, costs.backward_weight
    (280*H*N*W, 64*H*N*W, 280*H*N*W)
    """
    costs = cost(network)
    for row in costs.rows:
        _learns(row)
    return TrainingCost(costs, network)


def _factors(
    row: Row, needs: Mapping[str, bool], stored: Container[str]
) -> tuple[int, int]:
    """Return of how many operands and weights the gradient is that multiplies.

    Each gradient of a product of operands costs what the product does. Of attention's
    products softmax(q·kᵀ)·v each has two gradients: all four cost it twice.
    """
    learns, sources = _learns(row), row.node.inputs
    if not learns.factors:
        return int(any(needs[source] for source in sources)), int(learns.weights)
    wanted = [source for source in sources if needs[source]]
    weights = sum(source in stored for source in wanted)
    if not isinstance(row.node.operator, op.Attention):
        return len(wanted) - weights, weights
    if not all(needs[source] and source not in stored for source in sources[:3]):
        if not wanted:
            return 0, 0
        raise at(row.kind, row.name, "only some of query, key and value get a gradient")
    return 2, 0


def _learns(row: Row) -> Learns:
    """Return what an operator's backward multiplies, or say that it has no rule."""
    kind = type(row.node.operator)
    if kind in PRODUCTS:
        return PRODUCTS[kind]
    if kind in NO_PRODUCTS:
        return Learns(weights=False, bias=False)
    raise CostModelError(
        f"{row.kind}: what its backward multiplies is not known; add it to PRODUCTS "
        "or NO_PRODUCTS of costmodel/analysis/training.py"
    )
