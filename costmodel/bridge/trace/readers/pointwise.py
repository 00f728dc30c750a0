"""Readers of functions of each element, of one tensor, a number, or two tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from costmodel.algebra.extent import Extent
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.layout import Layout
from costmodel.bridge.trace.tracer import Constant, Traced, number_of
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.operators.functions import traced_as


Reader = Callable[[Call], None]
_ONE = Extent(1)


def each(operator: Operator) -> Reader:
    """Return a reader of a function of each element."""

    def reader(call: Call) -> None:
        call.put(operator, call.x(), result=call.result)

    return reader


def function(name: str) -> Reader | None:
    """Return a reader of a function in the table of functions."""
    known = traced_as(name)
    return None if known is None else each(op.Pointwise(known))


def gelu(call: Call) -> None:
    """Read the Gaussian error linear unit, exact or by tanh."""
    approximate = call.get(1, "approximate", "none")
    name = "gelu_tanh" if approximate == "tanh" else "gelu"
    call.put(op.Pointwise(name), call.x(), result=call.result)


def hardtanh(call: Call) -> None:
    """Read a clamp; from 0 to 6 it is ReLU6."""
    limits = (call.get(1, "min_val", -1.0), call.get(2, "max_val", 1.0))
    name = "relu6" if limits == (0, 6) else "hardtanh"
    call.put(op.Pointwise(name), call.x(), result=call.result)


def dropout(call: Call) -> None:
    """Read dropout; in evaluation it hands its operand on, as a node of its own."""
    percent = round(100 * float(call.get(1, "p", 0.5)))
    if percent == 0 and not call.tracer.keeps_identities:
        call.same(call.x(), call.result)
    else:
        call.put(op.Dropout(percent), call.x(), result=call.result)


def same(call: Call) -> None:
    """Read a function that hands its operand on."""
    call.same(call.x(), call.result)


def copy(call: Call) -> None:
    """Read a copy; there is none where the very tensor is handed on."""
    if call.result is call.tracer.twin(call.args[0]):
        return
    call.same(call.x(), call.result)


def softmax(call: Call) -> None:
    """Read a softmax along an axis."""
    x = call.x()
    dim = call.get(1, "dim")
    if dim is None:
        dim = 1 if len(x.sizes) in (2, 4) else 0
    log = call.name == "log_softmax"
    call.put(op.Softmax(call.axis(x, dim), log), x, result=call.result)


def binary(operation: str, *, is_reversed: bool = False) -> Reader:
    """Return a reader of an operation on two tensors, or on one and a number."""

    def reader(call: Call) -> None:
        left, right = call.get(0, "input"), call.get(1, "other")
        if call.get(2, "rounding_mode") is not None:
            raise UndoneError
        if is_reversed:
            left, right = right, left
        combine(call, operation, left, right)

    return reader


def combine(call: Call, operation: str, left: Any, right: Any) -> None:
    """Append the node of two operands, each a tensor or a number."""
    if number_of(right) or _is_single(call, right):
        scalar(call, operation, left, right)
    elif number_of(left) or _is_single(call, left):
        scalar(call, _REVERSED.get(operation, operation), right, left)
    else:
        tensors(call, operation, left, right)


_REVERSED = {
    "subtract": "reverse_subtract",
    "divide": "reverse_divide",
    "power": "reverse_power",
}


def _is_single(call: Call, value: Any) -> bool:
    """Say whether a tensor is one number that no module stores."""
    if not isinstance(value, torch.Tensor) or value.dim() or call.is_traced(value):
        return False
    known = call.tracer.tensor(value)
    return not (isinstance(known, Constant) and known.sources)


def scalar(call: Call, operation: str, x: Any, value: Any) -> None:
    """Append an operation with a number."""
    operand = call.tracer.operand(x)
    text = "0" if isinstance(value, torch.Tensor) else _text(value)
    call.put(op.Arithmetic(operation, text), operand, result=call.result)


def _text(number: float) -> str:
    """Write a number; a size is written as that of the sample."""
    return repr(float(number)) if isinstance(number, float) else str(number)


def tensors(call: Call, operation: str, left: Any, right: Any) -> None:
    """Append an operation on two tensors."""
    a, b = call.tracer.operand(left), call.tracer.operand(right)
    a, b = aligned(call, a, b)
    if operation == "multiply" and _is_gate(a, b):
        a, b = b, a
    operator = op.Arithmetic(operation)
    call.put(operator, a, b, layout=_wider(a, b).layout, result=call.result)


def _is_gate(a: Traced, b: Traced) -> bool:
    """Say whether a map's gate stands before it: the map comes first."""
    both = a.layout == b.layout and a.layout.has_batch
    are_maps = len(a.sizes) == 4 and len(a.shape.spatial) == len(b.shape.spatial)
    differ = a.shape.spatial != b.shape.spatial
    return both and are_maps and differ and all(e == _ONE for e in a.shape.spatial)


def _wider(a: Traced, b: Traced) -> Traced:
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


def add(call: Call) -> None:
    """Read a sum; a factor of the second operand is a product before it."""
    alpha = call.options.get("alpha", 1)
    if alpha != 1:
        raise UndoneError
    binary("add")(call)


def floor_divide(call: Call) -> None:
    """Read a division that is rounded down."""
    x, other = call.x(), call.get(1, "other")
    if not number_of(other):
        raise UndoneError
    quotient = call.put(op.Arithmetic("divide", _text(other)), x)
    call.put(op.Pointwise("floor"), quotient, result=call.result)


def lerp(call: Call) -> None:
    """Read a + w·(b − a)."""
    a, b, weight = call.x(0, "input"), call.x(1, "end"), call.get(2, "weight")
    if not number_of(weight) or a.sizes != b.sizes:
        raise UndoneError
    step = call.put(op.Arithmetic("subtract"), b, a)
    step = call.put(op.Arithmetic("multiply", _text(weight)), step)
    call.put(op.Arithmetic("add"), a, step, result=call.result)


def addcmul(call: Call) -> None:
    """Read x + value·a·b."""
    x, a, b = (call.get(i, n) for i, n in enumerate(("input", "tensor1", "tensor2")))
    one, two = aligned(call, call.tracer.operand(a), call.tracer.operand(b))
    lay = _wider(one, two).layout
    product = call.put(op.Arithmetic("multiply"), one, two, layout=lay)
    value = call.options.get("value", 1)
    if value != 1:
        product = call.put(op.Arithmetic("multiply", repr(float(value))), product)
    left = call.tracer.operand(x)
    operator = op.Arithmetic("add")
    lay = _wider(left, product).layout
    call.put(operator, left, product, layout=lay, result=call.result)


def power(call: Call) -> None:
    """Read a power; a square is a product."""
    exponent = call.get(1, "exponent")
    if number_of(exponent) and exponent == 2:
        call.put(op.Pointwise("square"), call.x(), result=call.result)
    else:
        combine(call, "power", call.get(0, "input"), exponent)


def clamp(call: Call) -> None:
    """Read a clamp to numbers."""
    bounds = [call.get(1, "min"), call.get(2, "max")]
    if any(isinstance(bound, torch.Tensor) for bound in bounds):
        raise UndoneError
    call.put(op.Pointwise("clamp"), call.x(), result=call.result)


POINTWISE: dict[str, Reader] = {
    "hardtanh": hardtanh,
    "gelu": gelu,
    "clamp": clamp,
    "dropout": dropout,
    "alpha_dropout": dropout,
    "feature_dropout": dropout,
    "feature_alpha_dropout": dropout,
    "dropout1d": dropout,
    "dropout2d": dropout,
    "dropout3d": dropout,
    "softmax": softmax,
    "log_softmax": softmax,
    "detach": same,
    "requires_grad": same,
    "contiguous": copy,
    "clone": copy,
    "to": copy,
    "add": add,
    "sub": binary("subtract"),
    "rsub": binary("subtract", is_reversed=True),
    "mul": binary("multiply"),
    "div": binary("divide"),
    "rdiv": binary("divide", is_reversed=True),
    "maximum": binary("maximum"),
    "minimum": binary("minimum"),
    "pow": power,
    "gt": binary("greater"),
    "ge": binary("greater_equal"),
    "lt": binary("less"),
    "le": binary("less_equal"),
    "eq": binary("equal"),
    "ne": binary("not_equal"),
    "floor_divide": floor_divide,
    "lerp": lerp,
    "rpow": binary("power", is_reversed=True),
    "addcmul": addcmul,
}
"""Functions of each element whose arguments say which; the others are in the table."""

__all__ = ["POINTWISE", "Layout", "aligned", "function", "tensors"]
