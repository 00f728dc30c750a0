"""Functions of each element, of one tensor, a number, or two tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costmodel.algebra.extent import Extent
from costmodel.bridge.importing.call import Call
from costmodel.bridge.importing.graph import Traced
from costmodel.network import operators as op


Reader = Callable[[Call], None]
_ONE = Extent(1)


def function(name: str) -> Reader:
    """Return a reader of a row of the table of functions."""

    def reader(call: Call) -> None:
        applied(call, name, call.x())

    return reader


def applied(call: Call, name: str, x: Traced, *, is_step: bool = False) -> Traced:
    """Append a function of each element: as the output, or on the way."""
    append = call.put if is_step else call.result
    return append(op.Pointwise(name), x)


def gelu(call: Call) -> None:
    """Read the Gaussian error linear unit, exact or by tanh."""
    is_tanh = call.get("approximate", "none") == "tanh"
    function("gelu_tanh" if is_tanh else "gelu")(call)


def dropout(call: Call, rate: float) -> None:
    """Append dropout; in evaluation it hands its operand on, as a node of its own."""
    call.result(op.Dropout(round(100 * rate)), call.x())


def same(call: Call) -> None:
    """Read what hands its operand on."""
    call.give(call.x())


def softmax(call: Call, axis: int, *, log: bool) -> None:
    """Append a softmax along an axis of the tensor."""
    x = call.x()
    call.result(op.Softmax(call.axis(x, axis), log), x)


def binary(
    operation: str, second: str = "other", *, is_reversed: bool = False
) -> Reader:
    """Return a reader of an operation on two tensors, or on one and a number."""

    def reader(call: Call) -> None:
        pair = call.get("input"), call.get(second)
        combine(call, operation, *(reversed(pair) if is_reversed else pair))

    return reader


def combine(call: Call, operation: str, left: Any, right: Any) -> None:
    """Append the node of two operands, each a tensor or a number, as the output."""
    if (text := call.constant(right)) is not None:
        operand = call.operand(left)
        if operation == "power" and text in {"2", "2.0"}:
            applied(call, "square", operand)
        else:
            call.result(op.Arithmetic(operation, text), operand)
    elif (text := call.constant(left)) is not None:
        name = f"reverse_{operation}" if operation in _ORDERED else operation
        call.result(op.Arithmetic(name, text), call.operand(right))
    else:
        tensors(call, operation, call.operand(left), call.operand(right))


_ORDERED = {"subtract", "divide", "power"}
"""Operations whose operands may not be exchanged."""


def by_number(call: Call, operation: str, x: Traced, text: str) -> Traced:
    """Append an operation with a number on the way."""
    return call.put(op.Arithmetic(operation, text), x)


def tensors(
    call: Call, operation: str, a: Traced, b: Traced, *, is_step: bool = False
) -> Traced:
    """Append an operation on two tensors: as the output, or on the way."""
    a, b = aligned(call, a, b)
    if operation == "multiply" and _is_gate(a, b):
        a, b = b, a
    append = call.put if is_step else call.result
    return append(op.Arithmetic(operation), a, b, layout=_wider(a, b).layout)


def several(call: Call, operation: str, parts: list[Traced], *, mean: bool) -> None:
    """Append an operation on any number of tensors, and divide by how many."""
    made, last = parts[0], len(parts) - 1
    if not last:
        call.give(made)
        return
    for place in range(1, len(parts)):
        is_step = mean or place < last
        made = tensors(call, operation, made, parts[place], is_step=is_step)
    if mean:
        call.result(op.Arithmetic("divide", str(len(parts))), made)


def _is_gate(a: Traced, b: Traced) -> bool:
    """Say whether a map's gate stands before it: the map comes first."""
    both = a.layout == b.layout and a.layout.has_batch
    are_maps = len(a.sizes) == 4 and len(a.shape.spatial) == len(b.shape.spatial)
    differ = a.shape.spatial != b.shape.spatial
    return both and are_maps and differ and all(e == _ONE for e in a.shape.spatial)


def _wider(a: Traced, b: Traced) -> Traced:
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
