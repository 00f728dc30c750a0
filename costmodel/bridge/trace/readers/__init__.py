"""What each torch function is in operators: a table of readers by name."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.bridge.trace.calls import Call
from costmodel.bridge.trace.readers.layers import LAYERS
from costmodel.bridge.trace.readers.parts import PARTS
from costmodel.bridge.trace.readers.pointwise import POINTWISE, function
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
"""Readers by name."""


def reader_of(name: str) -> Callable[[Call], None] | None:
    """Return the reader of a function; without one the kernels that it calls are."""
    return READERS.get(name) or function(name)


__all__ = ["READERS", "reader_of"]
