"""What each torch function is in operators: a table of readers by name."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.bridge.trace.calls import Call
from costmodel.bridge.trace.readers.layers import LAYERS
from costmodel.bridge.trace.readers.parts import PARTS
from costmodel.bridge.trace.readers.pointwise import POINTWISE
from costmodel.bridge.trace.readers.pooling import POOLING
from costmodel.bridge.trace.readers.products import PRODUCTS
from costmodel.bridge.trace.readers.reductions import REDUCTIONS
from costmodel.bridge.trace.readers.views import VIEWS


READERS: dict[str, Callable[[Call], None]] = {
    **LAYERS,
    **POINTWISE,
    **POOLING,
    **VIEWS,
    **PARTS,
    **REDUCTIONS,
    **PRODUCTS,
}
"""A function that is not here is read by the kernels that it calls."""

__all__ = ["READERS"]
