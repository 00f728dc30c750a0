"""In-place activations in compiled modules, as in the modules of libraries."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn

from costmodel.bridge.compile import spatial_ranks
from costmodel.bridge.compile.functions import pointwise_modules


ACTIVATIONS = tuple(
    kind for kind, layer in pointwise_modules().items() if layer.row.in_place
)
"""Layers that PyTorch can run in place."""

MAKERS = (
    nn.Linear, nn.LayerNorm, nn.GroupNorm, *spatial_ranks.CONV.values(),
    *spatial_ranks.CONV_TRANSPOSE.values(), *spatial_ranks.BATCH_NORM.values(),
    *spatial_ranks.INSTANCE_NORM.values(),
)  # fmt: skip
"""Layers whose results are new blocks, neither views nor inputs of the caller."""


def overwrite(module: fx.GraphModule) -> fx.GraphModule:
    """Make each activation in-place whose operand nothing else reads.

    Results are the same. In evaluation only: autograd may need what is overwritten.
    """
    leaves = dict(module.named_modules())
    for node in module.graph.nodes:
        leaf = leaves.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(leaf, ACTIVATIONS) and _is_free(node.args[0], leaves):
            leaf.inplace = True
    return module


def _is_free(source: object, leaves: dict[str, nn.Module]) -> bool:
    """Say whether a value is a new block, or a sum, with a single reader."""
    if not isinstance(source, fx.Node) or len(source.users) != 1:
        return False
    if source.op == "call_function":
        return source.target in (operator.add, torch.add)
    return isinstance(leaves.get(str(source.target)), MAKERS)


__all__ = ["overwrite"]
