"""The state while an ONNX file is read: known tensors, and the nodes so far."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import sympy

from costmodel.algebra.polynomial import size
from costmodel.bridge.importing.batch_axis import shaped, split
from costmodel.bridge.importing.graph import Graph, Traced
from costmodel.bridge.onnx.file import LARGE, check, library, numbers, opsets
from costmodel.bridge.onnx.names import Names, clean, path_of
from costmodel.bridge.onnx.tensors import Constant, Tensor


@dataclass(kw_only=True)
class FileGraph(Graph):
    """One reading of a model at a sample size."""

    model: Any
    folder: Path
    named: Mapping[str, sympy.Symbol] = field(default_factory=dict)
    """Symbols by the names that the file gives to axes."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    where: str = "graph"

    def __post_init__(self) -> None:
        """Record the stored tensors, and the readers of each tensor."""
        super().__post_init__()
        self.onnx = library()
        self.versions = opsets(self.model)
        self._owners: dict[tuple[str, ...], str] = {}
        self._parameters: dict[tuple[Any, ...], str] = {}
        self.record.where = lambda: self.where
        graph = self.model.graph
        self.readers: dict[str, list[Any]] = {v.name: [None] for v in graph.output}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.names = Names(_paths(graph))
        for tensor in graph.initializer:
            self.store(tensor.name, tensor, learnable=True)

    def scratch(self) -> Self:
        """Return a graph for tensors of which the sizes alone are wanted."""
        made = super().scratch()
        made.names = Names(())
        for own in ("_owners", "_parameters"):
            setattr(made, own, {})
        made.tensors = {
            name: replace(one, sources=(), is_itself=False)
            for name, one in self.tensors.items()
            if isinstance(one, Constant)
        }
        return made

    # Stored tensors.

    def store(self, name: str, tensor: Any, *, learnable: bool) -> None:
        """Record a tensor of the file."""
        check(tensor)
        sizes = tuple(size(int(d)) for d in tensor.dims)
        is_float = tensor.data_type in _FLOATS
        many = 1
        for d in tensor.dims:
            many *= int(d)

        def load() -> Any:
            if many > LARGE:
                return None
            return numbers(tensor, self.folder)

        is_learnable = learnable and is_float
        self.tensors[name] = Constant(
            sizes,
            (name,),
            is_itself=True,
            dtype=tensor.data_type,
            is_learnable=is_learnable,
            load=load,
        )

    def operand(self, tensor: Tensor) -> Traced:
        """Return a tensor as an operand; a constant one becomes a node of its own."""
        if isinstance(tensor, Traced):
            return tensor
        layout, shape = split(tensor.sizes, self.batch)
        key = (tensor.sizes, tensor.sources, tensor.is_itself)
        name = self._parameters.get(key) if tensor.sources else None
        if name is None:
            if tensor.is_itself and len(tensor.sources) == 1:
                name = self._stored(tensor)
            else:
                made_of = tuple(map(self._source, tensor.sources))
                name = self.names.node("", "", "derived")
                self.emit_derived(shape, made_of, name, layout)
            self._parameters[key] = name
        return Traced(name, shape, tensor.sizes, layout, tensor.dtype)

    def _stored(self, tensor: Constant) -> str:
        """Return a node for a stored tensor, or for a view of one."""
        (source,) = tensor.sources
        layout, shape = split(tensor.sizes, self.batch)
        if (source,) in self._owners:
            name = self.names.node("", "", "derived")
            owner = self._owners[(source,)]
            made_of = (owner,) if owner in self.nodes else ()
            return self.emit_derived(shape, made_of, name, layout)
        name = self.names.stored(source)
        self._owners[(source,)] = name
        return self.emit_stored(shape, name, learnable=tensor.is_learnable)

    def _source(self, source: str) -> str:
        """Return the node of a stored tensor that others are computed from."""
        if (source,) not in self._owners:
            tensor = self.tensors[source]
            learnable = isinstance(tensor, Constant) and tensor.is_learnable
            self._owners[(source,)] = self.emit_stored(
                shaped(tensor.sizes), self.names.stored(source), learnable=learnable
            )
        return self._owners[(source,)]

    def owner(self, sources: tuple[str, ...], name: str) -> str:
        """Return the node that stores those tensors already, or register this one."""
        return self._owners.setdefault(sources, name) if sources else name


_FLOATS = {1, 10, 11, 16}
"""ONNX's numbers of float32, float16, float64 and bfloat16."""

LIKE = {"EyeLike", "RandomNormalLike", "RandomUniformLike"}
"""Operators whose result has their operand's sizes, and nothing of its values."""

OF_SIZES = {"Shape", "Size"} | LIKE
"""Operators that read the sizes of their operand alone."""

SILENT = {"Identity", "Cast", "CastLike", "Shape", "Size", "Constant"}
"""Operators that are not made into nodes."""


def reached(graph: Any) -> Iterator[Any]:
    """Return the nodes that depend on the input, and not only on its sizes."""
    found = {value.name for value in graph.input} - {t.name for t in graph.initializer}
    for node in graph.node:
        if node.op_type not in OF_SIZES and not found.isdisjoint(node.input):
            found.update(node.output)
            yield node


def _paths(graph: Any) -> Iterator[tuple[str, str]]:
    """Return path and operator of every node that becomes an operator of ours."""
    products: set[str] = set()
    for node in reached(graph):
        # The sum with a bias is one operator with the product before it.
        is_bias = node.op_type == "Add" and not products.isdisjoint(node.input)
        if node.op_type == "MatMul":
            products.update(node.output)
        if node.op_type not in SILENT and not is_bias:
            yield path_of(node), node.op_type


def own_name(node: Any) -> str:
    """Return a node's own name, or "" if it is only the operator and a number.

    >>> from types import SimpleNamespace as Node
    >>> [own_name(Node(name=name, op_type="Conv")) for name in ("Conv_12", "stem")]
    ['', 'stem']
    """
    name = clean(node.name).removeprefix("node_")
    return "" if re.fullmatch(rf"{node.op_type}(_\d+)?", name, re.IGNORECASE) else name
