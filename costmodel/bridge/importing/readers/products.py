"""Readers of matrix products, einsum and attention."""

from __future__ import annotations

from costmodel.bridge.importing.call import Call, NoRule
from costmodel.bridge.importing.graph import Traced
from costmodel.network import operators as op


def matmul(call: Call, a: Traced, b: Traced, *, is_step: bool = False) -> Traced:
    """Append a product of two computed matrices."""
    _apart(call, a, b)
    inner, other = a.sizes[-1], b.sizes[-2 if len(b.sizes) > 1 else -1]
    if inner != other:
        wanted = (*b.sizes[:-2], inner, b.sizes[-1])
        b = call.restated(b, wanted, "the factors' sizes have to fit")
    append = call.put if is_step else call.result
    return append(op.MatMul(), a, b, layout=_lead(a, b).layout)


def _lead(a: Traced, b: Traced) -> Traced:
    return a if a.layout.has_batch else b


def _apart(call: Call, a: Traced, b: Traced) -> None:
    """Refuse a product that mixes the samples of a batch."""
    if call.graph.batch.constant == 1 and (a.layout.is_folded or b.layout.is_folded):
        if a.layout != b.layout:
            raise call.refuse("one operand has the axis of the batch, the other not")
        return
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


def einsum(call: Call, equation: object, operands: list[Traced]) -> None:
    """Append a sum of products over named axes, of two operands."""
    if len(operands) != 2 or not isinstance(equation, str) or "..." in equation:
        raise NoRule
    a, b = operands
    if not (a.layout.has_batch or b.layout.has_batch):
        raise call.refuse("no rule counts an equation of stored tensors alone")
    layer = op.Einsum(equation.replace(" ", ""))
    call.result(layer, a, b, layout=_lead(a, b).layout)


def attention(call: Call, *operands: Traced, is_step: bool = False) -> Traced:
    """Append attention of queries, keys, values, and an optional mask."""
    query, key, *rest = operands
    if len(rest) > 1:
        rest[1] = _masking(call, query, key, rest[1])
    append = call.put if is_step else call.result
    return append(call.kept(op.Attention()), query, key, *rest)


def _masking(call: Call, query: Traced, key: Traced, mask: Traced) -> Traced:
    """Return a mask whose last axes are the numbers of queries and keys, or 1."""
    wanted = zip(mask.sizes[-2:], (query.sizes[-2], key.sizes[-2]), strict=True)
    last = [mine if mine.constant == 1 else theirs for mine, theirs in wanted]
    sizes = (*mask.sizes[:-2], *last)
    return call.restated(mask, sizes, "the mask is for so many positions")
