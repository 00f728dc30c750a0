"""One node of an ONNX graph: its operands, its attributes, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.algebra.polynomial import Size
from costmodel.bridge.onnx.graph import Graph, SampleError, own_name
from costmodel.bridge.onnx.names import path_of
from costmodel.bridge.onnx.tensors import Constant, Tensor, Traced
from costmodel.bridge.trace.layout import Layout, Sizes, split
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.operators import Operator


class Undone(Exception):  # noqa: N818 - it is no error: the operator counts as unknown
    """A reader has no rule for these attributes."""


@dataclass
class Call:
    """A node that the input reaches.

    ``expected`` are the sizes that ONNX itself infers for its outputs at the sample;
    every formula is held against them.
    """

    graph: Graph
    node: Any
    expected: Sequence[tuple[int, ...] | None] = ()
    dtypes: Sequence[int] = ()

    @property
    def kind(self) -> str:
        """The operator's name in ONNX."""
        return str(self.node.op_type)

    @property
    def label(self) -> str:
        """What the node is called in errors."""
        return str(self.node.name or self.node.output[0])

    @property
    def version(self) -> int:
        """The version of ONNX's operators."""
        return self.graph.versions.get(self.node.domain, 1)

    # Operands and attributes.

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                value = self.graph.onnx.helper.get_attribute_value(attribute)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def tensor(self, place: int) -> Tensor | None:
        """Return an operand, as what is known of it; None where it is left out."""
        names = self.node.input
        if place >= len(names) or not names[place]:
            return None
        if names[place] not in self.graph.tensors:
            raise self.refuse(f'operand "{names[place]}" is made by no node')
        return self.graph.tensors[names[place]]

    @property
    def count(self) -> int:
        """How many operands there are."""
        return len(self.node.input)

    def x(self, place: int = 0) -> Traced:
        """Return an operand that is computed on."""
        value = self.tensor(place)
        if value is None:
            raise self.refuse(f"operand {place} is missing")
        return self.graph.operand(value)

    def is_traced(self, place: int) -> bool:
        """Say whether an operand depends on the input."""
        return isinstance(self.tensor(place), Traced)

    def stored(self, place: int) -> Constant | None:
        """Return a weight, which may not depend on the input."""
        value = self.tensor(place)
        if isinstance(value, Traced):
            raise self.refuse(
                f"operand {place} depends on the input: a layer with computed weights "
                "has no rule"
            )
        return value

    def values(self, place: int) -> Any:
        """Return the numbers of a small operand, sizes with their formulas."""
        value = self.stored(place)
        if value is None:
            return None
        array = value.array
        if array is None:
            raise self.refuse(f'the numbers of "{self.node.input[place]}" are unknown')
        return array

    def listed(self, place: int, attribute: str, default: Any = None) -> Any:
        """Return numbers of an operand, or of an attribute, as older versions do."""
        if self.count > place and self.node.input[place]:
            return list(self.values(place).ravel())
        value = self.get(attribute, default)
        return list(value) if isinstance(value, (list, tuple)) else value

    def axis(self, x: Traced, place: int) -> int:
        """Return an axis of a sample's shape for an axis of the tensor."""
        return x.layout.logical(place % len(x.sizes))

    # What it becomes.

    def name(self, kind: str, *, is_step: bool = False) -> str:
        """Return the name of the next node; a step is not what the module is for."""
        names = self.graph.names
        path = path_of(self.node)
        own = own_name(self.node) if not path else ""
        return (names.beside if is_step else names.node)(path, own, kind)

    def put(
        self,
        operator: Operator,
        *inputs: Traced,
        layout: Layout | None = None,
        sources: tuple[str, ...] = (),
        rank: int | None = None,
        is_step: bool = False,
    ) -> Traced:
        """Append a node; with sources, the second one of the same stores none."""
        graph, name = self.graph, self.name(operator.kind, is_step=is_step)
        owner = graph.owner(sources, name)
        graph.emit(operator, tuple(x.node for x in inputs), name)
        if owner != name:
            graph.shared[name] = owner
        output = graph.nodes[name].output
        lay = layout or inputs[0].layout
        if rank is None:
            rank = len(output.spatial) + (1 if lay.is_folded else 2)
        sizes = lay.sizes(output, graph.batch, rank)
        return Traced(name, output, sizes, lay, inputs[0].dtype)

    def put_sizes(
        self,
        make: Callable[..., Operator],
        x: Traced,
        sizes: Sequence[Size],
        *,
        is_step: bool = False,
    ) -> Traced:
        """Append a node whose output has sizes that are known: a view, a crop."""
        lay, shape = split(sizes, self.graph.batch)
        if not lay.has_batch and x.layout.has_batch:
            raise self.refuse("its result has no batch: samples are not apart")
        operator = make(shape)
        name = self.name(operator.kind, is_step=is_step)
        self.graph.emit(operator, (x.node,), name)
        return Traced(name, self.graph.nodes[name].output, tuple(sizes), lay, x.dtype)

    def give(self, made: Traced, place: int = 0) -> None:
        """Say that a tensor is an output of the node."""
        wanted = self.expected[place] if place < len(self.expected) else None
        ours = self.graph.numbers(made.sizes)
        if wanted is not None and ours != wanted:
            raise SampleError(
                f"{self._at}: ONNX infers {wanted} for its output and we {ours}"
            )
        if place < len(self.dtypes):
            made = replace(made, dtype=self.dtypes[place] or made.dtype)
        self.graph.tensors[self.node.output[place]] = made

    def equal(self, left: Size, right: Size, why: str) -> None:
        """Demand that two sizes are equal: a condition on the input."""
        if left == right:
            return
        if self.graph.number(left) != self.graph.number(right):
            raise SampleError(f"{self._at}: {left.value} is not {right.value}: {why}")
        difference = left - right
        each = difference.divided(self.graph.batch)
        difference = difference if each is None else each
        self.graph.record.hold("==", difference)
        self.graph.demands.setdefault(difference, (self._path, why))

    def restated(self, x: Traced, sizes: Sequence[Size], why: str) -> Traced:
        """Return an operand with its sizes written as others, demanded to be equal."""
        if tuple(sizes) == x.sizes:
            return x
        for mine, theirs in zip(x.sizes, sizes, strict=True):
            self.equal(mine, theirs, why)
        return self.put_sizes(op.Reshape, x, tuple(sizes), is_step=True)

    @property
    def _path(self) -> str:
        return path_of(self.node) or own_name(self.node) or self.kind

    @property
    def _at(self) -> str:
        return f'{self.kind} at "{self.label}"'

    def refuse(self, reason: str) -> CostModelError:
        """Return an error that says which node it is."""
        return at(self.kind, self.label, reason)


def sizes_of(call: Call, place: int) -> Sizes:
    """Return the sizes of an operand, whatever it is."""
    value = call.tensor(place)
    return () if value is None else value.sizes
