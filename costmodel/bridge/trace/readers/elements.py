"""Readers of elementwise torch functions, and of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import pointwise, reductions
from costmodel.bridge.importing.readers.pointwise import binary, by_number, tensors
from costmodel.bridge.trace.call import Reader, TorchCall, is_number, taking


def hardtanh(call: TorchCall) -> None:
    """Read a clamp; from 0 to 6 it is ReLU6."""
    limits = (call.get("min_val", -1.0), call.get("max_val", 1.0))
    pointwise.function("relu6" if limits == (0, 6) else "hardtanh")(call)


def clamp(call: TorchCall) -> None:
    """Read a clamp between numbers."""
    if any(isinstance(call.get(name), torch.Tensor) for name in ("min", "max")):
        raise NoRule
    pointwise.function("clamp")(call)


def dropout(call: TorchCall) -> None:
    """Read dropout, which is the identity if nothing is dropped."""
    rate = float(call.get("p", 0.5))
    if round(100 * rate) == 0 and not call.graph.keeps_identities:
        pointwise.same(call)
    else:
        pointwise.dropout(call, rate)


def copy(call: TorchCall) -> None:
    """Read a copy, unless the result is the tensor itself."""
    if call.made is not call.graph.twin(call.args[0]):
        pointwise.same(call)


def softmax(call: TorchCall) -> None:
    """Read a softmax along an axis."""
    dim = call.get("dim")
    if dim is None:
        dim = 1 if len(call.x().sizes) in (2, 4) else 0
    pointwise.softmax(call, dim, log=call.kind == "log_softmax")


def add(call: TorchCall) -> None:
    """Read a sum; one with a factor of the second operand is read by its kernels."""
    if call.options.get("alpha", 1) != 1:
        raise NoRule
    binary("add")(call)


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
    value = call.options.get("value", 1)
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
        raise NoRule
    return reductions.reduced(call, operation, x, axes, keep=keep, result=place)


def reduction(operation: str, words: str = "input dim keepdim") -> Reader:
    """Return a reader of a reduction over axes."""

    def reader(call: TorchCall) -> None:
        dims = call.get("dim")
        if isinstance(dims, torch.Tensor):
            raise NoRule
        reduced(call, operation, dims, keep=bool(call.get("keepdim", False)))

    return taking(words, reader)


def extreme(operation: str) -> Reader:
    """Return a reader of a maximum or minimum, along an axis or of two tensors."""

    def reader(call: TorchCall) -> None:
        dim = call.get("dim")
        if isinstance(dim, torch.Tensor) or "other" in call.options:
            taking("input other", binary(operation + "imum"))(call)
            return
        if dim is None:
            raise NoRule
        made = reduced(call, operation, dim, keep=bool(call.get("keepdim", False)))
        # The places of the extremes come with them.
        call.graph.know(call.made[1], made)

    return taking("input dim keepdim", reader)


def var_mean(operation: str) -> Reader:
    """Return a reader of a variance or deviation with the mean, two results."""

    def reader(call: TorchCall) -> None:
        keep = bool(call.options.get("keepdim", False))
        for place, name in enumerate((operation, "mean")):
            reduced(call, name, call.get("dim"), place=place, keep=keep)

    return taking("input dim", reader)


def norm(call: TorchCall) -> None:
    """Read a norm over axes."""
    if call.get("p", call.options.get("ord", 2)) not in (2, 2.0, None, "fro"):
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


def _of_two(operation: str, *, is_reversed: bool = False) -> Reader:
    return taking("input other", binary(operation, is_reversed=is_reversed))


_DROPPED = taking("input p", dropout)
_SPREAD = "input dim correction keepdim"

ELEMENTS: dict[str, Reader] = {
    "hardtanh": taking("input min_val max_val", hardtanh),
    "gelu": taking("input approximate", pointwise.gelu),
    "clamp": taking("input min max", clamp),
    "dropout": _DROPPED,
    "alpha_dropout": _DROPPED,
    "feature_dropout": _DROPPED,
    "feature_alpha_dropout": _DROPPED,
    "dropout1d": _DROPPED,
    "dropout2d": _DROPPED,
    "dropout3d": _DROPPED,
    "softmax": taking("input dim", softmax),
    "log_softmax": taking("input dim", softmax),
    "detach": taking("input", pointwise.same),
    "requires_grad": taking("input", pointwise.same),
    "contiguous": taking("input", copy),
    "clone": taking("input", copy),
    "to": taking("input", copy),
    "add": taking("input other", add),
    "sub": _of_two("subtract"),
    "rsub": _of_two("subtract", is_reversed=True),
    "mul": _of_two("multiply"),
    "div": taking("input other rounding_mode", divide),
    "rdiv": _of_two("divide", is_reversed=True),
    "maximum": _of_two("maximum"),
    "minimum": _of_two("minimum"),
    "pow": taking("input exponent", binary("power", "exponent")),
    "rpow": _of_two("power", is_reversed=True),
    "gt": _of_two("greater"),
    "ge": _of_two("greater_equal"),
    "lt": _of_two("less"),
    "le": _of_two("less_equal"),
    "eq": _of_two("equal"),
    "ne": _of_two("not_equal"),
    "floor_divide": taking("input other", floor_divide),
    "lerp": taking("input end weight", lerp),
    "addcmul": taking("input tensor1 tensor2", addcmul),
    "mean": reduction("mean"),
    "sum": reduction("sum"),
    "amax": reduction("max"),
    "max": extreme("max"),
    "min": extreme("min"),
    "amin": reduction("min"),
    "prod": reduction("prod"),
    "logsumexp": reduction("logsumexp"),
    "var": reduction("var", _SPREAD),
    "std": reduction("std", _SPREAD),
    "var_mean": var_mean("var"),
    "std_mean": var_mean("std"),
    "norm": taking("input p dim keepdim", norm),
    "normalize": taking("input p dim eps", normalize),
    "cumsum": taking("input dim", cumsum),
}
"""By name; functions without further arguments are in the table of functions."""
