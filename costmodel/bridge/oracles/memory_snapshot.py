"""Measured lifetimes of memory blocks, while PyTorch runs a compiled module.

Nothing here uses our formulas. A dispatch mode sees each tensor that any operator
creates, below autograd, and a finalizer records when its memory is freed.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from traceback import clear_frames
from typing import Any

import torch
from torch import fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from costmodel.bridge.compile.checkpoints import Checkpointed
from costmodel.bridge.oracles.memory_trackers import samples, stored_storages


@dataclass(eq=False)
class Block:
    """A storage: its bytes, the first and last step in which it was alive."""

    bytes: int
    first: int
    last: int | None = None
    is_result: bool = False


@dataclass
class Executed:
    """The result of a run: nodes whose backward ran, in order, and bytes per step."""

    backward: list[str]
    timeline: list[int]
    blocks: list[Block]


def executed_lifetimes(
    module: fx.GraphModule, size: tuple[int, ...], dtype: str = "float32"
) -> Executed:
    """Run a prepared module forward, and in training backward; record every block.

    A block that is allocated and freed within one node is workspace, and not counted.
    The module may be on ``meta``: blocks have sizes, but no memory.
    """
    tracker = _BlockTracker(module)
    if not module.training:
        with torch.no_grad(), tracker:
            results = _forward(tracker, size, dtype)
        del results
        return tracker.report([])
    with tracker, _step_by_step(tracker):
        results = _forward(tracker, size, dtype)
        tracker.now = tracker.forward_steps
        loss = _Loss.apply(*results)
        if loss.requires_grad:
            tracker.is_backward = True
            loss.backward()
    return tracker.report(tracker.order)


class _Loss(torch.autograd.Function):
    """A loss whose gradients are new tensors, with no other holder."""

    @staticmethod
    def forward(ctx: Any, *results: torch.Tensor) -> torch.Tensor:
        """Return a single number."""
        ctx.sizes = [(result.shape, result.dtype, result.device) for result in results]
        return results[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _gradient: torch.Tensor) -> Any:
        """Return a gradient for each result."""
        return tuple(
            torch.ones(shape, dtype=dtype, device=device)
            for shape, dtype, device in ctx.sizes
        )


@dataclass(eq=False)
class _Sum:
    """A sum of two gradients by autograd: the blocks of its terms and result."""

    first: Block
    second: Block
    result: Block
    is_whole: bool


class _BlockTracker(TorchDispatchMode):
    """Records every block, and the steps in which it is allocated and freed."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__()
        self.module = module
        self.stored = stored_storages(module)
        graphs = [p.graph for p in module.modules() if isinstance(p, fx.GraphModule)]
        self.forward_steps = sum("node" in n.meta for g in graphs for n in g.nodes)
        self.now = 0
        self.is_backward = False
        self.inside = False
        self.order: list[str] = []
        self.repeated = 0
        self.latest: list[Block] = []
        self.computed = 0
        self.sums: list[_Sum] = []
        self.blocks: list[Block] = []
        self.living: dict[int, Block] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and record its operands and results."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, result)):
            if isinstance(tensor, torch.Tensor) and tensor.dim():
                self.see(tensor)
        if not func.is_view:
            made = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
            self.latest = [self.see(tensor) for tensor in made if tensor.dim()]
            self.computed += 1
        is_sum = func is torch.ops.aten.add.Tensor and isinstance(args[1], torch.Tensor)
        if self.is_backward and not self.inside and is_sum:
            one, other = map(self.see, args)
            if one is not other:
                whole = args[0].untyped_storage().nbytes() == args[0].nbytes
                self.sums.append(_Sum(one, other, self.see(result), whole))
        return result

    def see(self, tensor: torch.Tensor) -> Block:
        """Return the block of a tensor; a new one is tracked until it is freed."""
        storage = tensor.untyped_storage()
        key = id(storage)
        if key not in self.living:
            # The loss's gradients count; they precede any node's backward.
            is_loss = self.is_backward and not self.order
            block = Block(storage.nbytes(), self.now, is_result=is_loss)
            self.living[key] = block
            if key not in self.stored:
                self.blocks.append(block)
            weakref.finalize(storage, self.gone, key).atexit = False
        return self.living[key]

    def gone(self, key: int) -> None:
        """Record that a block was freed."""
        self.living.pop(key).last = self.now

    def name(self, function: Any, node: str) -> None:
        """Add hooks to the autograd functions of a result, to record their backward."""
        waiting = [function] if function is not None else []
        while waiting:
            found = waiting.pop()
            if "node" in found.metadata or not found.next_functions:
                continue
            found.metadata["node"] = node
            found.register_prehook(lambda _gradients: self.enter(node))
            found.register_hook(lambda _inputs, _outputs: self.leave())
            waiting += [f for f, _ in found.next_functions if f is not None]

    def enter(self, node: str) -> None:
        """Enter a function that belongs to a node; a new node starts a new step."""
        self.inside = True
        if self.order[-1:] != [node]:
            self.now += bool(self.order)
            self.order.append(node)

    def step_over(self, is_step: bool) -> None:  # noqa: FBT001
        """Go on to the next step, of the forward pass or of a part that runs again."""
        self.now += is_step
        self.repeated += is_step and self.is_backward

    @contextmanager
    def stopping(self, runner: fx.Interpreter) -> Iterator[None]:
        """Run a node, in which a checkpoint may stop by an error: then free all.

        That has a step if the node has computed anything.
        """
        before = self.computed
        try:
            yield
        except BaseException as error:
            is_begun = self.computed > before
            for block in self.latest if is_begun else ():
                block.is_result = True
            late = not is_begun and self.repeated > 0
            self.now -= late
            clear_frames(error.__traceback__)
            runner.env.clear()
            self.now += late
            self.step_over(is_begun)
            raise

    def leave(self) -> None:
        """Leave a function; until the next one, autograd adds gradients."""
        self.inside = False

    def report(self, order: list[str]) -> Executed:
        """Return the bytes alive in each step, without gradients of parameters."""
        steps = self.forward_steps + self.repeated + len(order)
        for parameter in self.module.parameters():
            if parameter.grad is not None:
                self._drop(self.see(parameter.grad))
        for block in self.blocks:
            block.last = steps - 1 if block.last is None else block.last
        self._add_in_place()
        counted = [b for b in self.blocks if b.is_result or b.last != b.first]
        timeline = [
            sum(b.bytes for b in counted if b.first <= step <= (b.last or 0))
            for step in range(steps)
        ]
        return Executed(order, timeline, counted)

    def _drop(self, learned: Block) -> None:
        """Forget a parameter's gradient, and those that it is the sum of."""
        self.blocks = [block for block in self.blocks if block is not learned]
        for total in self.sums:
            if total.result is learned:
                self._drop(total.first)
                self._drop(total.second)

    def _add_in_place(self) -> None:
        """Merge blocks that would be one without the dispatch mode.

        Autograd adds a gradient into the first one if nothing else holds that, but
        never with a dispatch mode: here such a block is freed right after the sum.
        **Source**: PyTorch, ``torch/csrc/autograd/input_buffer.cpp``.
        """
        joined: dict[int, Block] = {}
        for total in self.sums:
            first = joined.get(id(total.first), total.first)
            other = total.second
            is_alone = total.first.last == total.result.first
            is_fresh = other.first == other.last == total.result.first
            if total.is_whole and is_alone and not is_fresh:
                first.last = total.result.last
                joined[id(total.result)] = first
                self.blocks = [b for b in self.blocks if b is not total.result]


def _forward(
    tracker: _BlockTracker, size: tuple[int, ...], dtype: str
) -> tuple[torch.Tensor, ...]:
    """Run the module on zeros; return the results."""
    return _run(tracker, tracker.module, samples(tracker.module, size, dtype))


@contextmanager
def _step_by_step(tracker: _BlockTracker) -> Iterator[None]:
    """Run the parts under checkpoints node by node as well."""
    leaves = [p for p in tracker.module.modules() if isinstance(p, Checkpointed)]

    def run(part: fx.GraphModule, *given: Any) -> Any:
        results = _run(tracker, part, list(given))
        return results[0] if len(results) == 1 else results

    try:
        for leaf in leaves:
            leaf.part.forward = partial(run, leaf.part)
        yield
    finally:
        for leaf in leaves:
            del leaf.part.forward


def _run(
    tracker: _BlockTracker, module: fx.GraphModule, given: list[Any]
) -> tuple[torch.Tensor, ...]:
    """Run node by node, free values after their last reader; return the results."""
    nodes = list(module.graph.nodes)
    last = {node: node for node in nodes}
    last |= {source: node for node in nodes for source in node.all_input_nodes}
    runner = fx.Interpreter(module, garbage_collect_values=False)
    for node in nodes[:-1]:
        if node.op == "placeholder":
            value = given.pop(0)
        else:
            with tracker.stopping(runner):
                value = runner.run_node(node)
        runner.env[node] = value
        if "node" in node.meta:  # a sum of three is two additions, the last the node's
            tracker.see(value).is_result = True
            if not tracker.is_backward:
                tracker.name(value.grad_fn, node.meta["node"])
        del value
        # The steps of a part are its own nodes: what it read is gone with its last.
        ends = isinstance(
            dict(module.named_children()).get(str(node.target)), Checkpointed
        )
        tracker.now -= ends
        for done in [key for key in runner.env if last[key] is node]:
            del runner.env[done]
        tracker.now += ends
        tracker.step_over("node" in node.meta)
    return tuple(runner.env[node] for node in nodes[-1].all_input_nodes)
