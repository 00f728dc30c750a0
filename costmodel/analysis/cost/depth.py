"""The depth of a network: layers with weights on its longest path, as in papers."""

from __future__ import annotations

from costmodel.network import operators as op
from costmodel.network.graph import Network


def depth(network: Network) -> int:
    """Return the number of layers with weights on the longest path.

    The papers' depth: 8 for AlexNet, 152 for ResNet-152, without projections.
    Convolutions and fully connected layers count, also LeNet-5's output layer;
    the second operand of a product is a gate, which is not followed.
    """
    longest: dict[str, int] = {}
    for node in network.nodes:
        gated = op.is_gated(node.operator, network.shapes_into(node))
        sources = node.inputs[:1] if gated else node.inputs
        before = max((longest[source] for source in sources), default=0)
        longest[node.name] = before + isinstance(node.operator, op.Weighted)
    return max(longest[output] for output in network.outputs)
