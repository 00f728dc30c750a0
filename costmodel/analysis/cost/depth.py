"""How deep a network is: layers of units on its longest path, as papers count them."""

from __future__ import annotations

from costmodel.network import operators as op
from costmodel.network.graph import Network


def depth(network: Network) -> int:
    """Return the layers of units with weights on the longest path.

    The papers' depth: 8 of AlexNet, 152 of ResNet-152; projections run beside it.
    Convolutions and fully connected layers count, LeNet-5's output layer among them;
    the second operand of a product is a gate, and runs beside as well.
    """
    longest: dict[str, int] = {}
    for node in network.nodes:
        gated = op.is_gated(node.operator, network.shapes_into(node))
        sources = node.inputs[:1] if gated else node.inputs
        before = max((longest[source] for source in sources), default=0)
        longest[node.name] = before + isinstance(node.operator, op.Weighted)
    return max(longest[output] for output in network.outputs)
