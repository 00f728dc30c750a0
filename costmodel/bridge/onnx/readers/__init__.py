"""What each ONNX operator is in operators of ours: a table of readers by name."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.bridge.onnx.call import Call
from costmodel.bridge.onnx.readers.layers import LAYERS
from costmodel.bridge.onnx.readers.movement import MOVEMENT
from costmodel.bridge.onnx.readers.parts import PARTS
from costmodel.bridge.onnx.readers.pointwise import POINTWISE, function
from costmodel.bridge.onnx.readers.pooling import POOLING
from costmodel.bridge.onnx.readers.products import PRODUCTS


READERS: dict[str, Callable[[Call], None]] = {
    **LAYERS,
    **POINTWISE,
    **POOLING,
    **MOVEMENT,
    **PARTS,
    **PRODUCTS,
}
"""Readers by type of operator."""


def reader_of(kind: str) -> Callable[[Call], None] | None:
    """Return the reader of a type; else ONNX's own definition is read, or nothing."""
    return READERS.get(kind) or function(kind)


__all__ = ["READERS", "reader_of"]
