"""Tensors of the backward pass: the gradient of each result, and its lifetime.

PyTorch adds a second gradient into the first where nothing else holds the first; else
the sum is a tensor of its own. So it is where the first is a part of a larger gradient,
as that of a concatenation (a batch of one may make an exception).

**Source**: PyTorch, ``torch/csrc/autograd/input_buffer.cpp``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from costmodel.analysis.memory.autograd_saved import is_repeated, passed_operands
from costmodel.analysis.memory.recomputing import run_again
from costmodel.analysis.memory.tensors import ForwardPass, Tensor
from costmodel.errors import at
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.node import Node


def _require_known(run: ForwardPass, node: Node) -> None:
    """Refuse a product that repeats a stored left operand for every sample."""
    if isinstance(node.operator, op.MatMul):
        left, right = node.inputs
        stored = run.network.unbatched
        if run.flow.needs[left] and left in stored and right not in stored:
            problem = "what the gradient of a stored left operand takes is not known"
            raise at(node.operator.kind, node.name, problem)


class Gradient(NamedTuple):
    """A tensor that holds a gradient; ``is_whole`` unless part of a larger one."""

    tensor: Tensor
    is_whole: bool = True
    is_fresh: bool = False


@dataclass
class Backward:
    """The state of a backward pass: pending gradients, by the node of the result."""

    run: ForwardPass
    pending: dict[str, Gradient] = field(default_factory=dict)
    _holders: Counter[int] = field(default_factory=Counter)
    """By tensor: the number of its holders."""
    _repeated: set[Checkpoint] = field(default_factory=set)

    def steps(self) -> Iterator[tuple[str, Literal["backward", "recomputed"]]]:
        """Run the backward of every node that a gradient reaches, last one first.

        The loss gives each of the network's results a gradient. A checkpoint runs
        again before the first backward that needs what was saved in it.
        """
        run = self.run
        time = len(run.network.nodes)
        for name in dict.fromkeys(run.root[output] for output in run.network.outputs):
            if run.flow.needs[name]:
                self._accumulate(name, self._make(name, time), time)
        for node in reversed(run.network.nodes):
            if node.name in self.pending:
                for name in self._again(node, time):
                    yield name, "recomputed"
                    time += 1
                self._step(node, time)
                yield node.name, "backward"
                time += 1

    def _again(self, node: Node, time: int) -> tuple[str, ...]:
        """Run a node's checkpoint again if the node is the first to need it."""
        checkpoint = self.run.checkpoint_of.get(node.name)
        if checkpoint is None or checkpoint in self._repeated:
            return ()
        if not (checkpoint.stops_early and self.run.saves(node)):
            return ()
        self._repeated.add(checkpoint)
        return run_again(self.run, checkpoint, time)

    def _step(self, node: Node, time: int) -> None:
        """Use a node's gradient, free what it saved, and give its operands theirs."""
        run = self.run
        for tensor in run.saved[node.name]:
            tensor.last = time
        mine = self.pending.pop(node.name)
        mine.tensor.last = time
        handed = list(self._handed(node, mine, time))
        self._holders[id(mine.tensor)] -= 1
        for name, gradient in handed:
            self._accumulate(name, gradient, time)

    def _handed(
        self, node: Node, mine: Gradient, time: int
    ) -> Iterator[tuple[str, Gradient]]:
        """Give the operands their gradients: a new tensor each, or the node's own."""
        run = self.run
        _require_known(run, node)
        names = [run.root[source] for source in node.inputs]
        wanted = [(p, n) for p, n in enumerate(names) if run.flow.passes(node, n)]
        passed, stored = passed_operands(run.call(node)[0]), run.network.unbatched
        # The gradient of a stored operand is a sum over the samples.
        shared = stored if node.name not in stored else frozenset()
        served = [n for place, n in wanted if place in passed and n not in shared]
        is_part = isinstance(node.operator, op.Concat) or is_repeated(node.operator)
        self._holders[id(mine.tensor)] += len(served)
        for name in served:
            yield name, Gradient(mine.tensor, mine.is_whole and not is_part)
        # If both operands are one tensor, the node itself adds their gradients.
        made = (n for place, n in wanted if place not in passed or n in shared)
        for name in dict.fromkeys(made):
            yield name, self._make(name, time)

    def _accumulate(self, name: str, new: Gradient, time: int) -> None:
        """Add a gradient to what the node's result already has."""
        old = self.pending.get(name)
        if old is None:
            self.pending[name] = new
            return
        old.tensor.last = new.tensor.last = time
        if old.is_whole and self._holders[id(old.tensor)] == 1:
            self._holders[id(new.tensor)] -= 1
            return
        self._holders[id(old.tensor)] -= 1
        if not new.is_fresh:
            self._holders[id(new.tensor)] -= 1
            new = self._make(name, time)
        self.pending[name] = new

    def _make(self, name: str, time: int) -> Gradient:
        """Make a gradient as large as a node's result."""
        node = self.run.network.by_name[name]
        # Those of stored tensors are among the gradients of weights.
        if node.operator.is_unbatched:
            tensor = self.run.outside(name, time)
        else:
            tensor = self.run.make(name, "gradient", node.output.numel, time)
        self._holders[id(tensor)] = 1
        return Gradient(tensor, is_fresh=True)
