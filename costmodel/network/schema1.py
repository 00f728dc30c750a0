"""Networks written under the first schema, brought to today's operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias


SCHEMA_1 = "costmodel.network/1"

Document: TypeAlias = dict[str, Any]
"""An operator as JSON: its ``kind``, and its attributes by name."""


def upgraded(operator: Document) -> Document:
    """Return an operator of the first schema as today's schema writes it."""
    upgrade = UPGRADES.get(operator["kind"])
    return operator if upgrade is None else upgrade(operator)


def _one_axis(operator: Document) -> Document:
    """Return a convolution along one axis: its sizes are tuples of one."""
    sizes = {"kernel", "stride", "padding", "dilation"}
    changed = {
        name: [value] if name in sizes and not isinstance(value, list) else value
        for name, value in operator.items()
    }
    return changed | {"kind": "conv"}


def _resized(operator: Document) -> Document:
    """Return an interpolation by a scale, or to a shape."""
    return operator | {"kind": "resize"}


UPGRADES: dict[str, Callable[[Document], Document]] = {
    "conv1d": _one_axis,
    "upsample": _resized,
}
"""What became of kinds that are no more, or that have other attributes now.

Kinds without a row are what they were. A row leaves attributes that it does not know
to the reader, which names them.
"""
