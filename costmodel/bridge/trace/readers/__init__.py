"""The table of readers for torch functions, by name."""

from __future__ import annotations

from dataclasses import replace
from types import FunctionType
from typing import Any

from costmodel.bridge.importing.readers import pointwise
from costmodel.bridge.trace.call import Reader, taking
from costmodel.bridge.trace.dispatch import Readers
from costmodel.bridge.trace.readers.axes import AXES
from costmodel.bridge.trace.readers.elements import ELEMENTS
from costmodel.bridge.trace.readers.layers import LAYERS, STATISTICS, WEIGHTS_FIRST
from costmodel.bridge.trace.readers.products import PRODUCTS
from costmodel.network.operators.functions import traced_as


TABLE: dict[str, Reader] = {**LAYERS, **ELEMENTS, **AXES, **PRODUCTS}
"""Readers by name."""


def reader_of(name: str, func: Any) -> Reader | None:
    """Return the reader of a function, or None: then its kernels are read."""
    found = TABLE.get(name)
    if found is None:
        function = traced_as(name)
        each = None if function is None else pointwise.function(function)
        return None if each is None else taking("input", each)
    if found.arguments == STATISTICS and not isinstance(func, FunctionType):
        return replace(found, arguments=WEIGHTS_FIRST)
    return found


READERS = Readers(reader_of, AXES)

__all__ = ["READERS", "TABLE", "reader_of"]
