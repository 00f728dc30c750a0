"""The cost of a training step: products of the forward pass and of both gradients.

y = Σ w·x has one product for each pair of a weight and an element. The gradients
∂L/∂x = Σ w·∂y and ∂L/∂w = Σ x·∂y have one for each such pair as well, so by
definition each costs what the forward pass costs, whatever groups, stride and dilation
are. Padded taps count, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.cost import Cost, Row, cost
from costmodel.analysis.memory.gradient_flow import (
    GradientFlow,
    gradient_flow,
    own_backward,
)
from costmodel.analysis.memory.recomputing import recomputed
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network


PARTS = {
    "forward": "multiply–accumulates of the forward pass, per batch",
    "backward_input": "multiply–accumulates of the gradients of activations",
    "backward_weight": "multiply–accumulates of the gradients of weights",
    "recomputed": "multiply–accumulates of forward that checkpoints repeat in backward",
    "bias_additions": "additions into the gradients of biases",
}
"""The quantities of a row and of the totals, with their units."""


class GradientFactors(NamedTuple):
    """Which factors of an operator's products get a gradient."""

    weights: bool = True
    bias: bool = True
    factors: bool = False
    """True if both factors are operands, so that each may get a gradient."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """The cost of one node, and the numbers of its factors that get a gradient.

    ``inputs`` are operands that get a gradient and depend on the sample; ``weights``
    are learned tensors, stored here or given as operands. Both are 0 for a node that no
    gradient of the network's results gets to.
    """

    row: Row
    inputs: int
    weights: int
    has_bias: bool
    is_recomputed: bool = False

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
        """Those of the operand's gradient: none if nothing before it learns."""
        return as_dim(self.inputs * self.row.macs)

    @property
    def backward_weight(self) -> Dim:
        """Those of the gradient of the weights."""
        return as_dim(self.weights * self.row.macs)

    @property
    def recomputed(self) -> Dim:
        """Those of the forward pass, if a checkpoint runs it again in backward."""
        return self.row.macs if self.is_recomputed else 0

    @property
    def bias_additions(self) -> Dim:
        """Additions into the bias's gradient: one for each output."""
        return self.row.tally.add if self.has_bias else 0


class TrainingCost:
    """The totals of a training step, and one row per node in network order."""

    def __init__(self, costs: Cost, network: Network) -> None:
        """Keep the rows; each total is summed on first use."""
        self._costs = costs
        flow, again = gradient_flow(network), recomputed(network)
        self.rows = tuple(
            replace(_training_row(row, flow), is_recomputed=row.name in again)
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
    def recomputed(self) -> Dim:
        """Those of the forward pass that checkpoints repeat in backward."""
        return self._macs(lambda row: int(row.is_recomputed))

    @cached_property
    def bias_additions(self) -> Dim:
        """Additions into the gradients of biases."""
        names = [row.name for row in self.rows if row.has_bias]
        return self._costs.of_nodes(names).tally.add

    @property
    def backward(self) -> Dim:
        """Multiply–accumulates of the backward pass, with what it computes again."""
        return as_dim(self.backward_input + self.backward_weight + self.recomputed)

    @property
    def macs(self) -> Dim:
        """Multiply–accumulates of the whole step."""
        return as_dim(self.forward + self.backward)

    def _macs(self, times: Callable[[TrainingRow], int]) -> Dim:
        """Return the sum of the forward MACs of all rows, each times its factor."""
        total: Dim = 0
        for most in (1, 2):
            names = [row.name for row in self.rows if times(row) >= most]
            total = total + self._costs.of_nodes(names).macs
        return as_dim(total)


def training_cost(network: Network) -> TrainingCost:
    """Return the cost of one training step of a network, forward and backward.

    Elementwise work (normalization, activations, the update of weights) has no
    multiply–accumulates, and is not included.

    **Units**: multiply–accumulates, and additions for biases, of a batch.
    **Errors**: an operator that multiplies, and is neither weighted nor a product.

    >>> from costmodel.network.build import conv, image, network
    >>> costs = training_cost(network(conv(conv(image(), 8, kernel=3), 8, kernel=1)))
    >>> costs.forward, costs.backward_input, costs.backward_weight
    (280*H*N*W, 64*H*N*W, 280*H*N*W)
    """
    return TrainingCost(cost(network), network)


def _training_row(row: Row, flow: GradientFlow) -> TrainingRow:
    is_own = row.name in flow.network.own_backward and row.name in flow.reached
    if is_own and (row.sample.is_unknown or row.macs != 0):
        raise own_backward(row.node, "multiplies")
    learns = _gradient_factors(row, flow)
    if row.name not in flow.reached:
        return TrainingRow(row, 0, 0, has_bias=False)
    factors = _factors(row, learns, flow.needs, flow.network.unbatched)
    return TrainingRow(row, *factors, has_bias=learns.bias)


def _factors(
    row: Row, learns: GradientFactors, needs: Mapping[str, bool], stored: Container[str]
) -> tuple[int, int]:
    """Return the numbers of operands and weights whose gradients are products.

    Each gradient of a product of operands costs what the product does. Each of the two
    products in softmax(q·kᵀ)·v has two gradients: all four cost attention twice, and
    fused kernels compute all four, also where only some are wanted.
    """
    sources = row.node.inputs
    if not learns.factors:
        return int(any(needs[source] for source in sources)), int(learns.weights)
    wanted = [source for source in sources if needs[source]]
    weights = sum(source in stored for source in wanted)
    if not isinstance(row.node.operator, op.Attention):
        return len(wanted) - weights, weights
    if any(source in stored for source in wanted):
        raise at(row.kind, row.name, "a query, key or value is a stored tensor")
    return (2, 0) if wanted else (0, 0)


def _gradient_factors(row: Row, flow: GradientFlow) -> GradientFactors:
    """Return which factors of an operator get a gradient, from its facts.

    The factors are a product's operands, or stored weights; fixed codes, such as
    LeNet-5's, get no gradient. Adding a bias is an addition in backward as well.
    """
    operator = row.node.operator
    if isinstance(operator, op.Product):
        return GradientFactors(weights=False, bias=False, factors=True)
    if isinstance(operator, op.Weighted):
        biases, others = _sorted(flow.learned[row.name])
        stored = operator.weights(*flow.network.shapes_into(row.node)).items()
        _, known = _sorted([name for name, weight in stored if weight.learnable])
        if 0 < len(others) < len(known):
            problem = f"of its weights, only {', '.join(others)} get a gradient"
            raise at(row.kind, row.name, problem)
        return GradientFactors(weights=bool(others), bias=bool(biases))
    if row.sample.is_unknown or row.macs != 0:
        raise CostModelError(
            f"{row.kind}: what its backward multiplies is not known; an operator that "
            "multiplies and accumulates is a Weighted one or a Product"
        )
    return GradientFactors(weights=False, bias=False)


def _sorted(weights: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the biases among a layer's weights, and the others."""
    weights = list(weights)
    biases = [name for name in weights if name.endswith("bias")]
    return biases, [name for name in weights if name not in biases]
