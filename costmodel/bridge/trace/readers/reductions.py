"""Readers of reductions along axes, and of what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.layout import Layout
from costmodel.bridge.trace.readers.pointwise import binary
from costmodel.bridge.trace.tracer import Traced
from costmodel.network import operators as op


Reader = Callable[[Call], None]


def _dims(value: Any, rank: int) -> list[int]:
    if value is None:
        return list(range(rank))
    values = value if isinstance(value, Sequence) else [value]
    return sorted({v % rank for v in values}) or list(range(rank))


def reduction(operation: str, dim_place: int = 1, keep_place: int = 2) -> Reader:
    """Return a reader of a reduction over axes."""

    def reader(call: Call) -> None:
        x = call.x()
        dims = call.get(dim_place, "dim")
        if dims is not None and isinstance(dims, torch.Tensor):
            raise UndoneError
        keep = bool(call.get(keep_place, "keepdim", False))
        result = call.result[0] if isinstance(call.result, tuple) else call.result
        reduce(call, operation, x, _dims(dims, len(x.sizes)), result, keep=keep)

    return reader


def reduce(
    call: Call,
    operation: str,
    x: Traced,
    dims: list[int],
    result: Any,
    *,
    keep: bool,
) -> Traced:
    """Append a reduction; the mean over the whole map is global pooling."""
    rank = len(x.sizes)
    is_map = rank in (4, 5) and x.layout == Layout(0)
    if operation == "mean" and is_map and dims == list(range(2, rank)) and keep:
        return call.put(op.AdaptiveAvgPool((1,) * (rank - 2)), x, result=result)
    if len(dims) == rank and x.layout.has_batch:
        # One number of all samples: what code branches on.
        raise UndoneError
    axes = tuple(call.axis(x, d) for d in dims)
    everywhere = any(x.sizes[d].constant is None for d in dims)
    layer = op.Reduce(operation, axes, keep, everywhere)
    lay = x.layout
    if not keep and lay.batch_axis:
        gone = sum(d < lay.batch_axis for d in dims)
        lay = Layout(lay.batch_axis - gone, lay.is_folded)
    return call.put(layer, x, layout=lay, result=result)


def extreme(operation: str) -> Reader:
    """Return a reader of the largest or smallest: along an axis, of two tensors."""

    def reader(call: Call) -> None:
        other = call.get(1, "dim")
        if isinstance(other, torch.Tensor) or "other" in call.options:
            binary(operation + "imum")(call)
            return
        x = call.x()
        keep = bool(call.get(2, "keepdim", False))
        dims = _dims(other, len(x.sizes))
        if other is None:
            raise UndoneError
        made = reduce(call, operation, x, dims, call.result[0], keep=keep)
        # The places of the extremes come with them.
        call.tracer.know(call.result[1], made)

    return reader


def var_mean(operation: str) -> Reader:
    """Return a reader of a spread and the mean, two results."""

    def reader(call: Call) -> None:
        x = call.x()
        keep = bool(call.options.get("keepdim", False))
        dims = _dims(call.get(1, "dim"), len(x.sizes))
        for name, result in zip((operation, "mean"), call.result, strict=True):
            reduce(call, name, x, dims, result, keep=keep)

    return reader


def norm(call: Call) -> None:
    """Read a norm over axes."""
    x = call.x()
    order = call.get(1, "p", call.options.get("ord", 2))
    if order not in (2, 2.0, None, "fro"):
        raise UndoneError
    dims = _dims(call.get(2, "dim"), len(x.sizes))
    keep = bool(call.get(3, "keepdim", False))
    reduce(call, "norm", x, dims, call.result, keep=keep)


def normalize(call: Call) -> None:
    """Read a division by the norm: x / max(‖x‖, ε)."""
    x = call.x()
    if call.get(1, "p", 2.0) != 2.0:
        raise UndoneError
    dims = _dims(call.get(2, "dim", 1), len(x.sizes))
    length = reduce(call, "norm", x, dims, None, keep=True)
    length = call.put(op.Arithmetic("maximum", repr(call.get(3, "eps", 1e-12))), length)
    call.put(op.Arithmetic("divide"), x, length, result=call.result)


def cumsum(call: Call) -> None:
    """Read running sums along an axis."""
    x = call.x()
    call.put(op.Cumulate(call.axis(x, call.get(1, "dim"))), x, result=call.result)


REDUCTIONS: dict[str, Reader] = {
    "mean": reduction("mean"),
    "sum": reduction("sum"),
    "amax": reduction("max"),
    "max": extreme("max"),
    "min": extreme("min"),
    "amin": reduction("min"),
    "prod": reduction("prod"),
    "logsumexp": reduction("logsumexp"),
    "var": reduction("var", 1, 3),
    "std": reduction("std", 1, 3),
    "var_mean": var_mean("var"),
    "std_mean": var_mean("std"),
    "norm": norm,
    "normalize": normalize,
    "cumsum": cumsum,
}
