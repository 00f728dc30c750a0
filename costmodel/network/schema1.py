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


def _function(operator: Document) -> Document:
    """Return an activation, which had a kind of its own."""
    return {**operator, "kind": "pointwise", "function": operator["kind"]}


def _arithmetic(operator: Document) -> Document:
    """Return an operation on tensors, or on a tensor and a number."""
    operation = {"operation": operator["kind"]}
    return {**operation, **operator, "kind": "arithmetic"}


def _linear(operator: Document) -> Document:
    """Return a linear layer of the last axis; that of a vector is its only one."""
    return {**operator, "kind": "linear"}


UPGRADES: dict[str, Callable[[Document], Document]] = {
    **dict.fromkeys((
        "relu", "relu6", "sigmoid", "silu", "tanh", "scaled_tanh", "hardsigmoid",
        "hardswish", "hardtanh",
    ), _function),
    **dict.fromkeys(("add", "multiply", "binary", "scalar"), _arithmetic),
    "last_linear": _linear,
}  # fmt: skip
"""What became of kinds that are no more, or that have other attributes now.

Kinds without a row are what they were. A row leaves attributes that it does not know
to the reader, which names them.
"""
