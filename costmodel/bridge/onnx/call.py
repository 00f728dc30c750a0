"""Nodes of an ONNX graph as calls: operands, attributes, and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """A node that depends on the input.

    ``expected`` are the sizes that ONNX itself infers for its outputs at the sample;
    every formula is compared with them.
    """

    graph: FileGraph
    node: Any
    expected: Sequence[tuple[int, ...] | None] = ()
    dtypes: Sequence[int] = ()
    operands: tuple[str, ...] = ("input",)
    """The names of the operands, in order."""

    def __post_init__(self) -> None:
        """Set the operator's name in ONNX."""
        self.kind = str(self.node.op_type)

    @property
    def where(self) -> str:
        """The node's name in errors."""
        return str(self.node.name or self.node.output[0])

    @property
    def version(self) -> int:
        """The version of ONNX's operator set."""
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
                if isinstance(value, float):  # stored in 24 binary digits
                    return float(f"{value:.7g}")
                return value.decode() if isinstance(value, bytes) else value
        return default

    def tensor(self, place: int) -> Tensor | None:
        """Return an operand; None if it is left out."""
        names = self.node.input
        if place >= len(names) or not names[place]:
            return None
        if names[place] not in self.graph.tensors:
            raise self.refuse(f'operand "{names[place]}" is made by no node')
        return self.graph.tensors[names[place]]

    @property
    def many(self) -> int:
        """The number of operands."""
        return len(self.node.input)

    def all(self) -> list[Traced]:
        """Return all operands of a variadic operator."""
        found = [self.tensor(place) for place in range(self.many)]
        return [self.operand(value) for value in found if value is not None]

    def operand(self, value: Any) -> Traced:
        """Return a tensor as an operand; a stored one becomes a node of its own."""
        return self.graph.operand(self._for_samples(value))

    def _for_samples(self, value: Any) -> Any:
        """Return a constant with the batch where it has the number of the file for it.

        A file with a fixed batch may have what its code repeats for every sample.
        """
        number = self.graph.literal_batch
        if number in (None, 1) or isinstance(value, Traced):
            return value
        for other in (self.tensor(place) for place in range(self.many)):
            if not isinstance(other, Traced) or not other.layout.has_batch:
                continue
            axis, sizes = other.layout.batch_axis or 0, list(value.sizes)
            is_alike = len(sizes) == len(other.sizes) and not other.layout.is_folded
            if is_alike and sizes[axis].constant == number:
                sizes[axis] = self.graph.batch
                return replace(value, sizes=tuple(sizes), is_itself=False)
        return value

    def is_traced(self, place: int) -> bool:
        """Say whether an operand depends on the input."""
        return isinstance(self.tensor(place), Traced)

    def constant(self, value: Any) -> str | None:
        """Return a scalar as text; None for a tensor with axes."""
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
        """Return an optional weight, which may not depend on the sample."""
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
        """Return the values of a small operand; sizes keep their formulas."""
        value = self.stored(place)
        if value is None:
            return None
        array = value.array
        if array is None:
            raise self.refuse(f'the numbers of "{self.node.input[place]}" are unknown')
        return array

    def listed(self, place: int, attribute: str, default: Any = None) -> Any:
        """Return numbers from an operand, or in older versions from an attribute."""
        if self.many > place and self.node.input[place]:
            return list(self.values(place).ravel())
        value = self.attribute(attribute, default)
        return list(value) if isinstance(value, (list, tuple)) else value

    # Its nodes.

    def name(self, kind: str, *, is_step: bool = False) -> str:
        """Return the next node's name; a step is auxiliary to a module's operator."""
        names = self.graph.names
        path = path_of(self.node)
        own = own_name(self.node) if not path else ""
        return (names.beside if is_step else names.node)(path, own, kind)

    def rank(self, place: int) -> int | None:
        """Return the number of axes of an output, if ONNX infers it."""
        wanted = self.expected[place] if place < len(self.expected) else None
        return None if wanted is None else len(wanted)

    def give(self, made: Traced, place: int = 0) -> None:
        """Set an output, after comparing its sizes with those that ONNX infers."""
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

    def store(
        self, name: str, weights: Mapping[str, Any], others: Mapping[str, Any]
    ) -> dict[str, str]:
        """Register a node as the owner of weights; return an earlier owner."""
        tensors = (*weights.values(), *others.values())
        found = (one for weight in tensors for one in weight.sources)
        owner = self.graph.owner(tuple(dict.fromkeys(found)), name)
        return {} if owner == name else {name: owner}

    def is_stored(self, weight: Constant) -> bool:
        """Say whether a weight is a stored tensor, and not computed from some."""
        return weight.is_itself or not weight.sources

    # Numbers of windows and normalizations.

    @property
    def axes(self) -> int:
        """The number of axes along which a window slides."""
        return len(self.attribute("kernel_shape", ()))

    def pads(self, axes: int) -> Pads | str:
        """Return a window's padding, or "after" or "before" for ⌈n/s⌉ positions."""
        mode = self.attribute("auto_pad", "NOTSET")
        if mode.startswith("SAME"):
            return "after" if mode == "SAME_UPPER" else "before"
        given = () if mode == "VALID" else self.attribute("pads", ())
        both = tuple(given) or (0,) * 2 * axes
        return both[:axes], both[axes:]

    def stride(self, kernel: Sequence[Dim]) -> tuple[Dim, ...]:
        """Return the stride of a pooling, by default 1."""
        return self.ints("stride", len(kernel), 1)

    def rounds_up(self) -> bool:
        """Say whether a window may extend beyond the end, but not begin in the padding.

        PyTorch leaves such a window out, and so does ONNX since version 22; before, it
        was unspecified, and counted.
        """
        is_up = bool(self.attribute("ceil_mode", 0))
        if is_up and self.version < 22:
            self.expected = ()
        return is_up

    def counts_padding(self, padding: Sequence[Dim]) -> bool:
        """Say whether a mean counts the padding, or there is none."""
        return bool(self.attribute("count_include_pad", 0)) or not any(padding)

    def is_affine(self) -> bool:
        """Say whether a scale is learned, and no constant of the graph.

        Exporters decompose a group norm, with ones and zeros where the scale is applied
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
    "groups": "group", "eps": "epsilon", "negative_slope": "alpha",
}  # fmt: skip
"""ONNX's names of attributes by PyTorch's, where they differ."""

Reader = Callable[[NodeCall], None]


def taking(words: str, reader: Callable[[Any], None]) -> Reader:
    """Return a reader of a node whose operands have these names, in order."""
    names = tuple(words.split())

    def named(call: NodeCall) -> None:
        call.operands = names
        reader(call)

    return named
