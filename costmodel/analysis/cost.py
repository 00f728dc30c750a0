"""What a network costs: a row a node, sums by scope and operator, and totals.

Counts are those of a batch of N samples in evaluation mode; they are exact sympy
expressions, and plain ``int`` once every symbol is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import sympy

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import KINDS, Tally, total
from costmodel.errors import CostModelError
from costmodel.network.graph import Network, Node
from costmodel.network.operators import Conv2d, Linear, Subsample2d, TableConv2d


METRICS = {
    "parameters": "learnable scalars",
    "macs": "multiply–accumulates a batch",
    "activations": "elements output by conv and linear layers a batch",
    "connections": "links between units and their inputs, biases included, a batch",
    "buffers": "stored scalars that are not learned",
    "bytes_read": "bytes a batch reads: operands and weights",
    "bytes_written": "bytes a batch writes",
}
"""The quantities of a row, of a sum and of the totals, with their units."""

_COMPUTING = (Conv2d, TableConv2d, Linear)
"""Layers whose outputs are activations (Radosavovic et al. 2020, section 3)."""


class Sums:
    """Totals over rows; each is added once, when first asked for."""

    def __init__(self, rows: Iterable[Row], batch: Dim) -> None:
        """Keep the rows to be added."""
        self.rows = tuple(rows)
        self._batch = batch

    @cached_property
    def parameters(self) -> Dim:
        """Learnable scalars: weights, biases, scales and shifts."""
        return resolve(total(row.node_parameters for row in self.rows))

    @cached_property
    def buffers(self) -> Dim:
        """Stored scalars that are not learned, such as running statistics."""
        return resolve(total(row.node_buffers for row in self.rows))

    @cached_property
    def tally(self) -> Tally:
        """Every primitive operation, by kind."""
        return Tally(*(self._sum(lambda row, k=k: getattr(row.sample, k)) for k in KINDS))

    @cached_property
    def macs(self) -> Dim:
        """Multiply–accumulates: what papers and fvcore call FLOPs."""
        return self._sum(lambda row: row.sample.mac)

    @cached_property
    def activations(self) -> Dim:
        """Elements output by convolutions and linear layers."""
        return self._sum(lambda row: row.node_activations)

    @cached_property
    def connections(self) -> Dim:
        """Links of weighted layers: each output to every input it sees and its bias."""
        return self._sum(lambda row: row.node_connections)

    @cached_property
    def bytes_read(self) -> Dim:
        """Bytes of operands and weights; views read nothing."""
        weights = resolve(total(row.weight_bytes for row in self.rows))
        return _plain(self._sum(lambda row: row.operand_bytes) + weights)

    @cached_property
    def bytes_written(self) -> Dim:
        """Bytes of outputs; views write nothing."""
        return self._sum(lambda row: row.output_bytes)

    def metric(self, name: str) -> Dim:
        """Return a quantity by its name."""
        if name not in METRICS:
            raise CostModelError(f'unknown metric "{name}"; known are {", ".join(METRICS)}')
        value: Dim = getattr(self, name)
        return value

    def _sum(self, part: Callable[[Row], Dim]) -> Dim:
        """Add a part of every row, put the floors in, and take it N times."""
        return _plain(resolve(total(part(row) for row in self.rows)) * self._batch)


@dataclass(frozen=True, slots=True)
class Row:
    """One node's cost a sample, extents still opaque; :meth:`cost` makes it plain."""

    node: Node
    sample: Tally
    node_parameters: Dim
    node_buffers: Dim
    node_activations: Dim
    node_connections: Dim
    weight_bytes: Dim
    operand_bytes: Dim
    output_bytes: Dim
    batch: Dim

    @property
    def name(self) -> str:
        """The node's name, scopes first."""
        return self.node.name

    @property
    def kind(self) -> str:
        """The operator's kind."""
        return self.node.operator.kind

    @property
    def cost(self) -> Sums:
        """The node's quantities, as those of a network of one node."""
        return Sums([self], self.batch)


class Cost(Sums):
    """Rows in network order and their totals."""

    def by_scope(self, depth: int = 1) -> dict[str, Sums]:
        """Return sums by the first ``depth`` levels of scope, in network order."""
        if depth < 1:
            raise CostModelError(f"by_scope: depth {depth} is below 1")
        return self._group(lambda row: ".".join(row.name.split(".")[:depth]))

    def by_operator(self) -> dict[str, Sums]:
        """Return sums by the kind of operator, in order of first use."""
        return self._group(lambda row: row.kind)

    def of(self, layer: str) -> Sums:
        """Return the sums of one node, or of every node of one scope."""
        rows = [r for r in self.rows if f"{r.name}.".startswith(f"{layer}.")]
        if not rows:
            raise CostModelError(f'no layer or scope "{layer}"')
        return Sums(rows, self._batch)

    def _group(self, key: Callable[[Row], str]) -> dict[str, Sums]:
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return {name: Sums(rows, self._batch) for name, rows in groups.items()}


def cost(network: Network, *, bytes_per_element: int = 4) -> Cost:
    """Return what a network costs.

    **Units**: parameters and activations in elements, the tally in operations, bytes
    at ``bytes_per_element`` (4 is float32).

    >>> from costmodel.network.build import conv, image, network
    >>> cost(network(conv(image(), 8, kernel=3))).macs
    216*H*N*W
    """
    if type(bytes_per_element) is not int or bytes_per_element < 1:
        raise CostModelError(f"bytes_per_element {bytes_per_element!r} is no whole number")
    rows = (_row(network, node, bytes_per_element) for node in network.nodes)
    return Cost(rows, network.batch)


def depth(network: Network) -> int:
    """Return the layers with weights (conv and linear) on the longest path.

    The papers' depth: 8 of AlexNet, 152 of ResNet-152; projections run beside it.
    """
    longest: dict[str, int] = {}
    for node in network.nodes:
        before = max((longest[source] for source in node.inputs), default=0)
        longest[node.name] = before + isinstance(node.operator, _COMPUTING)
    return max(longest[output] for output in network.outputs)


def _row(network: Network, node: Node, width: int) -> Row:
    inputs, output = network.shapes_into(node), node.output
    operator = node.operator
    weights = operator.weights(*inputs).values()
    # A scalar buffer (how many batches were seen) is stored, but never read here.
    read_weights = total(w.numel for w in weights if w.shape)
    tally = operator.tally(output, *inputs)
    learned = total(w.numel for w in weights if w.learnable)
    stored = total(w.numel for w in weights if not w.learnable)
    reads = 0 if operator.view else total(x.numel for x in inputs)
    writes = 0 if operator.view or not inputs else output.numel
    return Row(
        node=node,
        sample=tally,
        node_parameters=learned,
        node_buffers=stored,
        node_activations=output.numel if isinstance(operator, _COMPUTING) else 0,
        node_connections=_connections(node, tally) if weights else 0,
        weight_bytes=width * read_weights,
        operand_bytes=width * reads,
        output_bytes=width * writes,
        batch=network.batch,
    )


def _connections(node: Node, tally: Tally) -> Dim:
    """Return links in the sense of LeCun et al. 1998: inputs seen, and a bias.

    LeNet-5's 340,908 are these; normalization has weights but is no layer of units.
    """
    if isinstance(node.operator, _COMPUTING):
        return tally.mac + tally.add
    if isinstance(node.operator, Subsample2d):
        return tally.add + tally.mul
    return tally.mac


def _plain(value: Dim) -> Dim:
    """Return a total as ``int``, or as one expanded sum."""
    return value if type(value) is int else sympy.expand(value)


__all__ = ["METRICS", "Cost", "Row", "Sums", "cost", "depth"]
