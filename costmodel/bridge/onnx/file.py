"""Loading of ONNX files: without the values of weights, with functions inlined."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from costmodel.errors import CostModelError, MissingDependencyError


LARGE = 1 << 14
"""Tensors of more elements than this are weights, whose values are dropped."""


def library() -> Any:
    """Return the package onnx.

    **Errors**: :class:`MissingDependencyError` if it is not installed.
    """
    try:
        import onnx
        import onnx.inliner
        import onnx.reference
        import onnx.shape_inference
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'reading ONNX files needs {error.name}: pip install "costmodel[onnx]"'
        ) from None
    return onnx


def load(path: Path) -> Any:
    """Return a file's model; external weights are not opened."""
    onnx = library()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise CostModelError(f"{path}: there is no such file") from None
    except (DecodeError, ValueError) as error:
        raise CostModelError(f"{path}: no ONNX file: {error}") from None
    if not model.graph.node:
        raise CostModelError(f"{path}: the graph has no nodes")
    _let_go(model.graph)
    if model.functions:
        return onnx.inliner.inline_local_functions(model)
    return model


def _let_go(graph: Any) -> None:
    """Drop the values of large tensors, of which only the sizes are needed."""
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > LARGE:
            for field in _NUMBERS:
                tensor.ClearField(field)


_NUMBERS = (
    "raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data",
)  # fmt: skip


def written_out(model: Any, kinds: set[tuple[str, str]]) -> Any:
    """Return the model with operators replaced by their definitions.

    ONNX defines some operators by others. Of ``kinds``, (domain, name), those with a
    definition are replaced; the rest stay.
    """
    onnx = library()
    versions = opsets(model)
    defined = [kind for kind in sorted(kinds) if _has_definition(onnx, kind, versions)]
    if not defined:
        return model
    return onnx.inliner.inline_selected_functions(
        model, defined, inline_schema_functions=True
    )


def _has_definition(onnx: Any, kind: tuple[str, str], versions: dict[str, int]) -> bool:
    schema = schema_of(onnx, kind[1], kind[0], versions)
    return schema is not None and bool(schema.has_function)


def opsets(model: Any) -> dict[str, int]:
    """Return the version of every operator set that a model uses."""
    return {
        "" if one.domain == "ai.onnx" else one.domain: one.version
        for one in model.opset_import
    }


def schema_of(onnx: Any, name: str, domain: str, versions: dict[str, int]) -> Any:
    """Return the definition of an operator; None if ONNX has none."""
    domain = "" if domain == "ai.onnx" else domain
    try:
        return onnx.defs.get_schema(name, versions.get(domain, 1), domain)
    except onnx.defs.SchemaError:
        return None


def check(tensor: Any) -> None:
    """Refuse a stored tensor of a type or a size that its bytes cannot have."""
    onnx, where = library(), f'onnx: tensor "{tensor.name}"'
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, TypeError, ValueError):
        raise CostModelError(
            f"{where}: data type {tensor.data_type} is none of ONNX's"
        ) from None
    if any(d < 0 for d in tensor.dims):
        raise CostModelError(f"{where}: sizes {list(tensor.dims)}: one is below 0")
    is_packed = tensor.data_type in _PACKED
    wanted = math.prod(tensor.dims) * item.itemsize
    has = len(tensor.raw_data)
    if has and not is_packed and has != wanted:
        raise CostModelError(f"{where}: {has} bytes; its sizes and type need {wanted}")


_PACKED = {21, 22, 23, 25, 26, 27, 28}
"""ONNX's numbers of types of which several elements share a byte."""


def numbers(tensor: Any, folder: Path) -> Any:
    """Return a tensor's values; external ones are read for it alone."""
    onnx = library()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        from onnx.external_data_helper import load_external_data_for_tensor

        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        try:
            load_external_data_for_tensor(copy, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise CostModelError(
                f'tensor "{tensor.name}": its numbers lie beside the file and cannot '
                f"be read: {error}"
            ) from None
        tensor = copy
    return onnx.numpy_helper.to_array(tensor)
