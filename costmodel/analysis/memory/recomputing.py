"""What a checkpoint runs again in backward, and what it keeps until then."""

from __future__ import annotations

from costmodel.analysis.memory.tensors import ForwardPass
from costmodel.errors import at
from costmodel.network import operators as op
from costmodel.network.graph import Network


def recomputed(network: Network) -> frozenset[str]:
    """Return the nodes that run again in the backward pass of a training step.

    A checkpoint runs again if a gradient gets to a node of it that saved a tensor, a
    weight included. PyTorch stops at the last tensor that is saved: an operator that
    saves operands alone has not run by then.

    **Errors**: a checkpoint within another one; one that ends in a convolution by a
    table, which saves a tensor for each of its rows.
    """
    if not network.checkpoints:
        return frozenset()
    run = ForwardPass(network, training=True, element_bytes=4, in_place=False)
    found: set[str] = set()
    for checkpoint in network.checkpoints:
        saving = [name for name in checkpoint.nodes if run.saves(network[name])]
        if not any(name in run.flow.reached for name in saving):
            continue
        again = checkpoint.nodes
        if checkpoint.stops_early:
            last = network[saving[-1]]
            if isinstance(last.operator, op.TableConv2d):
                problem = "of it, a checkpoint that ends here runs a part again"
                raise at(last.operator.kind, last.name, problem)
            again = again[: again.index(last.name) + run.call(last)[1].result]
        found.update(again)
    return frozenset(found)
