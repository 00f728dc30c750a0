"""Parts of a compiled module that run under a checkpoint, and again in backward."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from itertools import count
from typing import Any

from torch import fx, nn
from torch.utils.checkpoint import checkpoint

from costmodel.errors import at
from costmodel.network.graph import Network


class Checkpointed(nn.Module):
    """Runs a part of a network under a checkpoint.

    The part stores nothing: it is given its layers as it is given tensors, so that
    they stay in the module under their own names.
    """

    def __init__(self, part: fx.GraphModule, *, stops_early: bool) -> None:
        """Keep both."""
        super().__init__()
        self.part, self.stops_early = part, stops_early

    def forward(self, *given: Any) -> Any:
        """Return a tensor, or a tuple of those that are read outside."""
        return checkpoint(self.part.forward, *given, use_reentrant=not self.stops_early)


def put_under_checkpoints(
    graph: fx.Graph,
    network: Network,
    owners: Mapping[fx.Node, str],
    leaves: dict[str, Any],
) -> None:
    """Put one call in place of the nodes of each checkpoint, inner ones first.

    ``owners``: the network's node that each node of the graph was made for.

    **Errors**: a node that runs between those of a checkpoint, and is not among them.
    """
    owners = dict(owners)
    scopes = {node.name.partition(".")[0] for node in network.nodes}
    names = (f"checkpoint{number}" for number in count(1))
    for one in sorted(network.checkpoints, key=lambda one: len(one.nodes)):
        within = {*one.nodes}
        there = [node for node in graph.nodes if node.op != "placeholder"]
        is_inside = [owners.get(node) in within for node in there]
        if True not in is_inside:
            continue
        first, last = is_inside.index(True), len(there) - is_inside[::-1].index(True)
        for node in there[first:last]:
            if (name := owners[node]) not in within:
                problem = f'runs between nodes of the checkpoint of "{one.nodes[0]}"'
                raise at(
                    network[name].operator.kind, name, f"{problem}, and is not in it"
                )
        name = next(name for name in names if name not in scopes)
        part, made = _replaced(graph, there[first:last], name)
        leaves[name] = Checkpointed(part, stops_early=one.stops_early)
        owners |= dict.fromkeys(made, one.nodes[0])


def _replaced(
    graph: fx.Graph, inside: list[fx.Node], name: str
) -> tuple[fx.GraphModule, list[fx.Node]]:
    """Move nodes to a graph of their own; return it, and what stands in their place."""
    results = [node for node in inside if node.users.keys() - {*inside}]
    read = [one for node in inside for one in node.all_input_nodes]
    outside = dict.fromkeys(node for node in read if node not in inside)
    targets = [node.target for node in inside if node.op in ("call_module", "get_attr")]
    part = fx.Graph()
    names = (f"given{number}" for number in count(1))
    values = {node: part.placeholder(next(names)) for node in outside}
    layers = {t: part.placeholder(next(names)) for t in dict.fromkeys(targets)}
    for node in inside:
        if node.op == "get_attr":
            values[node] = layers[node.target]
            continue
        values[node] = part.node_copy(node, values.__getitem__)
        if node.op == "call_module":
            values[node].op, values[node].target = "call_function", operator.call
            values[node].args = (layers[node.target], *values[node].args)
    ends = tuple(values[node] for node in results)
    part.output(ends[0] if len(ends) == 1 else ends)
    with graph.inserting_before(inside[0]):
        stored = [graph.get_attr(str(target)) for target in layers]
        call = graph.call_module(name, (*outside, *stored))
        made = [call]
        if len(results) != 1:
            made = [graph.call_function(operator.getitem, (call, place))
                    for place, _ in enumerate(results)]  # fmt: skip
    for node, instead in zip(results, made, strict=True):
        node.replace_all_uses_with(instead, lambda user: user not in inside)
    for node in reversed(inside):
        graph.erase_node(node)
    return fx.GraphModule({}, part), [*stored, call, *made]
