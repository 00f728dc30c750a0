"""Tensors of the forward pass: the node that makes each, and the last that reads it.

A node's operands and its result are all alive while it runs. Views are names of one
block of memory, which is freed when none of its names is read any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim
from costmodel.analysis.memory.autograd_saved import (
    Call,
    Role,
    Saved,
    element_width,
    is_idle,
    is_view,
    saved_by,
    stored_elements,
)
from costmodel.analysis.memory.gradient_flow import (
    GradientFlow,
    gradient_flow,
    own_backward,
    read_from_outside,
)
from costmodel.analysis.memory.memory_layout import Layouts
from costmodel.errors import at
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator


@dataclass(eq=False, slots=True)
class Tensor:
    """A block of memory: its node, its bytes, the first and last step of its lifetime.

    ``size`` is in opaque extents. ``is_saved``: autograd keeps it for backward.
    """

    node: str
    role: Role
    size: Dim
    first: int
    last: int
    is_saved: bool = False

    @property
    def bytes(self) -> Dim:
        """Bytes of the block, floors put in."""
        return resolve(self.size)


@dataclass
class ForwardPass:
    """The state of a forward pass: its tensors, and facts about each node."""

    network: Network
    training: bool
    element_bytes: int
    in_place: bool
    tensors: list[Tensor] = field(default_factory=list)
    block_of: dict[str, Tensor] = field(default_factory=dict)
    """By node: the block that its result lies in."""
    root: dict[str, str] = field(default_factory=dict)
    """By node: the node that made its result, which idle nodes only pass on."""
    flow: GradientFlow = field(init=False)
    saved: dict[str, list[Tensor]] = field(default_factory=dict)
    last_reader: dict[str, int] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    _readers: dict[Tensor, int] = field(default_factory=dict)
    """By block: the last node that reads any of its names so far."""
    _needed: set[Tensor] = field(default_factory=set)
    """What backward needs, also of what a checkpoint makes and does not save."""
    _repeated: set[str] = field(default_factory=set)
    """Results of ``zeros``: one channel that stands for all."""
    _layouts: Layouts = field(init=False)
    checkpoint_of: dict[str, Checkpoint] = field(init=False)
    reads: dict[Checkpoint, tuple[str, ...]] = field(init=False)
    """What each checkpoint reads that is not in it."""
    _calls: dict[tuple[object, ...], tuple[Call, Saved]] = field(default_factory=dict)
    _sizes: dict[tuple[Dim, int, bool], Dim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the last reader of each result; the caller keeps the network's."""
        network, nodes = self.network, self.network.nodes
        self._layouts = Layouts(network)
        self.flow = gradient_flow(network)
        self.checkpoint_of = _checkpoint_of(network) if self.training else {}
        self.reads = {c: read_from_outside(network, c) for c in network.checkpoints}
        for index, node in enumerate(nodes):
            self._places[node.name] = index
            self.last_reader |= dict.fromkeys((*node.inputs, node.name), index)
        self.last_reader |= dict.fromkeys(network.outputs, len(nodes))

    def make(
        self, node: str, role: Role, elements: Dim, at: int, *, per_sample: bool = True
    ) -> Tensor:
        """Make a tensor at a step."""
        width = element_width(role, self.element_bytes)
        per_sample = per_sample and node not in self.network.unbatched
        key = (elements, width, per_sample)
        if key not in self._sizes:
            batch = self.network.batch if per_sample else 1
            self._sizes[key] = batch * (width * elements)
        tensor = Tensor(node, role, self._sizes[key], at, at)
        self.tensors.append(tensor)
        return tensor

    def outside(self, node: str, at: int) -> Tensor:
        """Return a stored tensor, or its gradient: always there, and no activation."""
        return Tensor(node, "result", 0, at, at)

    def call(self, node: Node) -> tuple[Call, Saved]:
        """Return a node as a call, and what it saves; equal layers are one call."""
        inputs = self.network.shapes_into(node)
        records = self.training and node.name not in self.network.no_gradient
        learned = self.flow.learned[node.name] if records else ()
        needs = tuple(records and self.flow.needs[source] for source in node.inputs)
        if node.name in self.network.own_backward and (learned or any(needs)):
            raise own_backward(node, "saves")
        second = "weight" in learned or any(needs[1:])
        copied = self._layouts.copied(node, learns=second)
        key = (node.operator, inputs, needs, learned, copied)
        if key not in self._calls:
            stored = node.operator.weights(*inputs).items()
            fixed = {n for n, w in stored if w.learnable and n not in learned}
            call = Call(
                node.operator, inputs, node.output, needs, bool(learned), copied,
                frozenset(fixed),
            )  # fmt: skip
            self._calls[key] = call, saved_by(call) if self.training else Saved()
        return self._calls[key]

    def forward(self) -> None:
        """Run every node in network order."""
        for index, node in enumerate(self.network.nodes):
            if checkpoint := self.checkpoint_of.get(node.name):
                self._keep_read(index, node, checkpoint)
                self.run(node, index)
                self._needed.update(self._named(node))
                continue
            self.run(node, index)
            self.saved[node.name] = self.kept(node, index)
            for tensor in self.saved[node.name]:
                tensor.is_saved = True

    def run(self, node: Node, step: int, *, is_whole: bool = True) -> None:
        """Run a node, to its end: its operands and its result are there."""
        for source in node.inputs:
            self.block_of[source].last = step
        if is_whole:
            self._place(step, node)

    def saves(self, node: Node) -> bool:
        """Say whether autograd saves any tensor for a node, a weight included."""
        call, saved = self.call(node)
        of_its_own = isinstance(node.operator, op.Weighted) and any(call.needs)
        return bool(saved.operands or saved.result or saved.extras or of_its_own)

    def _keep_read(self, index: int, node: Node, checkpoint: Checkpoint) -> None:
        """Keep what a checkpoint reads, as long as a node of it has its backward left.

        That is all tensors from outside of it, if it saves any.
        """
        known, saves = self.block_of, self.saves(node)
        read = [known[one] for one in self.reads[checkpoint] if one in known]
        for tensor in read:
            tensor.last = index
            tensor.is_saved = tensor.is_saved or saves
        self._needed.update(read)
        self.saved[node.name] = read if saves else []

    def _place(self, step: int, node: Node) -> None:
        """Give a result a block of its own, or another name to its operand's."""
        layer, name = node.operator, node.name
        if layer.is_unknown:
            raise at(layer.kind, name, "which memory it takes is not known")
        first = node.inputs[0] if node.inputs else name
        idle = first != name and is_idle(layer, training=self.training)
        idle = idle and name not in self.network.no_gradient
        self.root[name] = self.root[first] if idle else name
        if layer.is_unbatched:
            self.block_of[name] = self.outside(name, step)
        elif self._is_view(node) or self._overwrites(node):
            self.block_of[name] = self.block_of[first]
            self._repeated |= {name} if first in self._repeated else set()
        else:
            elements = stored_elements(layer, node.output)
            self.block_of[name] = self.make(name, "result", elements, step)
            self._repeated |= {name} if elements != node.output.numel else set()
        block = self.block_of[name]
        self._readers[block] = max(self._readers.get(block, 0), self.last_reader[name])

    def _is_view(self, node: Node) -> bool:
        if not node.inputs or self._layouts.place(node):
            return False
        return is_view(
            node.operator,
            self.network.shapes_into(node)[0],
            training=self.training,
            repeated=node.inputs[0] in self._repeated,
        )

    def _overwrites(self, node: Node) -> bool:
        """Say whether a function may overwrite its operand: nothing else needs it.

        Its derivative has to be a formula of its result, as a ReLU's is. The operand
        has no later reader, is not saved, is no result of the network, and is no part
        or view of a block, since autograd treats writing into those differently. Past a
        function without autograd that overwrites, the gradient would go on.
        """
        if not (self.in_place and _may_overwrite(node.operator)):
            return False
        source = self.root[node.inputs[0]]
        block, maker = self.block_of[source], self.network.by_name[source].operator
        is_all_of_it = block.node == source or _may_overwrite(maker)
        stops = node.name in self.network.no_gradient and self.flow.needs[source]
        return (
            is_all_of_it
            and not stops
            and not isinstance(maker, (op.Input, op.Zeros, op.Parameter, op.Derived))
            and self._readers[block] == self._places[node.name]
            and block not in self._needed
        )

    def kept(self, node: Node, step: int) -> list[Tensor]:
        """Return what a node's backward will need: some of it is made now."""
        made = [
            self.make(node.name, e.role, e.elements, step, per_sample=e.per_sample)
            for e in self.call(node)[1].extras
        ]
        named = self._named(node)
        self._needed.update(named)
        return named + made

    def _named(self, node: Node) -> list[Tensor]:
        """Return what a node's backward will need of its operands and its result."""
        saved = self.call(node)[1]
        names = [node.inputs[place] for place in saved.operands]
        names += [node.name] if saved.result else []
        return [self.block_of[name] for name in names]

    def release(
        self,
        nodes: Sequence[Node],
        saved: Mapping[str, list[Tensor]],
        last: Mapping[str, int],
    ) -> None:
        """Free what was saved by nodes that no gradient reaches.

        Their part of autograd's graph is freed with the last tensor that leads to it,
        and that with its last reader, or with the last checkpoint that keeps it.
        """
        gone: dict[str, int] = {}
        for node in reversed(nodes):
            name = node.name
            if not self.flow.needs[name] or name in self.flow.reached:
                continue
            gone[name] = max(gone.get(name, 0), last[name])
            for tensor in saved[name]:
                tensor.last = max(tensor.last, gone[name])
            checkpoint = self.checkpoint_of.get(name) if self.saves(node) else None
            again = self.reads[checkpoint] if checkpoint else ()
            for source in (*node.inputs, *again):
                gone[source] = max(gone.get(source, 0), gone[name])


def _checkpoint_of(network: Network) -> dict[str, Checkpoint]:
    """Return the checkpoint of each node that is in one."""
    found: dict[str, Checkpoint] = {}
    for checkpoint in network.checkpoints:
        for name in checkpoint.nodes:
            if found.setdefault(name, checkpoint) is not checkpoint:
                problem = "is in a checkpoint within another one, which is not modelled"
                raise at(network[name].operator.kind, name, problem)
    return found


def _may_overwrite(operator: Operator) -> bool:
    """Say whether code runs a function in place, whose backward needs its result."""
    if not isinstance(operator, op.Pointwise):
        return False
    return operator.row.in_place and operator.row.saved == "result"
