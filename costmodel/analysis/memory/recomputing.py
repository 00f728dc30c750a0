"""What a checkpoint runs again in backward, and what is there meanwhile."""

from __future__ import annotations

from costmodel.analysis.memory.autograd_saved import Call
from costmodel.analysis.memory.tensors import ForwardPass, Tensor
from costmodel.errors import at
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.graph import Network
from costmodel.network.node import Node


def recomputed(network: Network) -> frozenset[str]:
    """Return the nodes that run again in the backward pass of a training step.

    A checkpoint runs again if a gradient gets to a node of it that saved a tensor, a
    weight included. PyTorch stops at the last tensor that is saved: an operator that
    saves operands alone has not run by then.

    **Errors**: a checkpoint within another one; one that ends in an operator in parts.
    """
    if not network.checkpoints:
        return frozenset()
    run = ForwardPass(network, training=True, element_bytes=4, in_place=False)
    found: set[str] = set()
    for checkpoint in network.checkpoints:
        saving = [name for name in checkpoint.nodes if run.saves(network[name])]
        if any(name in run.flow.reached for name in saving):
            again, stop = _again(run, checkpoint)
            found.update(again)
            if stop is not None and run.call(stop)[1].result:
                found.add(stop.name)
    return frozenset(found)


def _again(
    run: ForwardPass, checkpoint: Checkpoint
) -> tuple[tuple[str, ...], Node | None]:
    """Return the nodes that a checkpoint runs to their end, and the one it stops in."""
    if not checkpoint.stops_early:
        return checkpoint.nodes, None
    name = [name for name in checkpoint.nodes if run.saves(run.network[name])][-1]
    last = run.network[name]
    if is_in_parts(run.call(last)[0]):
        problem = "what a checkpoint that ends here runs of it again is not modelled"
        raise at(last.operator.kind, name, problem)
    return checkpoint.nodes[: checkpoint.nodes.index(name)], last


def is_in_parts(call: Call) -> bool:
    """Say whether autograd saves between an operator's parts, or a part's weight."""
    operator = call.operator
    if isinstance(operator, op.Pointwise):
        return "intermediate" in operator.row.saved
    is_fixed = isinstance(operator, op.Subsample2d) and "weight" in call.fixed
    return is_fixed or isinstance(operator, op.TableConv2d)


def run_again(run: ForwardPass, checkpoint: Checkpoint, time: int) -> tuple[str, ...]:
    """Run a checkpoint again from a step on; return the nodes that run, one a step.

    What a node saves now is there until its own backward. The node that the checkpoint
    stops in has a step if it makes anything.
    """
    network, before = run.network, dict(run.block_of)
    names, stop = _again(run, checkpoint)
    is_whole = True
    if stop is not None:
        saved = run.call(stop)[1]
        # What is saved of a root mean square is there before the last multiplication;
        # so are copies of operands, and what others make between.
        own = {extra.role for extra in saved.extras} - {"intermediate"}
        has_own = bool(own) and not isinstance(stop.operator, op.RMSNorm)
        is_whole = saved.result or has_own
        names += (stop.name,) if is_whole or saved.extras else ()
    kept: dict[str, list[Tensor]] = {}
    last: dict[str, int] = {}
    nodes = [network[name] for name in names]
    for step, node in enumerate(nodes, time):
        last |= dict.fromkeys((*node.inputs, node.name), step)
        run.run(node, step, is_whole=is_whole or node is not stop)
        kept[node.name] = run.kept(node, step)
    if stop is not None and stop.name not in kept:
        kept[stop.name] = run.kept(stop, time)
    end = time + len(names) - 1
    # What would be read later is there until then.
    later = [node for node in network.nodes if node.name not in names]
    read = {source for node in later for source in node.inputs} | {*network.outputs}
    for name in read & {*names}:
        if is_whole or name != names[-1]:
            last[name] = run.block_of[name].last = end
    run.release(nodes, kept, last)
    for name in kept.keys() & run.flow.reached:
        run.saved[name] = [*run.saved[name], *kept[name]]
    run.block_of = before
    return names
