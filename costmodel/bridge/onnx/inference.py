"""ONNX's own shape and type inference for a node, at the sample's sizes."""

from __future__ import annotations

from typing import Any

from costmodel.bridge.onnx.call import NodeCall
from costmodel.bridge.onnx.file import schema_of
from costmodel.bridge.onnx.graph import FileGraph
from costmodel.bridge.onnx.tensors import Constant, Tensor, is_small, plain


FEW = 64
"""Arrays of at most so many numbers are given to the inference, such as view sizes."""


def infer(call: NodeCall) -> NodeCall:
    """Return the call with the sizes and types that ONNX infers for its outputs."""
    graph = call.graph
    onnx = graph.onnx
    schema = schema_of(onnx, call.kind, call.node.domain, graph.versions)
    if schema is None:
        return _declared(call)
    types, data = _operands(call)
    versions = [onnx.helper.make_opsetid(d, v) for d, v in graph.versions.items()]
    try:
        found = onnx.shape_inference.infer_node_outputs(
            schema, call.node, types, data, opset_imports=versions
        )
    except (
        onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError,
    ):  # fmt: skip
        return call
    return _with_types(call, [found.get(name) for name in call.node.output])


def _operands(call: NodeCall) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the types of a node's operands, and the values of small ones."""
    onnx = call.graph.onnx
    types, data = {}, {}
    for place, name in enumerate(call.node.input):
        value = call.tensor(place)
        if value is None:
            continue
        array, dtype = _few(value), value.dtype
        if array is not None:
            data[name] = onnx.numpy_helper.from_array(array, name)
            dtype = data[name].data_type
        numbers = call.graph.numbers(value.sizes)
        types[name] = onnx.helper.make_tensor_type_proto(dtype, numbers)
    return types, data


def _with_types(call: NodeCall, outputs: list[Any]) -> NodeCall:
    """Return the call with the sizes and types of its outputs."""
    call.expected = [_lengths(one, call.graph) for one in outputs]
    call.dtypes = [0 if one is None else one.tensor_type.elem_type for one in outputs]
    return call


def _few(value: Tensor) -> Any:
    if not isinstance(value, Constant) or value.load is None:
        return None
    lengths = [s.constant for s in value.sizes]
    if None in lengths or not is_small(lengths, FEW):
        return None
    array = value.array
    return None if array is None else plain(array)


def _lengths(kind: Any, graph: FileGraph) -> tuple[int, ...] | None:
    """Return the sizes of a type; None if one of them is unknown."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    found = []
    for dim in kind.tensor_type.shape.dim:
        symbol = graph.named.get(dim.dim_param)
        if dim.HasField("dim_value"):
            found.append(int(dim.dim_value))
        elif symbol is not None:
            found.append(graph.record.values[symbol])
        else:
            return None
    return tuple(found)


def _declared(call: NodeCall) -> NodeCall:
    """Return the call with the sizes that the file declares."""
    graph = call.graph.model.graph
    declared = {v.name: v.type for v in (*graph.value_info, *graph.output)}
    outputs = [declared.get(name) for name in call.node.output]
    return _with_types(call, outputs)
