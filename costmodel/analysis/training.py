"""What a training step costs: the products forward, and those of both gradients.

y = Σ w·x has one product for each pair of a weight and an element that it meets. The
gradients ∂L/∂x = Σ w·∂y and ∂L/∂w = Σ x·∂y have one for each such pair as well: by
definition each costs what the forward pass costs, whatever groups, stride and dilation
are. Padded taps count, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.cost import Cost, Row, cost
from costmodel.analysis.saved import needs_gradient
from costmodel.errors import CostModelError
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


PRODUCTS = {
    op.Conv2d: Learns(),
    op.TableConv2d: Learns(),
    op.Linear: Learns(),
    # Its codes are fixed; ∂L/∂x_j = Σ_i 2(x_j − w_ij)·∂y_i.
    op.RadialBasis: Learns(weights=False, bias=False),
}
"""Operators that multiply and accumulate. An addition for the bias is one backward."""

NO_PRODUCTS: frozenset[type[Operator]] = frozenset({
    op.Input, op.BatchNorm2d, op.LocalResponseNorm, op.ReLU, op.ReLU6, op.Sigmoid,
    op.SiLU, op.Tanh, op.ScaledTanh, op.HardSigmoid, op.HardSwish, op.HardTanh,
    op.Softmax, op.Identity, op.Dropout, op.MaxPool2d, op.AvgPool2d, op.Subsample2d,
    op.AdaptiveAvgPool2d, op.AdaptiveMaxPool2d, op.Add, op.Multiply, op.Concat,
    op.Flatten, op.Pad2d, op.Zeros, op.PadChannels, op.SelectChannels,
    op.ChannelShuffle,
})  # fmt: skip
"""Operators without multiply–accumulates: work an element, in the tally."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """What one node costs; ``needs_input``: its operand gets a gradient."""

    row: Row
    needs_input: bool

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
        return self.row.macs if self.needs_input else 0

    @property
    def backward_weight(self) -> Dim:
        """Those of the gradient of the weights."""
        return self.row.macs if _learns(self.row).weights else 0

    @property
    def bias_additions(self) -> Dim:
        """Additions into the bias's gradient: one for each output."""
        return self.row.tally.add if _learns(self.row).bias else 0


class TrainingCost:
    """The totals of a training step, and a row a node in network order."""

    def __init__(self, costs: Cost, needs: dict[str, bool]) -> None:
        """Keep the rows; each total is added when first asked for."""
        self._costs = costs
        self.rows = tuple(
            TrainingRow(row, any(needs[source] for source in row.node.inputs))
            for row in costs.rows
        )

    @property
    def forward(self) -> Dim:
        """Multiply–accumulates of the forward pass."""
        return self._costs.macs

    @cached_property
    def backward_input(self) -> Dim:
        """Those of the gradients of activations; none for the first layer."""
        return self._macs(lambda row: row.needs_input)

    @cached_property
    def backward_weight(self) -> Dim:
        """Those of the gradients of weights."""
        return self._macs(lambda row: _learns(row.row).weights)

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

    def _macs(self, chosen: Callable[[TrainingRow], bool]) -> Dim:
        return self._costs.of_nodes(row.name for row in self.rows if chosen(row)).macs


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
    return TrainingCost(costs, needs_gradient(network))


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
