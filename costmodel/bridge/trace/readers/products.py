"""Readers of torch matrix products, einsum and attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.algebra.polynomial import size
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.importing.readers import products, views
from costmodel.bridge.importing.readers.layers import dense
from costmodel.bridge.importing.readers.parts import part
from costmodel.bridge.importing.readers.pointwise import by_number, tensors
from costmodel.bridge.trace.call import Reader, TorchCall


def matmul(call: TorchCall) -> None:
    """Read a product of matrices; with a stored one it is a linear layer."""
    _matmul(call, call.get("input"), call.get("other", call.get("mat2")))


def rmatmul(call: TorchCall) -> None:
    """Read a product of matrices with the operands exchanged."""
    _matmul(call, call.get("other"), call.get("input"))


def _matmul(call: TorchCall, left: Any, right: Any) -> None:
    is_stored = not call.is_traced(right) and right.dim() == 2
    if is_stored and len(call.sources(right)) == 1:
        read, features = call.lengths(right)
        dense(call, call.operand(left), (read, features), right)
        return
    a, b = call.operand(left), call.operand(right)
    if len(a.sizes) == len(b.sizes) == 1:
        raise NoRule
    if len(a.sizes) == 1:
        last = len(b.sizes) - 1
        order = [*range(last - 1), last, last - 1]
        a, b = views.permuted(call, b, order, is_step=True), a
    if len(b.sizes) > 1:
        products.matmul(call, a, b)
        return
    column = call.view(b, (*b.sizes, size(1)))
    made = products.matmul(call, a, column, is_step=True)
    views.without(call, made, {len(made.sizes) - 1})


def addmm(call: TorchCall) -> None:
    """Read β·input + α·a·b: a linear layer if the input is a stored bias."""
    bias, weight = call.get("input"), call.get("mat2")
    is_plain = call.get("beta", 1) == call.get("alpha", 1) == 1
    if not is_plain or any(map(call.is_traced, (bias, weight))) or bias.dim() != 1:
        _added(call, call.x("mat1"), call.x("mat2"))
        return
    read, features = call.lengths(weight)
    dense(call, call.x("mat1"), (read, features), weight, bias)


def baddbmm(call: TorchCall) -> None:
    """Read β·input + α·a·b."""
    _added(call, call.x("batch1"), call.x("batch2"))


def _added(call: TorchCall, a: Traced, b: Traced) -> None:
    """Append β·input + α·a·b."""
    beta, alpha = call.get("beta", 1), call.get("alpha", 1)
    made = products.matmul(call, a, b, is_step=alpha != 1 or bool(beta))
    if alpha != 1:
        made = by_number(call, "multiply", made, repr(float(alpha)))
    if beta:
        tensors(call, "add", call.x(), made)
    elif alpha != 1:
        call.give(made)


def einsum(call: TorchCall) -> None:
    """Read a sum of products over named axes, of two operands."""
    operands = call.get("tensors")
    if not isinstance(operands, Sequence):
        raise NoRule
    products.einsum(call, call.get("equation"), [call.operand(v) for v in operands])


def attention(call: TorchCall) -> None:
    """Read scaled dot-product attention."""
    names = ("query", "key", "value", "attn_mask")
    products.attention(call, *(call.x(n) for n in names if call.get(n) is not None))


def multi_head_attention(call: TorchCall) -> None:
    """Read attention with its projections of queries, keys, values and output.

    Operands are L × N × E, as ``nn.MultiheadAttention`` passes them.
    """
    query, key, value = (call.x(name) for name in ("query", "key", "value"))
    weight, bias = call.get("in_proj_weight"), call.get("in_proj_bias")
    extra = ("bias_k", "bias_v", "attn_mask", "key_padding_mask")
    same = query.node == key.node == value.node
    if weight is None or not same or any(call.get(n) is not None for n in extra):
        raise NoRule
    heads, width = int(call.get("num_heads")), int(query.sizes[-1].constant or 0)
    projected = dense(call, query, (width, 3 * width), weight, bias, is_step=True)
    axis = len(projected.sizes) - 1
    each = []
    for i in range(3):
        mine = part(call, projected, axis, size(i * width), size(width))
        each.append(_heads(call, mine, heads))
    mixed = products.attention(call, *each, is_step=True)
    back = views.permuted(call, mixed, [0, 2, 1, 3], is_step=True)
    joined = call.view(back, (back.sizes[0], back.sizes[1], size(width)))
    out = call.get("out_proj_weight"), call.get("out_proj_bias")
    made = dense(call, joined, (width, width), *out, is_step=True)
    call.give(Traced(made.node, made.shape, query.sizes, query.layout))


def _heads(call: TorchCall, x: Traced, heads: int) -> Traced:
    """Return N × heads × L × E/heads of tokens, wherever the batch axis is."""
    batch = call.graph.batch
    length = next(s for i, s in enumerate(x.sizes[:-1]) if i != x.layout.batch_axis)
    opened = call.view(x, (batch, length, size(heads), x.sizes[-1] // heads))
    return views.permuted(call, opened, [0, 2, 1, 3], is_step=True)


def glu(call: TorchCall) -> None:
    """Read a gated linear unit: one half of an axis times the sigmoid of the other."""
    x = call.x()
    axis = call.get("dim", -1) % len(x.sizes)
    half = x.sizes[axis] // 2
    call.equal(x.sizes[axis], half * 2, "its halves have to be equal")
    first, second = (part(call, x, axis, half * i, half) for i in range(2))
    tensors(call, "gated", first, second)


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
