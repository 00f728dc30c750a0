"""Readers of elementwise ONNX operators, and of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import pointwise, reductions
from costmodel.bridge.importing.readers.pooling import is_map
from costmodel.bridge.onnx.call import NodeCall, Reader, taking


def clip(call: NodeCall) -> None:
    """Read a clamp; from 0 to 6 it is ReLU6."""
    if call.is_traced(1) or call.is_traced(2):
        raise NoRule
    limits = _first(call.listed(1, "min")), _first(call.listed(2, "max"))
    known = {(0, 6): "relu6", (-1, 1): "hardtanh", (0, None): "relu"}
    if (name := known.get(limits)) is not None:
        pointwise.function(name)(call)
    else:
        least, most = (None if n is None else float(n) for n in limits)
        pointwise.function("clamp", min=least, max=most)(call)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def dropout(call: NodeCall) -> None:
    """Read dropout."""
    pointwise.dropout(call, float(_first(call.listed(1, "ratio", 0.5))))


def softmax(call: NodeCall) -> None:
    """Read a softmax along an axis; older versions took all axes from it on."""
    x, is_old = call.x(), call.version < 13
    axis = int(call.get("axis", 1 if is_old else -1)) % len(x.sizes)
    if is_old and any(s.constant != 1 for s in x.sizes[axis + 1 :]):
        raise NoRule
    pointwise.softmax(call, axis, log=call.kind == "LogSoftmax")


def several(operation: str) -> Reader:
    """Return a reader of an operation on any number of tensors."""

    def reader(call: NodeCall) -> None:
        pointwise.several(call, operation, call.all(), mean=call.kind == "Mean")

    return reader


def reduction(operation: str) -> Reader:
    """Return a reader of a reduction over axes."""

    def reader(call: NodeCall) -> None:
        x, axes = call.x(), call.listed(1, "axes")
        if not axes and call.get("noop_with_empty_axes", 0):
            call.give(x)
            return
        places = sorted({int(a) % len(x.sizes) for a in axes or range(len(x.sizes))})
        keep = bool(call.get("keepdims", 1))
        _reduced(call, operation, x, places, keep=keep)

    return reader


def _reduced(
    call: NodeCall,
    operation: str,
    x: Traced,
    places: Sequence[int],
    *,
    keep: bool,
    result: int | None = 0,
) -> Traced:
    """Append a reduction; on a feature map it covers the whole image."""
    is_all = any(place >= 2 for place in places)
    everywhere = is_all if is_map(x) and len(x.sizes) > 3 else None
    return reductions.reduced(
        call, operation, x, places, keep=keep, everywhere=everywhere, result=result
    )


def normalize(call: NodeCall) -> None:
    """Read a division by the norm."""
    x = call.x()
    if call.get("p", 2) != 2:
        raise NoRule
    axis = int(call.get("axis", -1)) % len(x.sizes)
    length = _reduced(call, "norm", x, [axis], keep=True, result=None)
    pointwise.tensors(call, "divide", x, length)


def cumsum(call: NodeCall) -> None:
    """Read running sums along an axis."""
    reductions.cumulated(call, int(call.values(1).ravel()[0]))


def _of_two(operation: str) -> Reader:
    return taking("input other", pointwise.binary(operation))


ELEMENTS: dict[str, Reader] = {
    "Clip": clip,
    "Gelu": pointwise.gelu,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Dropout": dropout,
    "Identity": pointwise.same,
    "Cast": pointwise.same,
    "CastLike": pointwise.same,
    "Add": _of_two("add"),
    "Sub": _of_two("subtract"),
    "Mul": _of_two("multiply"),
    "Div": _of_two("divide"),
    "Pow": _of_two("power"),
    "Equal": _of_two("equal"),
    "Greater": _of_two("greater"),
    "GreaterOrEqual": _of_two("greater_equal"),
    "Less": _of_two("less"),
    "LessOrEqual": _of_two("less_equal"),
    "Max": several("maximum"),
    "Min": several("minimum"),
    "Sum": several("add"),
    "Mean": several("add"),
    "ReduceMean": reduction("mean"),
    "ReduceSum": reduction("sum"),
    "ReduceMax": reduction("max"),
    "ReduceMin": reduction("min"),
    "ReduceProd": reduction("prod"),
    "ReduceL2": reduction("norm"),
    "LpNormalization": normalize,
    "CumSum": cumsum,
}
"""By type; functions without further operands are in the table of functions."""
