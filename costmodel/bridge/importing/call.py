"""Calls of foreign operators: the interface between front ends and readers.

A front end gives a call's operands and numbers by PyTorch's names for them; the
readers, one for every operator of ours, use nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from costmodel.algebra.code.constants import read_constants, write_constants
from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.batch_axis import Layout, Sizes, split
from costmodel.bridge.importing.graph import Graph, SampleError, Traced
from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio, formula_value
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.node import Node
from costmodel.network.operators import Operator


Pads = tuple[tuple[Dim, ...], tuple[Dim, ...]]
"""Padding before and after each axis."""


class NoRule(Exception):  # noqa: N818 - it is no error: the operator counts as unknown
    """A reader has no rule for these operands or numbers; its text says for which."""


class Call(ABC):
    """A call of a foreign operator."""

    graph: Graph
    kind: str
    """The operator's name in the foreign format."""
    manner: str = ""
    """In which form it is called, if others of that name have a rule."""

    # What a front end defines. Values are operands in its own representation.

    @property
    @abstractmethod
    def where(self) -> str:
        """The place of the call, for errors."""

    @abstractmethod
    def get(self, name: str, default: Any = None) -> Any:
        """Return an operand or a number by its name; the default if it is missing."""

    @abstractmethod
    def operand(self, value: Any) -> Traced:
        """Return a value as a tensor operand."""

    @abstractmethod
    def constant(self, value: Any) -> str | None:
        """Return a scalar as text; None for a tensor."""

    @abstractmethod
    def optional(self, name: str) -> Any:
        """Return an optional weight, which may not depend on the sample."""

    @abstractmethod
    def lengths(self, weight: Any) -> tuple[int, ...]:
        """Return the sizes of a weight, which are numbers."""

    @abstractmethod
    def name(self, kind: str, *, is_step: bool = False) -> str:
        """Return the next node's name; a step is auxiliary to a module's operator."""

    @abstractmethod
    def rank(self, place: int) -> int | None:
        """Return the number of axes of an output, if that is known."""

    @abstractmethod
    def give(self, made: Traced, place: int = 0) -> None:
        """Set an output, after comparing its sizes with those of the front end."""

    @abstractmethod
    def store(
        self, name: str, weights: Mapping[str, Any], others: Mapping[str, Any]
    ) -> dict[str, str]:
        """Register a node as the owner of weights; return what it shares, with whom.

        That is the node, or single tensors of it, as in a network's ``shared``.
        """

    def is_stored(self, weight: Any) -> bool:  # noqa: ARG002 - of all
        """Say whether a weight is a stored tensor, and not computed from some."""
        return True

    # Numbers whose meaning differs between front ends.

    @property
    @abstractmethod
    def axes(self) -> int:
        """The number of axes along which a window slides."""

    @abstractmethod
    def pads(self, axes: int) -> Pads | str:
        """Return a window's padding, or the side of SAME's odd pixel: after, before."""

    @abstractmethod
    def stride(self, kernel: Sequence[Dim]) -> tuple[Dim, ...]:
        """Return the stride of a pooling."""

    @abstractmethod
    def rounds_up(self) -> bool:
        """Say whether a window may extend beyond the end (ceil_mode)."""

    @abstractmethod
    def counts_padding(self, padding: Sequence[Dim]) -> bool:
        """Say whether a mean counts the padding."""

    @abstractmethod
    def is_affine(self) -> bool:
        """Say whether a normalization scales by learned numbers."""

    def trains(self) -> bool:
        """Say whether a function works as in training where the network trains."""
        return True

    # Operands and numbers.

    def x(self, name: str = "input") -> Traced:
        """Return a tensor operand."""
        value = self.get(name)
        if value is None:
            raise self.refuse(f"operand {name} is missing")
        return self.operand(value)

    def weight(self, name: str = "weight") -> Any:
        """Return a required weight."""
        value = self.optional(name)
        if value is None:
            raise self.refuse(f"its {name} is missing")
        return value

    def count(self, weight: Any) -> int:
        """Return the number of elements of a weight."""
        return prod(self.lengths(weight))

    def ints(self, name: str, axes: int, default: Any) -> tuple[Dim, ...]:
        """Return one number per axis, given once for all or one by one."""
        value = self.get(name)
        if value is None or value in ((), []):
            return tuple(each(default, axes))
        return tuple(map(formula_value, each(value, axes)))

    def axis(self, x: Traced, place: int) -> int:
        """Return an axis of a sample's shape for an axis of the tensor.

        **Errors**: the batch, or an axis that it is part of.
        """
        place, is_one = place % len(x.sizes), self.graph.batch.constant == 1
        is_mixed = place == x.layout.batch_axis and x.layout.has_batch and not is_one
        if is_mixed:
            raise self.refuse("works along the batch: samples are not apart")
        try:
            return x.layout.logical(place)
        except CostModelError as error:
            raise self.refuse(str(error)) from None

    # What it becomes.

    def kept(self, operator: Operator, **given: Any) -> Operator:
        """Return an operator with those of its constants that are not the defaults.

        They are numbers of the call by PyTorch's names, unless they are given.
        """
        found = {}
        for name, default in operator.defaults.items():
            value = given[name] if name in given else self.get(name, default)
            known = _constant(value)
            if known is Ellipsis or known != default:
                found[name] = known
        if not found:
            return operator
        return replace(operator, constants=write_constants(found))

    def put(
        self,
        operator: Operator,
        *inputs: Traced,
        layout: Layout | None = None,
        rank: int | None = None,
        is_step: bool = True,
    ) -> Traced:
        """Append an intermediate node."""
        name = self.name(operator.kind, is_step=is_step)
        node = self.graph.emit(operator, tuple(x.node for x in inputs), name)
        lay = layout or inputs[0].layout
        if rank is None:
            rank = len(node.output.spatial) + (1 if lay.is_folded else 2)
        sizes = lay.sizes(node.output, self.graph.batch, rank)
        return Traced(name, node.output, sizes, lay, inputs[0].dtype)

    def put_sizes(
        self,
        make: Callable[..., Operator],
        x: Traced,
        sizes: Sequence[Size],
        *,
        is_step: bool = True,
    ) -> Traced:
        """Append an intermediate node with known output sizes: a view, a crop."""
        lay, shape = split(sizes, self.graph.batch)
        if not lay.has_batch and x.layout.has_batch:
            raise self.refuse("its result has no batch: samples are not apart")
        operator = make(shape)
        name = self.name(operator.kind, is_step=is_step)
        node = self.graph.emit(operator, (x.node,), name)
        return Traced(name, node.output, tuple(sizes), lay, x.dtype)

    def view(self, x: Traced, sizes: Sequence[Size], *, is_step: bool = True) -> Traced:
        """Append a view with those sizes."""
        return self.put_sizes(op.Reshape, x, sizes, is_step=is_step)

    def result(
        self,
        operator: Operator,
        *inputs: Traced,
        layout: Layout | None = None,
        place: int = 0,
    ) -> Traced:
        """Append the node of an output."""
        rank = self.rank(place)
        made = self.put(operator, *inputs, layout=layout, rank=rank, is_step=False)
        self.give(made, place)
        return made

    def result_sizes(
        self, make: Callable[..., Operator], x: Traced, sizes: Sequence[Size]
    ) -> Traced:
        """Append the node of the output, with known sizes."""
        made = self.put_sizes(make, x, sizes, is_step=False)
        self.give(made)
        return made

    def layer(
        self,
        operator: Operator,
        x: Traced,
        *weights: Any,
        statistics: Sequence[Any] = (),
        is_step: bool = False,
    ) -> Traced:
        """Append a layer; it stores no weights that another node stores already."""
        graph, name = self.graph, self.name(operator.kind)
        needed = operator.weights(graph.nodes[x.node].output)
        tensors, others = (
            dict(zip(
                [n for n, weight in needed.items() if weight.learnable is learn],
                [value for value in values if value is not None], strict=False,
            ))
            for learn, values in ((True, weights), (False, statistics))
        )  # fmt: skip
        shared = self.store(name, tensors, others)
        odd = [n for n, w in tensors.items() if not self.is_stored(w)]
        # A node that is the computed weight says itself whether its value is known.
        lent = {n: graph.nodes.get(shared.get(f"{name}.{n}", "")) for n in odd}
        if unknown := {
            n: ...
            for n, node in lent.items()
            if node is None or not isinstance(node.operator, op.Derived)
        }:
            kept = {**read_constants(operator.constants), **unknown}
            operator = replace(operator, constants=write_constants(kept))
        output = graph.emit(operator, (x.node,), name).output
        graph.shared.update(_whole(name, operator, shared, graph.nodes))
        sizes = x.layout.sizes(output, graph.batch, len(x.sizes))
        made = Traced(name, output, sizes, x.layout, x.dtype)
        if not is_step:
            self.give(made)
        return made

    def unknown(
        self, inputs: Sequence[Traced], outputs: Mapping[int, Sizes], word: str
    ) -> None:
        """Append an operator without a rule, by its name.

        Its outputs, by index, have the given sizes. If it reads stored tensors alone,
        it is no work of a sample.
        """
        graph = self.graph
        is_stored = not any(x.layout.has_batch for x in inputs)
        if not is_stored:
            title = f"{self.kind} {self.manner}".strip()
            graph.unknown.setdefault(title, []).append(self.where)
        made_of = tuple(x.node for x in inputs)
        for place, sizes in outputs.items():
            lay, shape = split(sizes, graph.batch)
            if is_stored:
                node = graph.emit_derived(shape, made_of, self.name("derived"), lay)
            else:
                name = self.name(word)
                node = graph.emit_unknown(self.kind, shape, made_of, name)
            self.give(Traced(node, shape, sizes, lay), place)

    # Conditions on sizes.

    def equal(self, left: Size, right: Size, why: str) -> None:
        """Require two sizes to be equal: a constraint if their formulas differ."""
        if left == right:
            return
        if self.graph.number(left) != self.graph.number(right):
            reason = f"{left.value} is not {right.value}: {why}"
            error = SampleError(f'{self.kind} at "{self.where}": {reason}')
            error.difference = left - right
            raise error
        difference = left - right
        each_sample = difference.divided(self.graph.batch)
        difference = difference if each_sample is None else each_sample
        record = self.graph.record
        record.hold("==", difference)
        self.graph.demands.setdefault(difference, (record.where(), why))

    def restated(self, x: Traced, sizes: Sequence[Size], why: str) -> Traced:
        """Return an operand with other formulas for its sizes, required to be equal."""
        if tuple(sizes) == x.sizes:
            return x
        for mine, theirs in zip(x.sizes, sizes, strict=True):
            self.equal(mine, theirs, why)
        return self.view(x, tuple(sizes))

    def fitting(self, x: Traced, axis: int, length: int) -> Traced:
        """Return an operand whose axis has the length that weights require."""
        sizes = list(x.sizes)
        sizes[axis] = size(length)
        return self.restated(x, sizes, f"its weights are for {length}")

    def refuse(self, reason: str) -> CostModelError:
        """Return an error that names the call."""
        return at(self.kind, self.where, reason)


def _whole(
    name: str, operator: Operator, shared: Mapping[str, str], nodes: Mapping[str, Node]
) -> Mapping[str, str]:
    """Return what a node shares, as the node where all is that of one like it."""
    pairs = {tensor.removeprefix(f"{name}."): to for tensor, to in shared.items()}
    owners = {owner.removesuffix(f".{n}") for n, owner in pairs.items()}
    one = nodes.get(owners.pop()) if len(owners) == 1 else None
    if one is None or one.operator.kind != operator.kind or one.name in pairs.values():
        return shared
    needed = operator.weights(nodes[nodes[name].inputs[0]].output)
    return {name: one.name} if needed.keys() == pairs.keys() else shared


def _constant(value: Any) -> Any:
    """Return a number, a word or a tuple of them; ``...`` for what is not one."""
    if isinstance(value, (tuple, list)):
        parts = tuple(map(_constant, value))
        return ... if Ellipsis in parts else parts
    is_known = value is None or isinstance(value, (int, float, str))
    return value if is_known and not isinstance(value, (SizeInt, SizeRatio)) else ...


def each(value: Any, axes: int) -> tuple[Any, ...]:
    """Return one number for every axis, given once for all or one by one.

    >>> each(3, 2), each([1, 2], 2), each((4,), 3)
    ((3, 3), (1, 2), (4, 4, 4))
    """
    if not isinstance(value, Sequence):
        return (value,) * axes
    return tuple(value) if len(value) == axes else (value[0],) * axes
