"""Networks whose operators are written in any form: modules, functions, methods."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import FORMS, Node


METHODS = {"relu", "sigmoid", "tanh", "softmax", "matmul"}
"""Operators that are methods of a tensor, or signs."""

OURS = (op.TableConv2d, op.RadialBasis, op.Subsample2d)
"""Layers for which PyTorch has no module that code could do without."""


@st.composite
def in_forms(draw: st.DrawFn, net: Network) -> Network:
    """Draw a form for every operator that compiling writes in several."""
    nodes = (
        replace(node, form=draw(st.sampled_from(_forms(net, node))))
        for node in net.nodes
    )
    return replace(net, nodes=tuple(nodes))


def _forms(net: Network, node: Node) -> tuple[str, ...]:
    """Return the forms of a node; a shared layer is called as its owner is."""
    layer, shares = node.operator, {*net.shared, *net.shared.values()}
    if not node.inputs or isinstance(layer, OURS) or node.name in shares:
        return FORMS[:1]
    if net.weights_of(node):
        return ("module", "subclass")
    return FORMS[:3] if layer.kind in METHODS else FORMS[:2]
