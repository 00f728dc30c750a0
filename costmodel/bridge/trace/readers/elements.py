"""Readers of elementwise torch functions, and of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import PLACES, Traced
from costmodel.bridge.importing.readers import pointwise, reductions, views
from costmodel.bridge.importing.readers.pointwise import binary, by_number, tensors
from costmodel.bridge.trace.call import Reader, TorchCall, is_number
from costmodel.network import operators as op


def hardtanh(call: TorchCall) -> None:
    """Read a clamp; from 0 to 6 it is ReLU6."""
    limits = (call.get("min_val", -1.0), call.get("max_val", 1.0))
    pointwise.function("relu6" if limits == (0, 6) else "hardtanh")(call)


def clamp(call: TorchCall) -> None:
    """Read a clamp between numbers."""
    limits = {name: call.get(name) for name in ("min", "max")}
    if any(isinstance(limit, torch.Tensor) for limit in limits.values()):
        raise NoRule
    pointwise.function("clamp", **limits)(call)


def dropout(call: TorchCall) -> None:
    """Read dropout, which is the identity if nothing is dropped."""
    rate = float(call.get("p", 0.5)) if call.trains() else 0.0
    if round(100 * rate) == 0 and not call.graph.keeps_identities:
        pointwise.same(call)
    else:
        pointwise.dropout(call, rate)


def copy(call: TorchCall) -> None:
    """Read a copy, unless the result is the tensor itself.

    One from numbers to truth values, to integers or back changes its values.
    """
    x = call.get("input")
    if call.made is call.graph.twin(x):
        return
    before, after = x.dtype, call.made.dtype
    if (before.is_floating_point, before == torch.bool) == (
        after.is_floating_point, after == torch.bool
    ):  # fmt: skip
        pointwise.same(call)
    else:
        to = str(after).removeprefix("torch.")
        call.give(views.copied(call, call.x(), "same", dtype=to))


def softmax(call: TorchCall) -> None:
    """Read a softmax along an axis."""
    dim = call.get("dim")
    if dim is None:
        dim = 1 if len(call.x().sizes) in (2, 4) else 0
    pointwise.softmax(call, dim, log=call.kind == "log_softmax")


def scaled(operation: str, *, is_reversed: bool = False) -> Reader:
    """Return a reader of a sum or difference, of which one operand has a factor."""

    def reader(call: TorchCall) -> None:
        alpha, other = call.get("alpha", 1), call.get("other")
        if alpha == 1:
            binary(operation, is_reversed=is_reversed)(call)
            return
        if is_reversed or is_number(other):
            raise NoRule
        product = by_number(call, "multiply", call.operand(other), repr(float(alpha)))
        tensors(call, operation, call.x(), product)

    return reader


def divide(call: TorchCall) -> None:
    """Read a quotient; a rounded one is read by its kernels."""
    if call.get("rounding_mode") is not None:
        raise NoRule
    binary("divide")(call)


def floor_divide(call: TorchCall) -> None:
    """Read a division that is rounded down."""
    text = call.constant(call.get("other"))
    if text is None or not is_number(call.get("other")):
        raise NoRule
    quotient = by_number(call, "divide", call.x(), text)
    pointwise.applied(call, "floor", quotient)


def lerp(call: TorchCall) -> None:
    """Read a + w·(b − a)."""
    a, b, weight = call.x(), call.x("end"), call.get("weight")
    if not is_number(weight) or a.sizes != b.sizes:
        raise NoRule
    step = tensors(call, "subtract", b, a, is_step=True)
    step = by_number(call, "multiply", step, str(call.constant(weight)))
    tensors(call, "add", a, step)


def addcmul(call: TorchCall) -> None:
    """Read x + value·a·b."""
    one, two = call.x("tensor1"), call.x("tensor2")
    product = tensors(call, "multiply", one, two, is_step=True)
    value = call.get("value", 1)
    if value != 1:
        product = by_number(call, "multiply", product, repr(float(value)))
    tensors(call, "add", call.x(), product)


def axes_of(value: Any, rank: int) -> list[int]:
    """Return the axes of a number or a list; None means all."""
    if value is None:
        return list(range(rank))
    values = value if isinstance(value, Sequence) else [value]
    return sorted({v % rank for v in values}) or list(range(rank))


def reduced(
    call: TorchCall, operation: str, dims: Any, *, place: int | None = 0, keep: bool
) -> Traced:
    """Append a reduction along some axes."""
    x = call.x()
    axes = axes_of(dims, len(x.sizes))
    if len(axes) == len(x.sizes) and x.layout.has_batch:
        # One number of all samples: what code branches on.
        raise NoRule("over all samples")
    correction = 0
    if operation in {"var", "std"}:
        correction = call.get("correction", int(call.get("unbiased", True)))
        correction = 1 if correction is None else correction
    return reductions.reduced(
        call, operation, x, axes, keep=keep, result=place, correction=correction
    )


def reduction(operation: str) -> Reader:
    """Return a reader of a reduction over axes."""

    def reader(call: TorchCall) -> None:
        keep = bool(call.get("keepdim", False))
        reduced(call, operation, call.get("dim"), keep=keep)

    return reader


def extreme(operation: str) -> Reader:
    """Return a reader of a maximum or minimum, along an axis or of two tensors."""

    def reader(call: TorchCall) -> None:
        dim = call.get("dim")
        if call.get("other") is not None:
            binary(operation + "imum")(call)
            return
        if dim is None:
            raise NoRule("over all samples")
        keep = bool(call.get("keepdim", False))
        made = reduced(call, f"{operation}_indexed", dim, keep=keep)
        # The places of the extremes come with them.
        call.graph.know(call.made[1], replace(made, dtype=PLACES))

    return reader


def var_mean(operation: str) -> Reader:
    """Return a reader of a variance or deviation with the mean, two results."""

    def reader(call: TorchCall) -> None:
        keep = bool(call.get("keepdim", False))
        for place, name in enumerate((operation, "mean")):
            reduced(call, name, call.get("dim"), place=place, keep=keep)

    return reader


def norm(call: TorchCall) -> None:
    """Read a norm over axes."""
    if call.get("p", call.get("ord", 2)) not in (2, 2.0, None, "fro"):
        raise NoRule
    reduced(call, "norm", call.get("dim"), keep=bool(call.get("keepdim", False)))


def normalize(call: TorchCall) -> None:
    """Read a division by the norm: x / max(‖x‖, ε)."""
    if call.get("p", 2.0) != 2.0:
        raise NoRule
    length = reduced(call, "norm", call.get("dim", 1), place=None, keep=True)
    length = by_number(call, "maximum", length, repr(call.get("eps", 1e-12)))
    tensors(call, "divide", call.x(), length)


def cumsum(call: TorchCall) -> None:
    """Read running sums along an axis."""
    reductions.cumulated(call, call.get("dim"))


def detach(call: TorchCall) -> None:
    """Read another name of a tensor, to which no gradient goes back."""
    graph, x = call.graph, call.x()
    node = graph.emit(op.Identity(), (x.node,), graph.name("detach"))
    graph.no_gradient.update(() if graph.owns_backward else {node.name})
    call.give(replace(x, node=node.name))


ELEMENTS: dict[str, Reader] = {
    "hardtanh": hardtanh,
    "gelu": pointwise.gelu,
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
    "detach": detach,
    "requires_grad": pointwise.same,
    "contiguous": copy,
    "clone": copy,
    "to": copy,
    "add": scaled("add"),
    "sub": scaled("subtract"),
    "rsub": scaled("subtract", is_reversed=True),
    "mul": binary("multiply"),
    "div": divide,
    "rdiv": binary("divide", is_reversed=True),
    "maximum": binary("maximum"),
    "minimum": binary("minimum"),
    "pow": binary("power", "exponent"),
    "rpow": binary("power", is_reversed=True),
    "gt": binary("greater"),
    "ge": binary("greater_equal"),
    "lt": binary("less"),
    "le": binary("less_equal"),
    "eq": binary("equal"),
    "ne": binary("not_equal"),
    "floor_divide": floor_divide,
    "lerp": lerp,
    "addcmul": addcmul,
    "mean": reduction("mean"),
    "sum": reduction("sum"),
    "amax": reduction("max"),
    "max": extreme("max"),
    "min": extreme("min"),
    "amin": reduction("min"),
    "prod": reduction("prod"),
    "var": reduction("var"),
    "std": reduction("std"),
    "var_mean": var_mean("var"),
    "std_mean": var_mean("std"),
    "norm": norm,
    "normalize": normalize,
    "cumsum": cumsum,
}
"""By name; functions without further arguments are in the table of functions."""
