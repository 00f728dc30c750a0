"""The cost of a network: one row per node, sums by scope and operator, and totals.

Counts are those of a batch of N samples in evaluation mode; they are exact sympy
expressions, and plain ``int`` once every symbol is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from costmodel.algebra.count import Count
from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import Tally
from costmodel.analysis.cost.totals import METRICS, OperatorCost, Totals
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operator import Weights
from costmodel.network.shape import Shape, counted


class Row(Totals):
    """The quantities of one node."""

    def __init__(self, node: Node, counted: OperatorCost, batch: Dim) -> None:
        """Keep the node and what it costs per sample."""
        self._costs = [(counted, 1)]
        self._batch = batch
        self.node = node
        self.sample = counted

    @property
    def name(self) -> str:
        """The node's name, scopes first."""
        return self.node.name

    @property
    def kind(self) -> str:
        """The operator's kind."""
        return self.node.operator.kind


class Cost(Totals):
    """The totals of a network, and its rows in network order."""

    def __init__(self, rows: Iterable[Row], batch: Dim) -> None:
        """Keep the rows."""
        self.rows = tuple(rows)
        super().__init__((row.sample for row in self.rows), batch)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of nodes without a rule."""
        return tuple(row.name for row in self.rows if row.sample.is_unknown)

    def flops(
        self, convention: str, *, written: Mapping[str, str] | None = None
    ) -> Dim:
        """Return the count that a tool prints for the network, in the tool's own unit.

        ``written`` names operators, layers or scopes that a module does not write as
        modules, but as a ``"function"`` or in ``"arithmetic"``; compiled networks have
        none. Conventions and their units: :mod:`costmodel.analysis.conventions`.

        >>> from costmodel.network.build import image, network, relu
        >>> costs = cost(network(relu(image()), batch=1))
        >>> costs.flops("ptflops")
        6*H*W
        >>> costs.flops("ptflops", written={"relu": "function"})
        3*H*W
        """
        from costmodel.analysis.conventions import count

        return count(self.rows, self._batch, convention, written or {})

    def by_scope(self, depth: int = 1) -> dict[str, Totals]:
        """Return sums by the first ``depth`` levels of scope, in network order."""
        if type(depth) is not int or depth < 1:
            raise CostModelError(f"by_scope: depth {depth!r} is not an integer ≥ 1")
        return self._group(lambda row: ".".join(row.name.split(".")[:depth]))

    def by_operator(self) -> dict[str, Totals]:
        """Return sums by the kind of operator, in order of first use."""
        return self._group(lambda row: row.kind)

    def of(self, layer: str) -> Totals:
        """Return the sums of one node, or of every node of one scope."""
        rows = [r for r in self.rows if f"{r.name}.".startswith(f"{layer}.")]
        if not rows:
            raise CostModelError(f'no layer or scope "{layer}"')
        return self._sums(rows)

    def of_nodes(self, names: Iterable[str]) -> Totals:
        """Return the sums of some nodes."""
        wanted = set(names)
        return self._sums(row for row in self.rows if row.name in wanted)

    def _group(self, key: Callable[[Row], str]) -> dict[str, Totals]:
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return {name: self._sums(rows) for name, rows in groups.items()}

    def _sums(self, rows: Iterable[Row]) -> Totals:
        return Totals((row.sample for row in rows), self._batch)


def cost(network: Network, *, bytes_per_element: int = 4) -> Cost:
    """Return the cost of a network.

    **Units**: parameters and activations in elements, the tally in operations, bytes
    at ``bytes_per_element`` (4 is float32).

    >>> from costmodel.network.build import conv, image, network
    >>> cost(network(conv(image(), 8, kernel=3))).macs
    216*H*N*W
    """
    if type(bytes_per_element) is not int or bytes_per_element < 1:
        raise CostModelError(
            f"bytes_per_element {bytes_per_element!r} is not a whole number"
        )
    # Deep networks repeat their layers: the cost of the same operator on the same
    # shapes is computed once.
    known: dict[tuple[int, ...], OperatorCost] = {}
    rows, unbatched = [], network.unbatched
    for node in network.nodes:
        shapes = network.shapes_into(node)
        stored = tuple([source in unbatched for source in node.inputs])
        key = (id(node.operator), *map(id, shapes), *stored)
        counted = known.get(key)
        if counted is None:
            counted = known[key] = _counted(node, shapes, stored, bytes_per_element)
        if node.name in network.sharing:
            learned, fixed = _stored(network.weights_of(node))
            counted = replace(counted, parameters=learned, buffers=fixed)
        rows.append(Row(node, counted, network.batch))
    return Cost(rows, network.batch)


def _counted(
    node: Node, inputs: tuple[Shape, ...], stored: tuple[bool, ...], width: int
) -> OperatorCost:
    """Return the cost of a node; operands that are stored are read once per batch."""
    operator = node.operator
    read = [counted(x) for x in inputs]
    made = counted(node.output)
    is_stored = (operator.is_unbatched or bool(stored)) and all(stored)
    of_sample = [x for x, once in zip(read, stored) if is_stored or not once]
    shared = [x for x, once in zip(read, stored) if once and not is_stored]
    weights = operator.weights(*read)
    # A scalar buffer (how many batches were seen) is stored, but never read here.
    read_weights = sum(w.numel for w in weights.values() if w.shape) if inputs else 0
    tally = Tally() if operator.is_unknown else operator.tally(made, *read)
    moves = bool(inputs) and not operator.view
    learned, fixed = _stored(weights)
    return OperatorCost(
        tally=tally,
        parameters=learned,
        buffers=fixed,
        activations=made.numel if operator.is_layer else 0,
        connections=operator.connections(tally),
        weight_bytes=width * (read_weights + _elements(shared, moves=moves)),
        operand_bytes=width * _elements(of_sample, moves=moves),
        output_bytes=width * made.numel if moves else 0,
        is_stored=is_stored,
        is_unknown=operator.is_unknown,
    )


def _stored(weights: Weights) -> tuple[Dim, Dim]:
    """Return how many numbers are learned, and how many are only stored."""
    numbers = [(w.numel, w.learnable) for w in weights.values()]
    learned = sum(n for n, is_learned in numbers if is_learned)
    return learned, sum(n for n, is_learned in numbers if not is_learned)


def _elements(shapes: Iterable[Shape], *, moves: bool) -> Count:
    """Return the elements of some operands; views move none."""
    return sum(x.numel for x in shapes) if moves else 0


__all__ = ["METRICS", "Cost", "Row", "Totals", "cost"]
