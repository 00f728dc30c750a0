"""Constant nodes: computed if they are small, otherwise known by their sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from costmodel.algebra.polynomial import size
from costmodel.bridge.importing import symbolic_int
from costmodel.bridge.importing.batch_axis import Sizes
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.symbolic_int import SizeInt, formula_of, whole
from costmodel.bridge.onnx.call import NodeCall
from costmodel.bridge.onnx.file import LARGE
from costmodel.bridge.onnx.graph import LIKE
from costmodel.bridge.onnx.readers import reader_of
from costmodel.bridge.onnx.small_arrays import VALUES, Arguments, LostError
from costmodel.bridge.onnx.tensors import (
    Constant,
    Tensor,
    has_formula,
    is_small,
    objects,
    plain,
)
from costmodel.errors import CostModelError
from costmodel.network.shape import broadcast


VIEWS = {
    "Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten",
    "DequantizeLinear",
}  # fmt: skip
"""Operators that change the shape or type of a stored tensor, but no values."""


def constant(call: NodeCall) -> None:
    """Record the outputs of a node that reads constants alone."""
    if call.kind == "Constant" and call.attribute("value") is not None:
        call.graph.store(call.node.output[0], call.attribute("value"), learnable=False)
        return
    if call.kind == "Identity" and _is_named(call):
        return
    inputs = [call.tensor(i) for i in range(call.many)]
    stored = [v for v in inputs if isinstance(v, Constant) and v.sources]
    sources = tuple(dict.fromkeys(one for v in stored for one in v.sources))
    learnable = any(v.is_learnable for v in stored)
    is_itself = call.kind in VIEWS and len(stored) == 1 and stored[0].is_itself
    made = _arrays(call, inputs) or []
    for place, name in enumerate(call.node.output):
        array = made[place] if place < len(made) else None
        sizes = _sizes(call, place, array)
        if name and sizes is not None:
            dtype = call.dtypes[place] if place < len(call.dtypes) else 1
            call.graph.tensors[name] = Constant(
                sizes,
                sources,
                is_itself,
                dtype=dtype,
                is_learnable=learnable,
                load=_given(array),
            )


def _is_named(call: NodeCall) -> bool:
    """Restore the name of a parameter that an exporter has merged with an equal one.

    PyTorch's exporter stores tensors of equal values once, and writes the other
    parameters as Identity nodes with their names.
    """
    value, name = call.tensor(0), call.node.output[0]
    if not (isinstance(value, Constant) and value.is_itself and value.is_learnable):
        return False
    if "/" in name or "::" in name or "." not in name:
        return False
    call.graph.tensors[name] = replace(value, sources=(name,))
    return True


def _given(array: Any) -> Any:
    return None if array is None else lambda: array


def _sizes(call: NodeCall, place: int, array: Any) -> Sizes | None:
    if array is not None:
        return tuple(size(int(n)) for n in array.shape)
    exact = _exact(call)
    if exact is not None:
        return exact
    expected = call.expected[place] if place < len(call.expected) else None
    if expected is None:
        return None
    operands = operand_sizes(call)
    if all(one.constant is not None for sizes in operands for one in sizes):
        return tuple(map(size, expected))
    found = _read(call, place) or broadcast(*_tensor_sizes(call))
    is_right = found is not None and call.graph.numbers(found) == expected
    return found if is_right else guessed(call, expected)


def _read(call: NodeCall, place: int) -> Sizes | None:
    """Return the sizes that the reader of a node finds for an output."""
    graph, reader = call.graph.scratch(), reader_of(call.kind)
    if reader is None:
        return None
    with call.graph.undone(CostModelError, NoRule):
        reader(replace(call, graph=graph))
    made = graph.tensors.get(call.node.output[place])
    return None if made is None else made.sizes


def guessed(call: NodeCall, expected: Sequence[int]) -> Sizes:
    """Return formulas for sizes from those of operands, or in their values."""
    operands = operand_sizes(call)
    sizes = call.graph.guessed(expected, operands)
    known = {one for each in operands for one in each}
    for made in {*sizes} - known - {size(1)}:
        if any(one.constant is None for one in known):
            raise call.refuse(f"how its size {made.value} follows from others is lost")
    return sizes


def operand_sizes(call: NodeCall) -> list[Sizes]:
    """Return the sizes of all operands, and the sizes in values of small ones."""
    values = (call.tensor(i) for i in range(call.many))
    known = [value for value in values if value is not None]
    return [sizes for value in known for sizes in (value.sizes, _formulas(value))]


def _tensor_sizes(call: NodeCall) -> list[Sizes]:
    values = (call.tensor(i) for i in range(call.many))
    return [value.sizes for value in values if value is not None]


def _formulas(value: Tensor) -> Sizes:
    """Return the sizes in the values of a small array."""
    array = value.array if isinstance(value, Constant) else None
    if array is None or array.dtype != object:
        return ()
    return tuple(formula_of(v) for v in array.ravel() if isinstance(v, int))


def _exact(call: NodeCall) -> Sizes | None:
    """Return the sizes of an output that operands give as numbers."""
    if call.kind == "ConstantOfShape":
        return tuple(formula_of(v) for v in objects(call.values(0)).ravel())
    if call.kind == "Concat" or call.kind in LIKE:
        operands = [x.sizes for i in range(call.many) if (x := call.tensor(i))]
        axis = call.attribute("axis", 0) % len(operands[0])
        whole_ = sum((sizes[axis] for sizes in operands), start=size(0))
        return (*operands[0][:axis], whole_, *operands[0][axis + 1 :])
    if call.kind == "Tile":
        times = map(formula_of, objects(call.values(1)).ravel())
        sizes = () if (x := call.tensor(0)) is None else x.sizes
        return tuple(s * t for s, t in zip(sizes, times, strict=True))
    if call.kind in {"Expand", "Reshape"}:
        wanted = [v for v in objects(call.values(1)).ravel() if isinstance(v, SizeInt)]
        return _target(call) if wanted else None
    if call.kind == "Range":
        start, end, step = (objects(call.values(i))[()] for i in range(3))
        return (formula_of(math.ceil((end - start) / step)),) if step else None
    return None


def _target(call: NodeCall) -> Sizes | None:
    """Return the given sizes of a view or an expansion, if all are known."""
    value = call.tensor(0)
    wanted = objects(call.values(1)).ravel()
    if value is None or any(type(v) is int and v < 1 for v in wanted):
        return None
    if call.kind == "Reshape":
        return tuple(formula_of(v) for v in wanted)
    rank = max(len(wanted), len(value.sizes))
    ours = (*[size(1)] * (rank - len(value.sizes)), *value.sizes)
    theirs = (*[size(1)] * (rank - len(wanted)), *map(formula_of, wanted))
    return tuple(b if a.constant == 1 else a for a, b in zip(ours, theirs, strict=True))


def _arrays(call: NodeCall, inputs: Sequence[Tensor | None]) -> list[Any] | None:
    """Return the computed outputs of a node; None if they are too large."""
    if call.kind in {"Shape", "Size"}:
        return [_shape(call, inputs[0])]
    if call.kind == "Constant":
        return [_literal(call)]
    arrays = []
    for value in inputs:
        array = value.array if isinstance(value, Constant) else None
        if value is not None and array is None:
            return None
        arrays.append(array)
    if call.kind == "ConstantOfShape" or not _is_small(call):
        return _filled(call, arrays) if call.kind == "ConstantOfShape" else None
    if any(a is not None and has_formula(a) for a in arrays):
        return _with_formulas(call, arrays)
    return _by_reference(call, arrays)


def _is_small(call: NodeCall) -> bool:
    return all(e is None or is_small(e, LARGE) for e in call.expected)


def _shape(call: NodeCall, value: Tensor | None) -> Any:
    if value is None:
        raise call.refuse("it reads nothing")
    record = call.graph.record
    numbers = [whole(s, record) for s in value.sizes]
    if call.kind == "Size":
        product: Any = 1
        for one in numbers:
            product = product * one
        numbers, shape = [product], ()
    else:
        numbers = numbers[call.attribute("start", 0) : call.attribute("end")]
        shape = (len(numbers),)  # type: ignore[assignment]
    made = np.empty(len(numbers), dtype=object)
    made[:] = numbers
    return made.reshape(shape)


def _literal(call: NodeCall) -> Any:
    """Return the numbers of a Constant node."""
    for attribute in call.node.attribute:
        value = call.graph.onnx.helper.get_attribute_value(attribute)
        if attribute.name in {"value_int", "value_ints"}:
            return np.array(value, dtype=np.int64)
        if attribute.name in {"value_float", "value_floats"}:
            return np.array(value, dtype=np.float32)
    raise call.refuse("a constant of this kind has no rule")


def _filled(call: NodeCall, arrays: Sequence[Any]) -> list[Any] | None:
    """Return an array of one value, if its shape is known and small."""
    lengths = [] if arrays[0] is None else list(objects(arrays[0]).ravel())
    if any(isinstance(n, SizeInt) for n in lengths) or not is_small(lengths, LARGE):
        return None
    given = call.attribute("value")
    value = 0.0 if given is None else call.graph.onnx.numpy_helper.to_array(given)
    return [np.full([symbolic_int.plain(n) for n in lengths], value)]


def _with_formulas(call: NodeCall, arrays: Sequence[Any]) -> list[Any] | None:
    rule = VALUES.get(call.kind)
    if rule is None:
        return None
    try:
        made = rule(Arguments(arrays, call.attribute))
    except LostError:
        raise call.refuse("a size loses its formula: it becomes a fraction") from None
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return made if isinstance(made, list) else [made]


def _by_reference(call: NodeCall, arrays: Sequence[Any]) -> list[Any] | None:
    """Return the outputs by ONNX's reference implementation, on plain numbers."""
    onnx = call.graph.onnx
    names = list(call.node.input)
    feeds = {n: plain(a) for n, a in zip(names, arrays, strict=True) if n}
    helper = onnx.helper
    typed = [helper.make_empty_tensor_value_info(name) for name in feeds]
    made = [helper.make_empty_tensor_value_info(n) for n in call.node.output if n]
    graph = helper.make_graph([call.node], "one", typed, made)
    versions = [helper.make_opsetid(d, v) for d, v in call.graph.versions.items()]
    model = helper.make_model(graph, opset_imports=versions)
    try:
        found = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # noqa: BLE001 - then its numbers are unknown, not its size
        return None
    return [np.asarray(one) for one in found]
