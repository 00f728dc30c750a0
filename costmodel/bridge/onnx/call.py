"""One node of an ONNX graph: its operands, its attributes, and its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.call import Call, Pads
from costmodel.bridge.importing.graph import SampleError, Traced
from costmodel.bridge.onnx.graph import FileGraph, own_name
from costmodel.bridge.onnx.names import path_of
from costmodel.bridge.onnx.tensors import Constant, Tensor, plain


@dataclass
class NodeCall(Call):
    """A node that the input reaches.

    ``expected`` are the sizes that ONNX itself infers for its outputs at the sample;
    every formula is held against them.
    """

    graph: FileGraph
    node: Any
    expected: Sequence[tuple[int, ...] | None] = ()
    dtypes: Sequence[int] = ()
    operands: tuple[str, ...] = ("input",)
    """What the operands are called, in their order."""

    def __post_init__(self) -> None:
        """Take the operator's name in ONNX."""
        self.kind = str(self.node.op_type)

    @property
    def where(self) -> str:
        """What the node is called in errors."""
        return str(self.node.name or self.node.output[0])

    @property
    def version(self) -> int:
        """The version of ONNX's operators."""
        return self.graph.versions.get(self.node.domain, 1)

    # Operands and attributes.

    def get(self, name: str, default: Any = None) -> Any:
        """Return an operand by its name, or an attribute by PyTorch's name for it."""
        if name in self.operands:
            value = self.tensor(self.operands.index(name))
            return default if value is None else value
        return self.attribute(ATTRIBUTES.get(name, name), default)

    def attribute(self, name: str, default: Any = None) -> Any:
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
    def many(self) -> int:
        """How many operands there are."""
        return len(self.node.input)

    def all(self) -> list[Traced]:
        """Return all operands, of an operator that takes any number of them."""
        found = [self.tensor(place) for place in range(self.many)]
        return [self.operand(value) for value in found if value is not None]

    def operand(self, value: Any) -> Traced:
        """Return a tensor as an operand; a stored one becomes a node of its own."""
        return self.graph.operand(value)

    def is_traced(self, place: int) -> bool:
        """Say whether an operand depends on the input."""
        return isinstance(self.tensor(place), Traced)

    def constant(self, value: Any) -> str | None:
        """Return a number that is none of the file's tensors with axes, as text."""
        if not isinstance(value, Constant) or value.sizes or value.array is None:
            return None
        number = plain(value.array).reshape(-1)[0]
        is_whole = isinstance(number, (np.integer, np.bool_))
        return str(int(number)) if is_whole else repr(float(number))

    def stored(self, place: int) -> Constant | None:
        """Return a weight, which may not depend on the input."""
        value = self.tensor(place)
        if isinstance(value, Traced):
            raise self.refuse(
                f"operand {place} depends on the input: a layer with computed weights "
                "has no rule"
            )
        return value

    def optional(self, name: str) -> Constant | None:
        """Return a weight that a layer may be without: it is of no sample."""
        if name not in self.operands:
            return None
        return self.stored(self.operands.index(name))

    def lengths(self, weight: Constant) -> tuple[int, ...]:
        """Return the sizes of a weight, which are numbers."""
        found = []
        for one in weight.sizes:
            if not isinstance(one.constant, int):
                raise self.refuse(f"a weight's size depends on the input: {one.value}")
            found.append(one.constant)
        return tuple(found)

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
        if self.many > place and self.node.input[place]:
            return list(self.values(place).ravel())
        value = self.attribute(attribute, default)
        return list(value) if isinstance(value, (list, tuple)) else value

    # What it becomes.

    def name(self, kind: str, *, is_step: bool = False) -> str:
        """Return the name of the next node; a step is not what the module is for."""
        names = self.graph.names
        path = path_of(self.node)
        own = own_name(self.node) if not path else ""
        return (names.beside if is_step else names.node)(path, own, kind)

    def rank(self, place: int) -> int | None:
        """Return how many axes an output has, where ONNX infers it."""
        wanted = self.expected[place] if place < len(self.expected) else None
        return None if wanted is None else len(wanted)

    def give(self, made: Traced, place: int = 0) -> None:
        """Say that a tensor is an output, held against the sizes that ONNX infers."""
        wanted = self.expected[place] if place < len(self.expected) else None
        ours = self.graph.numbers(made.sizes)
        if wanted is not None and ours != wanted:
            raise SampleError(
                f'{self.kind} at "{self.where}": ONNX infers {wanted} for its output '
                f"and we {ours}"
            )
        if place < len(self.dtypes):
            made = replace(made, dtype=self.dtypes[place] or made.dtype)
        self.graph.tensors[self.node.output[place]] = made

    def store(self, name: str, weights: Sequence[Any], others: Sequence[Any]) -> str:
        """Say that a node stores weights and statistics; return who stores the same."""
        found = (one for weight in (*weights, *others) for one in weight.sources)
        owner = self.graph.owner(tuple(dict.fromkeys(found)), name)
        return "" if owner == name else owner

    # What windows and normalizations are given.

    @property
    def axes(self) -> int:
        """Along how many axes a window moves."""
        return len(self.attribute("kernel_shape", ()))

    def pads(self, axes: int) -> Pads | str:
        """Return a window's padding; or whether as much as makes ⌈n/s⌉ positions."""
        mode = self.attribute("auto_pad", "NOTSET")
        if mode.startswith("SAME"):
            return "after" if mode == "SAME_UPPER" else "before"
        given = () if mode == "VALID" else self.attribute("pads", ())
        both = tuple(given) or (0,) * 2 * axes
        return both[:axes], both[axes:]

    def stride(self, kernel: Sequence[Dim]) -> tuple[Dim, ...]:
        """Return the stride of a pooling: 1, where it is not said."""
        return self.ints("stride", len(kernel), 1)

    def rounds_up(self) -> bool:
        """Say whether a window may reach over the end, but not begin in the padding.

        PyTorch leaves such a window out, and so does ONNX since version 22; before, it
        said nothing of it, and counted it.
        """
        is_up = bool(self.attribute("ceil_mode", 0))
        if is_up and self.version < 22:
            self.expected = ()
        return is_up

    def counts_padding(self, padding: Sequence[Dim]) -> bool:
        """Say whether zeros beside a map belong to a mean, or there are none."""
        return bool(self.attribute("count_include_pad", 0)) or not any(padding)

    def is_affine(self) -> bool:
        """Say whether a scale is learned: a constant of the graph is none.

        Exporters take a group norm apart, and write ones and zeros where they scale
        later.
        """
        scale, shift = self.weight(), self.optional("bias")
        is_named = self.node.input[self.operands.index("weight")].endswith("weight")
        return scale.is_learnable and (is_named or not _is_neutral(scale, shift))


def _is_neutral(scale: Constant, shift: Constant | None) -> bool:
    """Say whether a scale is 1 everywhere, and a shift 0."""
    ones, zeros = scale.array, None if shift is None else shift.array
    return ones is not None and bool((ones == 1).all() and not np.any(zeros))


ATTRIBUTES = {
    "stride": "strides", "dilation": "dilations", "kernel_size": "kernel_shape",
    "groups": "group",
}  # fmt: skip
"""ONNX's names of attributes by PyTorch's, where they differ."""

Reader = Callable[[NodeCall], None]


def taking(words: str, reader: Callable[[Any], None]) -> Reader:
    """Return a reader of a node whose operands are called so, in their order."""
    names = tuple(words.split())

    def named(call: NodeCall) -> None:
        call.operands = names
        reader(call)

    return named
