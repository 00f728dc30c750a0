"""Lifetimes of a network's tensors, with nodes run in network order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from costmodel.analysis.memory.backward import Backward
from costmodel.analysis.memory.tensors import ForwardPass, Tensor
from costmodel.network.annotations import Checkpoint
from costmodel.network.graph import Network


class Step(NamedTuple):
    """One node at work, in the forward or the backward pass, or again in backward."""

    node: str
    stage: Literal["forward", "backward", "recomputed"]


class Schedule(NamedTuple):
    """Every step, and every tensor with its first and last step."""

    steps: tuple[Step, ...]
    tensors: tuple[Tensor, ...]


def lifetimes(
    network: Network,
    *,
    training: bool = False,
    element_bytes: int = 4,
    in_place: bool = False,
) -> Schedule:
    """Return the steps of an inference, or of a training step, and all tensors.

    Nodes run in network order. Included are the input, from the first step to its last
    reader; every result, from its node to its last reader; the network's results, to
    the end. In training also the tensors that autograd saves, until the backward of
    the node that saved them, and the gradient of each result, from the first node that
    adds to it to the backward of that result's own node. A checkpoint saves what it
    reads from outside, and its nodes run again in backward. Excluded are weights,
    buffers and their gradients, and workspace.

    ``in_place`` lets a ReLU overwrite its operand where nothing else needs that.

    **Units**: bytes; steps are places in ``steps``.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> steps, tensors = lifetimes(network(relu(conv(image(3, 4, 4), 8, kernel=3))))
    >>> [(tensor.node, tensor.first, tensor.last) for tensor in tensors]
    [('input', 0, 1), ('conv1', 1, 2), ('relu1', 2, 2)]
    """
    run = ForwardPass(network, training, element_bytes, in_place)
    run.forward()
    steps = [Step(node.name, "forward") for node in network.nodes]
    if training:
        steps += [Step(*step) for step in Backward(run).steps()]
        run.release(network.nodes, run.saved, _last_reader(run, steps))
    for name in network.outputs:
        run.block_of[name].last = len(steps) - 1
    return Schedule(tuple(steps), tuple(run.tensors))


def _last_reader(run: ForwardPass, steps: Sequence[Step]) -> dict[str, int]:
    """Return the last step that reads each result, or runs a checkpoint that may.

    As long as that has a backward left, autograd's graph of what it reads is there.
    """
    last = dict(run.last_reader)
    ends: dict[Checkpoint, int] = {}
    for index, (name, stage) in enumerate(steps):
        checkpoint = run.checkpoint_of.get(name)
        if checkpoint and (stage == "forward" or run.saves(run.network[name])):
            ends[checkpoint] = index
    for checkpoint, end in ends.items():
        for source in run.reads[checkpoint]:
            last[source] = max(last[source], end)
    return last
