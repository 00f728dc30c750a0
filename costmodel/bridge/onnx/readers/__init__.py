"""What each ONNX operator is in operators of ours: a table of readers by name."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.bridge.onnx.call import Call
from costmodel.bridge.onnx.readers.layers import LAYERS
from costmodel.bridge.onnx.readers.movement import MOVEMENT
from costmodel.bridge.onnx.readers.parts import PARTS
from costmodel.bridge.onnx.readers.pointwise import POINTWISE
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
"""An operator that is not here is read by ONNX's own definition of it, or unknown."""

__all__ = ["READERS"]
