"""Readers of ONNX matrix products, einsum and attention."""

from __future__ import annotations

from typing import Any

from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.readers import products
from costmodel.bridge.importing.readers.layers import dense
from costmodel.bridge.onnx.call import NodeCall, Reader, taking
from costmodel.bridge.onnx.tensors import Constant


def matmul(call: NodeCall) -> None:
    """Read a product of matrices; with a stored one it is a linear layer."""
    right = call.get("other")
    if isinstance(right, Constant) and len(right.sizes) == 2 and right.sources:
        _linear(call, right)
    else:
        products.matmul(call, call.x(), call.x("other"))


def _linear(call: NodeCall, weight: Constant) -> None:
    """Append a linear layer, with the bias that the next node adds."""
    read, features = call.lengths(weight)
    following, bias = _bias(call, features)
    made = dense(call, call.x(), (read, features), weight, bias)
    if following is not None:
        call.graph.tensors[following.output[0]] = made


def _bias(call: NodeCall, features: int) -> tuple[Any, Constant | None]:
    """Return the node that adds a stored vector to the output, and the vector."""
    graph, output = call.graph, call.node.output[0]
    readers = graph.readers.get(output, [])
    if len(readers) != 1 or readers[0] is None or readers[0].op_type != "Add":
        return None, None
    others = [name for name in readers[0].input if name != output]
    value = graph.tensors.get(others[0]) if others else None
    if not isinstance(value, Constant) or not value.sources:
        return None, None
    fits = [s.constant for s in value.sizes] == [features]
    return (readers[0], value) if fits else (None, None)


def einsum(call: NodeCall) -> None:
    """Read a sum of products over named axes, of two operands."""
    equation = call.get("equation")
    if "->" not in equation or call.many != 2:
        raise NoRule
    products.einsum(call, equation, call.all())


def attention(call: NodeCall) -> None:
    """Read scaled dot-product attention of N × heads × L × E."""
    each = [call.x(name) for name in ("query", "key", "value")]
    heads = {x.sizes[1] for x in each if len(x.sizes) == 4}
    is_odd = any(len(x.sizes) != 4 for x in each) or len(heads) != 1
    if is_odd or any(call.tensor(place) is not None for place in (4, 5)):
        raise NoRule
    if len([name for name in call.node.output if name]) != 1:
        raise NoRule
    mask = () if call.get("mask") is None else (call.x("mask"),)
    products.attention(call, *each, *mask)


PRODUCTS: dict[str, Reader] = {
    "MatMul": taking("input other", matmul),
    "Einsum": einsum,
    "Attention": taking("query key value mask", attention),
}
