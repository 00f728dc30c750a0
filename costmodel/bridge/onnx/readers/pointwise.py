"""Readers of functions of each element, of one tensor, a number, or two tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costmodel.bridge.onnx.call import Call, Undone
from costmodel.bridge.onnx.tensors import Constant, Traced, plain
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.operators.functions import onnx_as


Reader = Callable[[Call], None]


def each(operator: Operator) -> Reader:
    """Return a reader of a function of each element."""

    def reader(call: Call) -> None:
        call.give(call.put(operator, call.x()))

    return reader


def function(kind: str) -> Reader | None:
    """Return a reader of a function in the table of functions."""
    known = onnx_as(kind)
    return None if known is None else each(op.Pointwise(known))


def gelu(call: Call) -> None:
    """Read the Gaussian error linear unit, exact or by tanh."""
    name = "gelu_tanh" if call.get("approximate", "none") == "tanh" else "gelu"
    call.give(call.put(op.Pointwise(name), call.x()))


def clip(call: Call) -> None:
    """Read a clamp; from 0 to 6 it is ReLU6."""
    limits = []
    for place, name in ((1, "min"), (2, "max")):
        if call.is_traced(place):
            raise Undone
        given = call.listed(place, name)
        limits.append(given[0] if isinstance(given, list) else given)
    known = {(0, 6): "relu6", (-1, 1): "hardtanh", (0, None): "relu"}
    name = known.get((limits[0], limits[1]), "clamp")
    call.give(call.put(op.Pointwise(name), call.x()))


def dropout(call: Call) -> None:
    """Read dropout; in evaluation it hands its operand on, as a node of its own."""
    ratio = call.listed(1, "ratio", 0.5)
    ratio = ratio[0] if isinstance(ratio, list) else ratio
    call.give(call.put(op.Dropout(round(100 * float(ratio))), call.x()))


def same(call: Call) -> None:
    """Read an operator that hands its operand on."""
    call.give(call.x())


def softmax(call: Call) -> None:
    """Read a softmax along an axis; older versions took all axes from it on."""
    x, log = call.x(), call.kind == "LogSoftmax"
    is_old = call.version < 13
    axis = int(call.get("axis", 1 if is_old else -1)) % len(x.sizes)
    if is_old and any(s.constant != 1 for s in x.sizes[axis + 1 :]):
        raise Undone
    call.give(call.put(op.Softmax(call.axis(x, axis), log), x))


def binary(operation: str) -> Reader:
    """Return a reader of an operation on two tensors, or on one and a number."""

    def reader(call: Call) -> None:
        combine(call, operation)

    return reader


def combine(call: Call, operation: str) -> None:
    """Append the node of two operands, each a tensor or a number."""
    left, right = call.tensor(0), call.tensor(1)
    number = _single(right)
    if number is not None:
        call.give(scalar(call, operation, call.x(0), number))
    elif (number := _single(left)) is not None:
        name = f"reverse_{operation}"
        name = name if operation in {"subtract", "divide", "power"} else operation
        call.give(scalar(call, name, call.x(1), number))
    else:
        call.give(tensors(call, operation, call.x(0), call.x(1)))


def _single(value: Any) -> Any:
    """Return a number that is none of the file's tensors with axes; else None."""
    if not isinstance(value, Constant) or value.array is None:
        return None
    array = plain(value.array)
    return array.reshape(-1)[0] if array.size == 1 and not value.sizes else None


def scalar(call: Call, operation: str, x: Traced, value: Any) -> Traced:
    """Append an operation with a number."""
    if operation == "power" and value == 2:
        return call.put(op.Pointwise("square"), x)
    is_whole = isinstance(value, (np.integer, np.bool_))
    text = str(int(value)) if is_whole else repr(float(value))
    return call.put(op.Arithmetic(operation, text), x)


def tensors(call: Call, operation: str, a: Traced, b: Traced) -> Traced:
    """Append an operation on two tensors."""
    a, b = aligned(call, a, b)
    return call.put(op.Arithmetic(operation), a, b, layout=wider(a, b).layout)


def wider(a: Traced, b: Traced) -> Traced:
    """Return the operand that says where the batch of the result is."""
    if not a.layout.has_batch:
        return b
    if not b.layout.has_batch:
        return a
    return a if len(a.sizes) >= len(b.sizes) else b


def aligned(call: Call, a: Traced, b: Traced) -> tuple[Traced, Traced]:
    """Return operands whose sizes are equal or 1, demanded where they are not."""
    ours, other = list(a.sizes), list(b.sizes)
    for back in range(1, min(len(ours), len(other)) + 1):
        mine, theirs = ours[-back], other[-back]
        if mine == theirs or 1 in (mine.constant, theirs.constant):
            continue
        # What is stored has its size once and for all, and so has what is known.
        if not b.layout.has_batch or theirs.constant is not None:
            ours[-back] = theirs
        else:
            other[-back] = mine
    why = "the operands' sizes have to be equal"
    return call.restated(a, ours, why), call.restated(b, other, why)


def several(operation: str) -> Reader:
    """Return a reader of an operation on any number of tensors."""

    def reader(call: Call) -> None:
        made = call.x(0)
        for place in range(1, call.count):
            made = tensors(call, operation, made, call.x(place))
        if call.kind == "Mean" and call.count > 1:
            made = call.put(op.Arithmetic("divide", str(call.count)), made)
        call.give(made)

    return reader


POINTWISE: dict[str, Reader] = {
    "Clip": clip,
    "Gelu": gelu,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Dropout": dropout,
    "Identity": same,
    "Cast": same,
    "CastLike": same,
    "Add": binary("add"),
    "Sub": binary("subtract"),
    "Mul": binary("multiply"),
    "Div": binary("divide"),
    "Pow": binary("power"),
    "Equal": binary("equal"),
    "Greater": binary("greater"),
    "GreaterOrEqual": binary("greater_equal"),
    "Less": binary("less"),
    "LessOrEqual": binary("less_equal"),
    "Max": several("maximum"),
    "Min": several("minimum"),
    "Sum": several("add"),
    "Mean": several("add"),
}  # fmt: skip
"""Functions of each element whose operands say which; others are in the table."""
