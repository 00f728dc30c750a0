"""The graph under construction while a foreign network is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any, Self

import sympy

from costmodel.algebra.code.constants import write_constants
from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.batch_axis import Layout, Sizes
from costmodel.bridge.importing.constraints import constraints
from costmodel.bridge.importing.peephole import tidied
from costmodel.bridge.importing.symbolic_int import Record
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.annotations.scopes import scopes_of
from costmodel.network.graph import Network
from costmodel.network.node import Inference, Node, make_node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


SIDES = (
    (256, 320), (224, 224), (256, 256), (299, 299), (384, 384), (512, 512), (32, 32),
    (28, 28), (160, 160), (240, 240),
)  # fmt: skip
"""Heights and widths of samples, tried in turn; those that differ come first."""

DEPTH = 24
"""The depth of volume samples: a number that hardly occurs as another size."""


class SampleError(CostModelError):
    """The network refuses this sample size; it may accept others.

    ``difference`` is what has to be 0, if that is known.
    """

    difference: Size | None = None


PLACES = 7
"""ONNX's number of int64: of a tensor of places that came with extremes."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor that depends on the input: its node, and the sizes of its axes."""

    node: str
    shape: Shape
    sizes: Sizes
    layout: Layout
    dtype: int = 1
    """ONNX's number of its element type, if that is known; 1 is float32."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that depends on stored tensors alone, or on sizes, and its sources."""

    sizes: Sizes
    sources: tuple[str, ...] = ()
    is_itself: bool = False
    """Whether it is the stored tensor itself, or a view of it."""
    is_of_sizes: bool = False
    """Whether its values follow from sizes, or its own sizes do."""
    detached: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Sources that can learn, and get no gradient from it."""
    made: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)
    """How it is made, as the constants of :class:`Derived` say it, if that is known."""


@dataclass(kw_only=True)
class Graph:
    """The nodes so far, and the conditions on sizes."""

    batch: Size
    record: Record
    literal_batch: int | None = None
    """The batch if a file has a number for it, which other axes may have as well."""
    marks_unknown: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    """Operators without a rule, and the places of each."""
    shared: dict[str, str] = field(default_factory=dict)
    """Nodes that use an earlier node's weights."""
    no_gradient: set[str] = field(default_factory=set)
    """Nodes whose result gets no gradient, and weights: "node", "node.weight"."""
    checkpoints: list[tuple[list[str], bool]] = field(default_factory=list)
    """Nodes that run again in backward; whether only as far as is wanted."""
    own_backward: set[str] = field(default_factory=set)
    """Nodes of functions whose backward is the code's own."""
    demands: dict[Size, tuple[str, str]] = field(default_factory=dict)
    """Sizes that have to be 0: the node that requires it, and why."""

    def __post_init__(self) -> None:
        """Start with nothing known."""
        self.inference = Inference()
        self._operators: dict[Operator, Operator] = {}

    def emit(self, operator: Operator, inputs: tuple[str, ...], name: str) -> Node:
        """Append a node, and return it; equal operators are one."""
        operator = self._operators.setdefault(operator, operator)
        made = make_node(name, operator, inputs, self.nodes, self.inference)
        self.nodes[name] = made
        return made

    def emit_input(self, shape: Shape, name: str) -> Node:
        """Append an input."""
        return self.emit(op.Input(shape), (), name)

    def emit_stored(self, shape: Shape, name: str, *, learnable: bool) -> str:
        """Append a stored tensor, and return its name."""
        return self.emit(op.Parameter(shape, learnable), (), name).name

    def emit_derived(
        self,
        shape: Shape,
        made_of: tuple[str, ...],
        name: str,
        layout: Layout,
        made: Mapping[str, Any] | None = None,
    ) -> str:
        """Append a tensor computed from stored ones alone, and return its name.

        Of one for every sample, the input gives the number.
        """
        if layout.has_batch:
            made_of = (next(iter(self.nodes)), *made_of)
        operator = op.Derived(shape, constants=write_constants(made or {}))
        return self.emit(operator, made_of, name).name

    def emit_unknown(
        self, kind: str, shape: Shape, inputs: tuple[str, ...], name: str
    ) -> str:
        """Append an operator without a rule, and return its name."""
        return self.emit(op.Opaque(kind, shape), inputs, name).name

    def scratch(self) -> Self:
        """Return a graph for tensors of which the sizes alone are wanted.

        Its nodes are kept by nobody; the conditions on sizes are those of this graph.
        """
        made = copy(self)
        made.nodes, made.shared, made.unknown = {}, {}, {}
        made.emit_input(Shape(1), "input")
        return made

    def forget_from(self, count: int) -> None:
        """Forget all nodes but the first so many."""
        for name in list(self.nodes)[count:]:
            del self.nodes[name]

    @contextmanager
    def undone(self, *errors: type[Exception]) -> Iterator[None]:
        """Forget the conditions of what ends with one of these errors, and go on."""
        kept = dict(self.record.guards), dict(self.demands)
        try:
            yield
        except errors:
            self.record.guards, self.demands = kept

    def number(self, length: Size) -> int:
        """Return the value of a size for the sample."""
        return length.at(self.record.values)

    def numbers(self, sizes: Iterable[Size]) -> tuple[int, ...]:
        """Return the values of sizes for the sample."""
        return tuple(map(self.number, sizes))

    def guessed(
        self,
        lengths: Sequence[int],
        operands: Sequence[Sizes],
        given: Iterable[Size] = (),
        *,
        from_end: bool = False,
    ) -> Sizes:
        """Return formulas for sizes by matching their numbers with known ones.

        The operands' sizes along the same axis come first, counted from the end or from
        the beginning; then given formulas, and those of any axis. A second run at
        another size detects a match by chance.
        """
        anywhere = (*given, *(one for sizes in operands for one in sizes))
        formulas = [s for s in anywhere if s.constant is None]
        if self.literal_batch is not None:
            formulas = [s for s in formulas if s != self.batch]
        found = []
        for axis, length in enumerate(lengths):
            place = axis - len(lengths) if from_end else axis
            there = [s[place] for s in operands if -len(s) <= place < len(s)]
            same = (s for s in (*there, *formulas) if self.number(s) == length)
            found.append(next(same, size(int(length))))
        return tuple(found)

    def difference(
        self, other: Graph, values: Mapping[sympy.Symbol, int]
    ) -> tuple[Node, str] | None:
        """Return the first node that a run at other sizes has otherwise, and how."""
        theirs = other.nodes
        for name, node in self.nodes.items():
            same = theirs.get(name)
            if same is None or same.operator.kind != node.operator.kind:
                kind = "nothing" if same is None else same.operator.kind
                return node, f"it is {kind} there"
            numbers = _numbers(same.output, values)
            if _numbers(node.output, values) != numbers:
                return node, f"{node.output} is {'×'.join(map(str, numbers))} there"
            if same.inputs != node.inputs:
                return node, f"its operands are {', '.join(same.inputs)} there"
            if _settings(node.operator, values) != _settings(same.operator, values):
                return node, f"it is {same.operator} there, and {node.operator} here"
        more = [node for name, node in theirs.items() if name not in self.nodes]
        return (more[0], "it is nothing here") if more else None

    def network(self, outputs: Iterable[str], name: str, batch: Dim) -> Network:
        """Return the network that was read, with the conditions on its sizes."""
        needed = constraints(self.record, self.demands)
        ends = list(outputs)
        nodes = tidied(self.nodes, ends)
        stops = {
            one
            for one in self.no_gradient
            if not nodes.keys().isdisjoint(scopes_of(one))
        }
        again = [
            Checkpoint(tuple(n for n in dict.fromkeys(names) if n in nodes), early)
            for names, early in self.checkpoints
        ]
        rest = (needed, self.shared, stops, again, self.own_backward & nodes.keys())
        return Network.of_nodes(nodes, ends, name, batch, *rest)


def _settings(value: Any, values: Mapping[sympy.Symbol, int]) -> Any:
    """Return the numbers in an operator's fields; texts and shapes are left out."""
    if isinstance(value, tuple):
        return tuple(_settings(one, values) for one in value)
    if isinstance(value, Operator):
        own: Any = value
        return [_settings(getattr(value, f.name), values) for f in fields(own)]
    if isinstance(value, sympy.Expr) and value.is_integer:
        return size(value).at(values)
    return value if isinstance(value, int) else None


def _numbers(shape: Shape, values: Mapping[sympy.Symbol, int]) -> tuple[int, ...]:
    return tuple(size(part).at(values) for part in (shape.channels, *shape.spatial))
