"""One call of a torch function: its arguments, its result, and the node it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from costmodel.algebra.polynomial import Size
from costmodel.bridge.trace.layout import Layout, Sizes, shaped, split
from costmodel.bridge.trace.sizes import formula_of
from costmodel.bridge.trace.tracer import Constant, Traced, Tracer
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.operators import Operator


@dataclass
class Call:
    """A call of a torch function that the input reaches.

    ``result`` is what PyTorch's own kernel made of tensors without memory: every
    formula is held against its sizes.
    """

    tracer: Tracer
    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    result: Any = None

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        if place < len(self.args):
            return self.args[place]
        return self.options.get(name, default)

    def x(self, place: int = 0, name: str = "input") -> Traced:
        """Return an operand."""
        value = self.get(place, name)
        if not isinstance(value, torch.Tensor):
            raise self.refuse(f"argument {place} is {value!r}, not a tensor")
        return self.tracer.operand(value)

    def is_traced(self, value: Any) -> bool:
        """Say whether a value depends on the input."""
        known = self.tracer.tensor(value) if isinstance(value, torch.Tensor) else None
        return isinstance(known, Traced)

    def has_batch(self, value: torch.Tensor) -> bool:
        """Say whether a tensor has a part for every sample."""
        known = self.tracer.tensor(value)
        return isinstance(known, Traced) and known.layout.has_batch

    def axis(self, x: Traced, dim: int) -> int:
        """Return an axis of a sample's shape for an axis of the tensor."""
        try:
            return x.layout.logical(dim % len(x.sizes))
        except CostModelError as error:
            raise self.refuse(str(error)) from None

    def put(
        self,
        operator: Operator,
        *inputs: Traced,
        layout: Layout | None = None,
        result: torch.Tensor | None = None,
        kind: str = "",
    ) -> Traced:
        """Append a node, and say that a tensor is its output.

        Without a result it is a step on the way, which PyTorch has no tensor for.
        """
        names = tuple(x.node for x in inputs)
        node = self.tracer.emit(operator, names, kind, is_step=result is None)
        lay = layout or inputs[0].layout
        rank = result.dim() if result is not None else len(node.output.spatial) + 2
        if result is None and lay.is_folded:
            rank -= 1
        sizes = lay.sizes(node.output, self.tracer.batch, rank)
        made = Traced(node.name, node.output, sizes, lay)
        if result is not None:
            self.check(sizes, result, operator)
            self.tracer.know(result, made)
        return made

    def put_named(
        self, operator: Operator, x: Traced, name: str, owner: str, result: Any
    ) -> Traced:
        """Append a layer under a name; with an owner, its weights are that node's."""
        self.tracer.emit_named(operator, (x.node,), name)
        if owner:
            self.tracer.shared[name] = owner
        output = self.tracer.nodes[name].output
        sizes = x.layout.sizes(output, self.tracer.batch, len(x.sizes))
        made = Traced(name, output, sizes, x.layout)
        if result is not None:
            self.check(sizes, result, operator)
            self.tracer.know(result, made)
        return made

    def put_sizes(
        self,
        make: Callable[..., Operator],
        x: Traced,
        sizes: Sequence[Size],
        result: torch.Tensor | None = None,
    ) -> Traced:
        """Append a node whose output has sizes that are known: a view, a crop."""
        lay, shape = split(sizes, self.tracer.batch)
        if not lay.has_batch and x.layout.has_batch:
            raise self.refuse("its result has no batch: samples are not apart")
        node = self.tracer.emit(make(shape), (x.node,), is_step=result is None)
        made = Traced(node.name, node.output, tuple(sizes), lay)
        if result is not None:
            self.check(made.sizes, result, node.operator)
            self.tracer.know(result, made)
        return made

    def same(self, x: Traced, result: Any) -> None:
        """Say that a result is the operand itself."""
        self.check(x.sizes, result, None)
        self.tracer.know(result, x)

    def check(
        self, sizes: Sizes, result: torch.Tensor, operator: Operator | None
    ) -> None:
        """Hold formulas against the sizes that PyTorch gives."""
        values = self.tracer.record.values
        ours = tuple(s.at(values) for s in sizes)
        if ours != tuple(result.shape):
            what = f" of {operator}" if operator is not None else ""
            raise self.refuse(
                f"PyTorch's result{what} is {tuple(result.shape)} and ours {ours}; "
                "the reader of this function is wrong"
            )

    def equal(self, left: Size, right: Size, why: str) -> None:
        """Demand that two sizes are equal, a condition where their formulas differ."""
        if left != right:
            self.tracer.record.hold("==", left - right)
            self.tracer.demands.setdefault(left - right, (self.tracer.path, why))

    def restated(self, x: Traced, sizes: Sequence[Size], why: str) -> Traced:
        """Return an operand with its sizes written as others, demanded to be equal."""
        if tuple(sizes) == x.sizes:
            return x
        for mine, theirs in zip(x.sizes, sizes, strict=True):
            self.equal(mine, theirs, why)
        return self.put_sizes(op.Reshape, x, tuple(sizes))

    def refuse(self, reason: str) -> CostModelError:
        """Return an error that says which module calls what."""
        return self.tracer.refuse(self.name, reason)


def read(
    tracer: Tracer, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Read one call by its name's reader, or by what it is made of."""
    from costmodel.bridge.trace.readers import reader_of

    reader = reader_of(name)
    if reader is None:
        return descend(tracer, name, func, args, options)
    result = tracer.run(func, args, options)
    call = Call(tracer, name, args, options, result)
    try:
        reader(call)
    except UndoneError:
        return descend(tracer, name, func, args, options)
    return result


class UndoneError(Exception):
    """A reader has no rule for these arguments."""


def descend(
    tracer: Tracer, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Read a function by the kernels that it calls, or as unknown."""
    from costmodel.bridge.trace.kernels import by_kernels

    return by_kernels(tracer, name, func, args, options)


def unknown(tracer: Tracer, name: str, args: Any, options: Any, result: Any) -> Any:
    """Write down an operator without a rule; its outputs go on as they are."""
    operands = [
        v for v in tree_flatten((args, options))[0] if isinstance(v, torch.Tensor)
    ]
    inputs = [found for v in operands if isinstance(found := tracer.tensor(v), Traced)]
    call = Call(tracer, name, tuple(args), dict(options), result)
    stored = not any(x.layout.has_batch for x in inputs)
    if not stored:
        tracer.unknown.setdefault(name, []).append(tracer.path or "forward")
    for value in tree_flatten(result)[0]:
        if isinstance(value, torch.Tensor):
            sizes = guessed(value, inputs, tracer.record.values)
            lay, shape = split(sizes, tracer.batch)
            made_of = tuple(x.node for x in inputs)
            operator = op.Derived(shape) if stored else op.Opaque(name, shape)
            node = tracer.emit(operator, made_of, "" if stored else _word(name))
            made = Traced(node.name, node.output, sizes, lay)
            call.check(sizes, value, node.operator)
            tracer.know(value, made)
    for value in operands:
        # What it stores is known, whatever it does with that.
        if isinstance(found := tracer.tensor(value), Constant):
            _ = [tracer.store(path) for path in found.sources]
    return result


def guessed(
    value: torch.Tensor, inputs: Sequence[Traced], values: Mapping[Any, int]
) -> Sizes:
    """Return sizes that agree with an operand's wherever the numbers do."""
    found = []
    for axis, length in enumerate(value.shape):
        there = [x.sizes[axis] for x in inputs if axis < len(x.sizes)]
        anywhere = [s for x in inputs for s in x.sizes]
        same = [s for s in (*there, *anywhere) if s.at(values) == length]
        found.append(same[0] if same else formula_of(int(length)))
    return tuple(found)


def _word(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name) or "opaque"


__all__ = ["Call", "Constant", "Layout", "UndoneError", "read", "shaped", "unknown"]
