"""Readers of matrix products and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from costmodel.algebra.polynomial import size
from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.readers.layers import sources, weighted
from costmodel.bridge.trace.readers.parts import part
from costmodel.bridge.trace.tracer import Traced
from costmodel.network import operators as op


Reader = Callable[[Call], None]


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
        layer = op.Linear(int(right.shape[1]), bias=False)
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
        made = call.put(op.Arithmetic("multiply", repr(float(alpha))), made,
                        result=call.result)  # fmt: skip
    if beta:
        call.put(op.Arithmetic("add"), call.tracer.operand(total), made,
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
        call, op.Linear(3 * width, bias is not None), query, weight, bias,
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
        call, op.Linear(width, out_bias is not None), joined, out_weight, out_bias,
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
    gate = call.put(op.Pointwise("sigmoid"), second)
    call.put(op.Arithmetic("multiply"), first, gate, result=call.result)


PRODUCTS: dict[str, Reader] = {
    "glu": glu,
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
