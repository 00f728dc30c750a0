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
    _check(call, schema)
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


def _check(call: NodeCall, schema: Any) -> None:
    """Refuse a node that is not as ONNX defines it; windows and orders fit its axes."""
    given = {attribute.name: attribute.type for attribute in call.node.attribute}
    for name, known in schema.attributes.items():
        if known.required and name not in given:
            raise call.refuse(f"attribute {name} is missing")
        if name in given and given[name] != int(known.type.value):
            raise call.refuse(f"attribute {name} is not of type {known.type.name}")
    for what, many, least, most in (
        ("operands", call.many, schema.min_input, schema.max_input),
        ("outputs", len(call.node.output), schema.min_output, schema.max_output),
    ):
        if not least <= many <= most:
            raise call.refuse(f"{many} {what}; ONNX asks for {least} to {most}")
    parts = call.attribute("num_outputs")  # ONNX makes a list of so many before it asks
    if parts not in {None, len(call.node.output)}:
        raise call.refuse(f"num_outputs {parts} for {len(call.node.output)} outputs")
    first = call.tensor(0) if call.many else None
    if first is not None:
        _check_axes(call, len(first.sizes))


def _check_axes(call: NodeCall, rank: int) -> None:
    """Refuse lists of another length than the first operand has axes."""
    order = call.attribute("perm") if call.kind == "Transpose" else None
    if order and sorted(order) != list(range(rank)):
        raise call.refuse(f"perm {list(order)} is no order of {rank} axes")
    if call.kind not in _WINDOWED:
        return
    for name, each in _PER_AXIS.items():
        listed = call.attribute(name)
        if listed and len(listed) != each * (rank - 2):
            raise call.refuse(
                f"{name} {list(listed)} is not {each} for each of {rank - 2} axes"
            )
    weight = call.tensor(1) if call.many > 1 else None
    if weight is not None and len(weight.sizes) != rank:
        raise call.refuse(
            f"a weight of {len(weight.sizes)} axes, for an operand of {rank}"
        )


_WINDOWED = {"Conv", "ConvTranspose", "MaxPool", "AveragePool"}
_PER_AXIS = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 1,
             "pads": 2}  # fmt: skip


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
