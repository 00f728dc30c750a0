"""The table of readers for ONNX operators, by name."""

from __future__ import annotations

from costmodel.bridge.importing.readers import pointwise
from costmodel.bridge.onnx.call import Reader
from costmodel.bridge.onnx.readers.axes import AXES
from costmodel.bridge.onnx.readers.elements import ELEMENTS
from costmodel.bridge.onnx.readers.layers import LAYERS
from costmodel.bridge.onnx.readers.products import PRODUCTS
from costmodel.network.operators.functions import onnx_as


READERS: dict[str, Reader] = {**LAYERS, **ELEMENTS, **AXES, **PRODUCTS}
"""Readers by type of operator."""


def reader_of(kind: str) -> Reader | None:
    """Return the reader of a type, or None: then ONNX's own definition is read."""
    if kind in READERS:
        return READERS[kind]
    function = onnx_as(kind)
    return None if function is None else pointwise.function(function)


__all__ = ["READERS", "reader_of"]
