"""Readers of reductions, matrix products and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costmodel.bridge.onnx.call import Call, Undone
from costmodel.bridge.onnx.readers.layers import fitting, lengths, names
from costmodel.bridge.onnx.tensors import Constant, Traced
from costmodel.bridge.trace.layout import Layout
from costmodel.network import operators as op


Reader = Callable[[Call], None]


def reduction(operation: str) -> Reader:
    """Return a reader of a reduction over axes."""

    def reader(call: Call) -> None:
        x = call.x()
        axes = call.listed(1, "axes")
        if not axes and call.get("noop_with_empty_axes", 0):
            call.give(x)
            return
        places = sorted({int(a) % len(x.sizes) for a in axes or range(len(x.sizes))})
        call.give(
            reduced(call, operation, x, places, keep=bool(call.get("keepdims", 1)))
        )

    return reader


def reduced(
    call: Call, operation: str, x: Traced, places: list[int], *, keep: bool
) -> Traced:
    """Return a reduction; the mean over the whole map is global pooling."""
    rank = len(x.sizes)
    is_map = rank in (4, 5) and x.layout == Layout(0)
    if operation == "mean" and is_map and places == list(range(2, rank)) and keep:
        return call.put(op.AdaptiveAvgPool((1,) * (rank - 2)), x)
    axes = tuple(call.axis(x, place) for place in places)
    everywhere = any(x.sizes[place].constant is None for place in places)
    if is_map:
        everywhere = any(place >= 2 for place in places)
    lay = x.layout
    if not keep and lay.batch_axis:
        gone = sum(place < lay.batch_axis for place in places)
        lay = Layout(lay.batch_axis - gone, lay.is_folded)
    return call.put(op.Reduce(operation, axes, keep, everywhere), x, layout=lay)


def normalize(call: Call) -> None:
    """Read a division by the norm."""
    x = call.x()
    if call.get("p", 2) != 2:
        raise Undone
    axis = int(call.get("axis", -1)) % len(x.sizes)
    length = reduced(call, "norm", x, [axis], keep=True)
    call.give(call.put(op.Arithmetic("divide"), x, length))


def cumsum(call: Call) -> None:
    """Read running sums along an axis."""
    x = call.x()
    axis = int(call.values(1).ravel()[0])
    call.give(call.put(op.Cumulate(call.axis(x, axis)), x))


def matmul(call: Call) -> None:
    """Read a product of matrices; with a stored one it is a linear layer."""
    right = call.tensor(1)
    if isinstance(right, Constant) and len(right.sizes) == 2 and right.sources:
        _linear(call, right)
        return
    a, b = call.x(0), call.x(1)
    inner, other = a.sizes[-1], b.sizes[-2 if len(b.sizes) > 1 else -1]
    if inner != other:
        wanted = (*b.sizes[:-2], inner, b.sizes[-1])
        b = call.restated(b, wanted, "the factors' sizes have to fit")
    lead = a if a.layout.has_batch else b
    call.give(call.put(op.MatMul(), a, b, layout=lead.layout))


def _linear(call: Call, weight: Constant) -> None:
    """Append a linear layer, with the bias that the next node adds."""
    read, features = lengths(weight, call)
    x = fitting(call, call.x(), len(call.x().sizes) - 1, read)
    following, bias = _bias(call, features)
    sources = names(call, 1)
    if bias is not None:
        sources = (*sources, *(name for name, _ in bias.sources))
    made = call.put(op.Linear(features, bias is not None), x, sources=sources)
    call.give(made)
    if following is not None:
        call.graph.tensors[following.output[0]] = made


def _bias(call: Call, features: int) -> tuple[Any, Constant | None]:
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


def einsum(call: Call) -> None:
    """Read a sum of products over named axes, of two operands."""
    equation = call.get("equation").replace(" ", "")
    if call.count != 2 or "..." in equation or "->" not in equation:
        raise Undone
    a, b = call.x(0), call.x(1)
    lead = a if a.layout.has_batch else b
    call.give(call.put(op.Einsum(equation), a, b, layout=lead.layout))


def attention(call: Call) -> None:
    """Read scaled dot-product attention of N × heads × L × E."""
    ranks = {len(call.x(i).sizes) for i in range(3)}
    if ranks != {4} or any(call.tensor(i) is not None for i in (4, 5)):
        raise Undone
    heads = {call.x(i).sizes[1] for i in range(3)}
    if len(heads) != 1 or len([o for o in call.node.output if o]) != 1:
        raise Undone
    mask = () if call.tensor(3) is None else (call.x(3),)
    call.give(call.put(op.Attention(), *(call.x(i) for i in range(3)), *mask))


PRODUCTS: dict[str, Reader] = {
    "ReduceMean": reduction("mean"),
    "ReduceSum": reduction("sum"),
    "ReduceMax": reduction("max"),
    "ReduceMin": reduction("min"),
    "ReduceProd": reduction("prod"),
    "ReduceL2": reduction("norm"),
    "LpNormalization": normalize,
    "CumSum": cumsum,
    "MatMul": matmul,
    "Einsum": einsum,
    "Attention": attention,
}
