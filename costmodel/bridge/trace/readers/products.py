"""Readers of reductions, matrix products and attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from costmodel.algebra.size import size
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.layout import Layout
from costmodel.bridge.trace.readers.layers import sources, weighted
from costmodel.bridge.trace.readers.parts import part
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
    is_map = rank == 4 and x.layout == Layout(0)
    if operation == "mean" and is_map and dims == [2, 3] and keep:
        return call.put(op.AdaptiveAvgPool2d((1, 1)), x, result=result)
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
    length = call.put(op.Scalar("maximum", repr(call.get(3, "eps", 1e-12))), length)
    call.put(op.Binary("divide"), x, length, result=call.result)


def cumsum(call: Call) -> None:
    """Read running sums along an axis."""
    x = call.x()
    call.put(op.Cumulate(call.axis(x, call.get(1, "dim"))), x, result=call.result)


def matmul(call: Call) -> None:
    """Read a product of matrices; with a stored one it is a linear layer."""
    left, right = call.get(0, "input"), call.get(1, "other", call.get(1, "mat2"))
    _matmul(call, left, right)


def rmatmul(call: Call) -> None:
    """Read a product of matrices with the operands exchanged."""
    _matmul(call, call.get(1, "other"), call.get(0, "input"))


def _matmul(call: Call, left: Any, right: Any) -> None:
    if not call.is_traced(right) and right.dim() == 2:
        a = call.tracer.operand(left)
        kind = op.LastLinear if a.shape.spatial else op.Linear
        layer = kind(int(right.shape[1]), bias=False)
        if len(sources(call, right)) == 1:
            weighted(call, layer, a, right)
            return
    a, b = call.tracer.operand(left), call.tracer.operand(right)
    _apart(call, a, b)
    lead = a if a.layout.has_batch else b
    inner_a, inner_b = a.sizes[-1], b.sizes[-2]
    if inner_a != inner_b:
        wanted = (*b.sizes[:-2], inner_a, b.sizes[-1])
        b = call.restated(b, wanted, "the factors' sizes have to fit")
    call.put(op.MatMul(), a, b, layout=lead.layout, result=call.result)


def _apart(call: Call, a: Traced, b: Traced) -> None:
    """Refuse a product that mixes the samples of a batch."""
    left, right = (_batch_place(x) for x in (a, b))
    mixes = left == 1 or right == 2
    if left and right:
        mixes = left != right or left < 3
    if mixes:
        raise call.refuse("it mixes the samples of a batch, so no sample has a cost")


def _batch_place(x: Traced) -> int:
    """Return the batch's axis counted from the end, from 1; 0 without a batch."""
    if not x.layout.has_batch:
        return 0
    return len(x.sizes) - (x.layout.batch_axis or 0)


def addmm(call: Call) -> None:
    """Read bias + x·w."""
    bias, x, weight = (call.get(i, n) for i, n in enumerate(("input", "mat1", "mat2")))
    if any(call.is_traced(v) for v in (bias, weight)) or bias.dim() != 1:
        raise UndoneError
    a = call.tracer.operand(x)
    weighted(call, op.Linear(int(weight.shape[1])), a, weight, bias)


def baddbmm(call: Call) -> None:
    """Read β·input + α·a·b."""
    total, left, right = (
        call.get(i, n) for i, n in enumerate(("input", "batch1", "batch2"))
    )
    beta, alpha = call.options.get("beta", 1), call.options.get("alpha", 1)
    a, b = call.tracer.operand(left), call.tracer.operand(right)
    made = call.put(op.MatMul(), a, b, result=call.result)
    if alpha != 1:
        made = call.put(op.Scalar("multiply", repr(float(alpha))), made,
                        result=call.result)  # fmt: skip
    if beta:
        call.put(op.Binary("add"), call.tracer.operand(total), made,
                 layout=made.layout, result=call.result)  # fmt: skip


def einsum(call: Call) -> None:
    """Read a sum of products over named axes, of two operands."""
    equation = call.get(0, "equation")
    operands = call.args[1:]
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if len(operands) != 2 or not isinstance(equation, str) or "..." in equation:
        raise UndoneError
    a, b = (call.tracer.operand(v) for v in operands)
    lead = a if a.layout.has_batch else b
    call.put(op.Einsum(equation.replace(" ", "")), a, b, layout=lead.layout,
             result=call.result)  # fmt: skip


def attention(call: Call) -> None:
    """Read scaled dot-product attention."""
    query, key, value = (call.x(i, n) for i, n in enumerate(("query", "key", "value")))
    mask = call.get(3, "attn_mask")
    more = () if mask is None else (_masking(call, query, key, mask),)
    call.put(op.Attention(), query, key, value, *more, result=call.result)


def _masking(call: Call, query: Traced, key: Traced, mask: torch.Tensor) -> Traced:
    """Return a mask, its last axes as long as queries and keys are many, or 1."""
    found = call.tracer.operand(mask)
    wanted = zip(found.sizes[-2:], (query.sizes[-2], key.sizes[-2]), strict=True)
    last = [mine if mine.constant == 1 else theirs for mine, theirs in wanted]
    sizes = (*found.sizes[:-2], *last)
    return call.restated(found, sizes, "the mask is for so many positions")


def multi_head_attention(call: Call) -> None:
    """Read attention with its projections: of queries, keys, values, and out again.

    Operands are L × N × E, as ``nn.MultiheadAttention`` hands them over.
    """
    query, key, value = (call.x(i, n) for i, n in enumerate(("query", "key", "value")))
    heads = int(call.get(4, "num_heads"))
    weight, bias = call.get(5, "in_proj_weight"), call.get(6, "in_proj_bias")
    out_weight, out_bias = (call.get(i, n) for i, n in (
        (11, "out_proj_weight"), (12, "out_proj_bias")))  # fmt: skip
    extra = [call.get(i, n) for i, n in ((7, "bias_k"), (8, "bias_v"))]
    extra += [call.options.get("attn_mask"), call.options.get("key_padding_mask")]
    same = query.node == key.node == value.node
    if weight is None or not same or any(e is not None for e in extra):
        raise UndoneError
    width = query.sizes[-1].constant or 0
    projected = weighted(
        call, op.LastLinear(3 * width, bias is not None), query, weight, bias,
        result=None,
    )  # fmt: skip
    axis = len(projected.sizes) - 1
    parts = [
        _heads(call, part(call, projected, axis, size(i * width), size(width)), heads)
        for i in range(3)
    ]
    mixed = call.put(op.Attention(), *parts, kind="attention")
    order = (2, 1, 3)
    back = call.put(op.Permute(order), mixed)
    joined = call.put_sizes(op.Reshape, back, (
        back.sizes[0], back.sizes[1], size(width)))  # fmt: skip
    made = weighted(
        call, op.LastLinear(width, out_bias is not None), joined, out_weight, out_bias,
        result=None,
    )  # fmt: skip
    result = call.result[0]
    known = Traced(made.node, made.shape, query.sizes, query.layout)
    call.check(known.sizes, result, None)
    call.tracer.know(result, known)


def _heads(call: Call, x: Traced, heads: int) -> Traced:
    """Return N × heads × L × E/heads of tokens, whichever place the batch has."""
    batch = call.tracer.batch
    length = next(s for i, s in enumerate(x.sizes[:-1]) if i != x.layout.batch_axis)
    width = x.sizes[-1] // heads
    opened = call.put_sizes(op.Reshape, x, (batch, length, size(heads), width))
    return call.put(op.Permute((2, 1, 3)), opened)


def glu(call: Call) -> None:
    """Read a gated linear unit: one half of an axis times the sigmoid of the other."""
    x = call.x()
    axis = call.get(1, "dim", -1) % len(x.sizes)
    half = x.sizes[axis] // 2
    if x.sizes[axis].constant is None:
        raise UndoneError
    first, second = (part(call, x, axis, half * i, half) for i in range(2))
    gate = call.put(op.Sigmoid(), second)
    call.put(op.Binary("multiply"), first, gate, result=call.result)


PRODUCTS: dict[str, Reader] = {
    "glu": glu,
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
    "matmul": matmul,
    "rmatmul": rmatmul,
    "bmm": matmul,
    "mm": matmul,
    "addmm": addmm,
    "baddbmm": baddbmm,
    "einsum": einsum,
    "scaled_dot_product_attention": attention,
    "multi_head_attention_forward": multi_head_attention,
}
