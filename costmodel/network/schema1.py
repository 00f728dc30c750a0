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


def _renamed(kind: str, **fields: str) -> Callable[[Document], Document]:
    """Return the rule of a kind that has another name now, and so have its fields."""

    def upgrade(operator: Document) -> Document:
        named = {fields.get(name, name): value for name, value in operator.items()}
        return named | {"kind": kind}

    return upgrade


def _channels_selected(operator: Document) -> Document:
    return _renamed("slice", channels="length")(operator) | {"axis": 1}


def _padded(operator: Document) -> Document:
    """Put channels, which stay, in front of height and width."""
    ends = {name: [0, *operator[name]] for name in ("before", "after")
            if isinstance(operator.get(name), list)}  # fmt: skip
    return operator | ends


def _channels_padded(operator: Document) -> Document:
    ends = {name: [operator[name]] for name in ("before", "after") if name in operator}
    return operator | {"kind": "pad"} | ends


def _axis_padded(operator: Document) -> Document:
    """Put axes that stay in front of the one that is padded."""
    rest = {name: value for name, value in operator.items() if name != "axis"}
    in_front = [0] * (int(operator["axis"]) - 1)
    ends = {name: [*in_front, operator.get(name, 0)] for name in ("before", "after")}
    return rest | {"kind": "pad"} | ends


def _function(operator: Document) -> Document:
    """Return an activation, which had a kind of its own."""
    return {**operator, "kind": "pointwise", "function": operator["kind"]}


def _arithmetic(operator: Document) -> Document:
    """Return an operation on tensors, or on a tensor and a number."""
    operation = {"operation": operator["kind"]}
    return {**operation, **operator, "kind": "arithmetic"}


UPGRADES: dict[str, Callable[[Document], Document]] = {
    **dict.fromkeys((
        "relu", "relu6", "sigmoid", "silu", "tanh", "scaled_tanh", "hardsigmoid",
        "hardswish", "hardtanh",
    ), _function),
    **dict.fromkeys(("add", "multiply", "binary", "scalar"), _arithmetic),
    "last_linear": _renamed("linear"),
    "select_channels": _channels_selected,
    "select": _renamed("slice"),
    "pad": _padded,
    "pad_channels": _channels_padded,
    "pad_axis": _axis_padded,
    "roll": lambda operator: operator | {"kind": "copy", "order": "rolled"},
    "flip": lambda operator: operator | {"kind": "copy", "order": "flipped"},
    "conv1d": _one_axis,
    "upsample": _renamed("resize"),
}  # fmt: skip
"""What became of kinds that are no more, or that have other attributes now.

Kinds without a row are what they were. A row leaves attributes that it does not know
to the reader, which names them.
"""
