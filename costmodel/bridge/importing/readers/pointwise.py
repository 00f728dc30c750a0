"""Readers of elementwise functions and arithmetic, dropout and softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costmodel.algebra.extent import Extent
from costmodel.bridge.importing.call import Call
from costmodel.bridge.importing.graph import Traced
from costmodel.network import operators as op


Reader = Callable[[Call], None]
_ONE = Extent(1)


def function(name: str, **constants: Any) -> Reader:
    """Return a reader of an elementwise function, perhaps with its constants."""

    def reader(call: Call) -> None:
        applied(call, name, call.x(), **constants)

    return reader


def applied(
    call: Call, name: str, x: Traced, *, is_step: bool = False, **constants: Any
) -> Traced:
    """Append an elementwise function, as the output or as a step."""
    append = call.put if is_step else call.result
    return append(call.kept(op.Pointwise(name), **constants), x)


def gelu(call: Call) -> None:
    """Read the Gaussian error linear unit, exact or by tanh."""
    is_tanh = call.get("approximate", "none") == "tanh"
    function("gelu_tanh" if is_tanh else "gelu")(call)


def dropout(call: Call, rate: float) -> None:
    """Append dropout, also in evaluation, where it is the identity."""
    call.result(op.Dropout(round(100 * rate)), call.x())


def same(call: Call) -> None:
    """Read an identity."""
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
    """Append an operation with a number, as a step."""
    return call.put(op.Arithmetic(operation, text), x)


def tensors(
    call: Call, operation: str, a: Traced, b: Traced, *, is_step: bool = False
) -> Traced:
    """Append an operation on two tensors, as the output or as a step."""
    a, b = aligned(call, a, b)
    if operation == "multiply" and _is_gate(a, b):
        a, b = b, a
    append = call.put if is_step else call.result
    return append(op.Arithmetic(operation), a, b, layout=_wider(a, b).layout)


def several(call: Call, operation: str, parts: list[Traced], *, mean: bool) -> None:
    """Append an operation on any number of tensors, divided by that for a mean."""
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
    """Say whether the first factor is a gate of the second, so that they swap."""
    both = a.layout == b.layout and a.layout.has_batch
    are_maps = len(a.sizes) == 4 and len(a.shape.spatial) == len(b.shape.spatial)
    differ = a.shape.spatial != b.shape.spatial
    return both and are_maps and differ and all(e == _ONE for e in a.shape.spatial)


def _wider(a: Traced, b: Traced) -> Traced:
    """Return the operand whose layout of the batch the result has."""
    if not a.layout.has_batch:
        return b
    if not b.layout.has_batch:
        return a
    return a if len(a.sizes) >= len(b.sizes) else b


def aligned(call: Call, a: Traced, b: Traced) -> tuple[Traced, Traced]:
    """Return operands whose sizes are 1 or required to be equal."""
    ours, other = list(a.sizes), list(b.sizes)
    for back in range(1, min(len(ours), len(other)) + 1):
        mine, theirs = ours[-back], other[-back]
        if mine == theirs or 1 in (mine.constant, theirs.constant):
            continue
        # Stored tensors and known numbers have fixed sizes.
        if not b.layout.has_batch or theirs.constant is not None:
            ours[-back] = theirs
        else:
            other[-back] = mine
    why = "the operands' sizes have to be equal"
    return call.restated(a, ours, why), call.restated(b, other, why)
