"""The table of readers for torch functions, by name."""

from __future__ import annotations

from costmodel.bridge.importing.readers import pointwise
from costmodel.bridge.trace.call import Reader
from costmodel.bridge.trace.dispatch import Readers
from costmodel.bridge.trace.readers.axes import AXES
from costmodel.bridge.trace.readers.elements import ELEMENTS
from costmodel.bridge.trace.readers.layers import LAYERS
from costmodel.bridge.trace.readers.products import PRODUCTS
from costmodel.network.operators.functions import traced_as


TABLE: dict[str, Reader] = {**LAYERS, **ELEMENTS, **AXES, **PRODUCTS}
"""Readers by name."""


def reader_of(name: str) -> Reader | None:
    """Return the reader of a function, or None: then its kernels are read."""
    found, function = TABLE.get(name), traced_as(name)
    return pointwise.function(function) if found is None and function else found


READERS = Readers(reader_of, AXES)

__all__ = ["READERS", "TABLE", "reader_of"]
