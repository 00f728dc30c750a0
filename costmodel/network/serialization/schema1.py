"""Conversion of networks from the first JSON schema to the present one, and back.

A network is identified by a digest of its JSON in the first schema, so that
measurements and counts that were recorded under it stay valid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from costmodel.network.operators.rearrangement.views import COPIES


SCHEMA_1 = "costmodel.network/1"

Document: TypeAlias = dict[str, Any]
"""An operator as JSON: its ``kind``, and its attributes by name."""


def upgraded(operator: Document) -> Document:
    """Return an operator of the first schema in the present one."""
    upgrade = UPGRADES.get(operator["kind"])
    return operator if upgrade is None else upgrade(operator)


def downgraded(operator: Document, *, is_vector: bool) -> Document:
    """Return an operator in the first schema, if that had one for it.

    ``is_vector`` says that the operand has no axis beside its channels.
    """
    # It had no constants: networks that differ in them alone cost the same.
    operator = _without(operator, "constants")
    if operator["kind"] == "linear" and not is_vector:
        return operator | {"kind": "last_linear"}
    downgrade = DOWNGRADES.get(operator["kind"])
    return operator if downgrade is None else downgrade(operator)


def _activation(operator: Document) -> Document:
    function = operator["function"]
    return {"kind": function} if function in ACTIVATIONS else operator


def _operation(operator: Document) -> Document:
    """Return a sum or product of tensors, which had kinds of their own."""
    operation, value = operator["operation"], operator["value"]
    if value is not None:
        return {"kind": "scalar", "operation": operation, "value": value}
    if operation in ("add", "multiply"):
        return {"kind": operation}
    return {"kind": "binary", "operation": operation}


def _without_axis(operator: Document) -> Document:
    """Return a convolution along one axis, whose sizes were numbers."""
    if len(operator["kernel"]) != 1 or operator["padding_mode"] != "zeros":
        return operator
    rest = _without(operator, "padding_mode")
    numbers = {n: v[0] if isinstance(v, list) else v for n, v in rest.items()}
    return numbers | {"kind": "conv1d"}


def _one_of_pads(operator: Document) -> Document:
    match operator:
        case {"before": [0, *before], "after": [0, *after]} if before:
            return operator | {"before": before, "after": after}
        case {"before": [before], "after": [after]}:
            return {"kind": "pad_channels", "before": before, "after": after}
        case _:
            return operator


def _one_of_parts(operator: Document) -> Document:
    match operator:
        case {"length": None}:
            return _without(operator, "length")
        case {"axis": 1, "step": 1, "start": start, "length": length}:
            return {"kind": "select_channels", "start": start, "channels": length}
        case _:
            return _without(operator, "end") | {"kind": "select"}


def _one_of_sizes(operator: Document) -> Document:
    """Return an interpolation by a factor, or to a size."""
    if operator["scale"] is None:
        fields = ("kind", "shape", "mode")
        return {name: operator[name] for name in fields}
    scale, mode = operator["scale"], operator["mode"]
    return {"kind": "upsample", "scale": scale, "mode": mode}


def _without(operator: Document, field: str) -> Document:
    return {name: value for name, value in operator.items() if name != field}


def _one_axis(operator: Document) -> Document:
    """Return a convolution along one axis: its sizes are tuples of one."""
    sizes = {"kernel", "stride", "padding", "dilation"}
    changed = {
        name: [value] if name in sizes and not isinstance(value, list) else value
        for name, value in operator.items()
    }
    return changed | {"kind": "conv"}


def _renamed(kind: str, **fields: str) -> Callable[[Document], Document]:
    """Return the rule for a kind that was renamed, perhaps with its fields."""

    def upgrade(operator: Document) -> Document:
        named = {fields.get(name, name): value for name, value in operator.items()}
        return named | {"kind": kind}

    return upgrade


def _channels_selected(operator: Document) -> Document:
    return _renamed("slice", channels="length")(operator) | {"axis": 1}


def _padded(operator: Document) -> Document:
    """Put unpadded channels in front of height and width."""
    ends = {name: [0, *operator[name]] for name in ("before", "after")
            if isinstance(operator.get(name), list)}  # fmt: skip
    return operator | ends


def _channels_padded(operator: Document) -> Document:
    ends = {name: [operator[name]] for name in ("before", "after") if name in operator}
    return operator | {"kind": "pad"} | ends


def _axis_padded(operator: Document) -> Document:
    """Put unpadded axes in front of the one that is padded."""
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


ACTIVATIONS = ("relu", "relu6", "sigmoid", "silu", "tanh", "scaled_tanh", "hardsigmoid",
               "hardswish", "hardtanh")  # fmt: skip
"""Functions that were operators of their own."""

UPGRADES: dict[str, Callable[[Document], Document]] = {
    **dict.fromkeys(ACTIVATIONS, _function),
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
"""Rules for kinds that were removed, or whose attributes changed.

Kinds without a row are unchanged. A row keeps attributes that it does not know, which
the reader then refuses by name.
"""

DOWNGRADES: dict[str, Callable[[Document], Document]] = {
    "pointwise": _activation,
    "arithmetic": _operation,
    "conv": _without_axis,
    "pad": _one_of_pads,
    "slice": _one_of_parts,
    "copy": lambda operator: {"kind": COPIES[operator["order"]]},
    "resize": _one_of_sizes,
}
"""Rules from present kinds to those of the first schema, the commonest of several."""
