"""Topological order of the layers in a networkx graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import networkx as nx

from costmodel.errors import CostModelError
from costmodel.network.node import FORMS
from costmodel.network.operator import Operator


Layer: TypeAlias = (
    tuple[str, Operator, tuple[str, ...]] | tuple[str, Operator, tuple[str, ...], str]
)
"""A node's name, its operator, the names of what it reads, and its form if given."""


def layers_in_order(graph: nx.DiGraph) -> list[Layer]:
    """Return the layers in topological order, otherwise in the order of the graph.

    Errors name the node that is on a cycle, or whose operands are ambiguous.
    """
    if not isinstance(graph, nx.DiGraph):
        kind = type(graph).__name__
        raise CostModelError(f"from_graph: needs a networkx.DiGraph, got {kind}")
    operands = {node: _operands(graph, node) for node in graph.nodes}
    edges = [(source, node) for node, read in operands.items() for source in read]
    order = nx.DiGraph()
    order.add_nodes_from(graph.nodes)
    order.add_edges_from(edges)
    try:
        names = list(
            nx.lexicographical_topological_sort(
                order, key={node: i for i, node in enumerate(graph.nodes)}.get
            )
        )
    except nx.NetworkXUnfeasible:
        cycle = [edge[0] for edge in nx.find_cycle(order)]
        path = " → ".join(map(str, [*cycle, cycle[0]]))
        raise CostModelError(f'node "{cycle[0]}": is on the cycle {path}') from None
    return [
        (node, about["operator"], operands[node], about.get("form", FORMS[0]))
        for node, about in ((name, graph.nodes[name]) for name in names)
    ]


def _operands(graph: nx.DiGraph, node: object) -> tuple[str, ...]:
    attributes = graph.nodes[node]
    if "operator" not in attributes:
        raise CostModelError(f'node "{node}": has no attribute "operator"')
    before = list(graph.predecessors(node))
    inputs = attributes.get("inputs", before if len(before) < 2 else None)
    if inputs is None:
        raise CostModelError(
            f'node "{node}": give its operands in order, as the attribute "inputs"'
        )
    if isinstance(inputs, str) or not isinstance(inputs, Iterable):
        raise CostModelError(f'node "{node}": inputs {inputs!r} are not names')
    inputs = tuple(inputs)
    if missing := [source for source in inputs if source not in graph]:
        raise CostModelError(
            f'node "{node}": input "{missing[0]}" is missing from the graph'
        )
    if set(inputs) != set(before):
        raise CostModelError(
            f'node "{node}": inputs {inputs} differ from its edges from {tuple(before)}'
        )
    return inputs
