"""What PyTorch's autograd keeps of each operator until its backward has run.

A convention of a library, and so data: one row an operator. Parameters and buffers are
not listed, they exist anyway; nor are single numbers (a factor, an exponent).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


Role = Literal["result", "intermediate", "indices", "mask", "statistics", "gradient"]
"""What a tensor is to the operator that makes it."""


def element_width(role: Role, element_bytes: int) -> int:
    """Return the bytes an element of a tensor, in a network of so many bytes each.

    Indices are 64-bit, a mask is Boolean; statistics of half-precision batches are
    float32. **Source**: PyTorch, ``max_pool2d_with_indices``, ``native_dropout`` and
    ``native_batch_norm``.
    """
    fixed = {"indices": 8, "mask": 1, "statistics": max(4, element_bytes)}
    return fixed.get(role, element_bytes)


@dataclass(frozen=True, slots=True)
class Call:
    """An operator on its operands: which need a gradient, and whether it learns."""

    operator: Operator
    inputs: tuple[Shape, ...]
    output: Shape
    needs: tuple[bool, ...]
    learns: bool


@dataclass(frozen=True, slots=True)
class Extra:
    """A tensor that is neither operand nor result, and is kept.

    ``elements`` are those of one sample, or of the whole batch unless ``a_sample``.
    """

    role: Role
    elements: Dim
    a_sample: bool = True


@dataclass(frozen=True, slots=True)
class Saved:
    """What one operator keeps: operands by number, its result, and extra tensors."""

    operands: tuple[int, ...] = ()
    result: bool = False
    extras: tuple[Extra, ...] = ()


def saved_by(call: Call) -> Saved:
    """Return what an operator keeps for its backward, while training.

    Dropout's mask is that of a GPU; a CPU keeps one as wide as the elements.

    **Source**: PyTorch, ``tools/autograd/derivatives.yaml``.
    """
    if type(call.operator) not in RULES:
        raise CostModelError(
            f"{call.operator.kind}: what it saves for backward is not known; "
            "add a row to RULES of costmodel/analysis/saved.py"
        )
    if not (call.learns or any(call.needs)):
        return Saved()
    return RULES[type(call.operator)](call)


def needs_gradient(network: Network) -> dict[str, bool]:
    """Return by node whether its result depends on any weight: it gets a gradient.

    Zeros depend on nothing, and the network's input on no weight.
    """
    needs: dict[str, bool] = {}
    for node in network.nodes:
        learns = any(w.learnable for w in network.weights_of(node).values())
        depends = learns or any(needs[source] for source in node.inputs)
        needs[node.name] = depends and not isinstance(node.operator, op.Zeros)
    return needs


def is_idle(operator: Operator, *, training: bool) -> bool:
    """Say whether an operator hands on the very tensor that it gets."""
    if isinstance(operator, op.Dropout):
        return not training or operator.percent == 0
    return isinstance(operator, op.Identity)


def is_view(operator: Operator, x: Shape, *, training: bool, repeated: bool) -> bool:
    """Say whether the result is the operand's memory under another name.

    ``repeated``: the operand is one channel that stands for all of them, as
    ``zeros`` makes; to be one vector it has to be copied.
    """
    if isinstance(operator, op.Flatten):
        return not repeated or 1 in (x.channels, x.positions)
    if isinstance(operator, op.ChannelShuffle):
        # One group, or groups of one: the order stays.
        return repeated or operator.groups == 1 or is_equal(operator.groups, x.channels)
    if isinstance(operator, op.SelectChannels):
        return True
    return is_idle(operator, training=training)


def stored_elements(operator: Operator, output: Shape) -> Dim:
    """Return the elements a sample that a result of its own takes."""
    return output.positions if isinstance(operator, op.Zeros) else output.numel


def passes_gradient(call: Call) -> bool:
    """Say whether the result's gradient, or a part of it, serves as the operands'."""
    if isinstance(call.operator, op.ChannelShuffle):
        return is_view(call.operator, call.inputs[0], training=True, repeated=False)
    if isinstance(call.operator, op.SelectChannels):
        return is_equal(call.operator.channels, call.inputs[0].channels)
    return isinstance(call.operator, (op.Add, op.Concat, op.Flatten))


def _nothing(call: Call) -> Saved:  # noqa: ARG001 - a row of the table
    return Saved()


def _operand(call: Call) -> Saved:  # noqa: ARG001
    return Saved(operands=(0,))


def _result(call: Call) -> Saved:  # noqa: ARG001
    return Saved(result=True)


def _other_operand(call: Call) -> Saved:
    """Keep each factor for the gradient of the other one."""
    left, right = call.needs
    return Saved(operands=((1,) if left else ()) + ((0,) if right else ()))


def _batch_norm(call: Call) -> Saved:
    """Keep the operand, and each channel's mean and 1/σ over the whole batch."""
    each = Extra("statistics", call.output.channels, a_sample=False)
    return Saved(operands=(0,), extras=(each, each))


def _local_response_norm(call: Call) -> Saved:
    """Keep x, the squares with zeros beyond the ends, the scale and its power."""
    x, size = call.output, call.operator.attributes["size"]
    squares = Extra("intermediate", (x.channels + size - 1) * x.positions)
    scale = Extra("intermediate", x.numel)
    return Saved(operands=(0,), extras=(squares, scale, scale))


def _scaled_tanh(call: Call) -> Saved:
    """Keep the hyperbolic tangent before it is scaled."""
    return Saved(extras=(Extra("intermediate", call.output.numel),))


def _radial_basis(call: Call) -> Saved:
    """Keep every difference of an element and a code's."""
    (x,), y = call.inputs, call.output
    return Saved(extras=(Extra("intermediate", x.numel * y.numel),))


def _dropout(call: Call) -> Saved:
    """Keep the mask; nothing where all is kept or all is dropped."""
    if call.operator.attributes["percent"] in (0, 100):
        return Saved()
    return Saved(extras=(Extra("mask", call.output.numel),))


def _max_pool(call: Call) -> Saved:
    """Keep the operand, for its shape alone, and where each maximum was."""
    return Saved(operands=(0,), extras=(Extra("indices", call.output.numel),))


def _adaptive_avg_pool(call: Call) -> Saved:
    """Keep the operand, for its shape; a global mean keeps nothing."""
    is_global = call.operator.attributes["size"] == (1, 1)
    return _nothing(call) if is_global else _operand(call)


def _subsample(call: Call) -> Saved:
    """Keep the sums that the coefficients multiply; the operand as pooling does."""
    sums = (Extra("intermediate", call.output.numel),)
    return Saved(operands=(0,) if call.needs[0] else (), extras=sums)


def _table_conv(call: Call) -> Saved:
    """Keep the maps that each row gathers, and their numbers for the way back."""
    table, (x,) = call.operator.attributes["table"], call.inputs
    extras = [Extra("intermediate", len(row) * x.positions) for row in table]
    if call.needs[0]:
        extras += [Extra("indices", len(row), a_sample=False) for row in table]
    return Saved(extras=tuple(extras))


RULES: dict[type[Operator], Callable[[Call], Saved]] = {
    op.Input: _nothing,
    op.Conv2d: _operand,
    op.TableConv2d: _table_conv,
    op.Linear: _operand,
    op.RadialBasis: _radial_basis,
    op.BatchNorm2d: _batch_norm,
    op.LocalResponseNorm: _local_response_norm,
    op.ReLU: _result,
    op.ReLU6: _operand,
    op.Sigmoid: _result,
    op.SiLU: _operand,
    op.Tanh: _result,
    op.ScaledTanh: _scaled_tanh,
    op.HardSigmoid: _operand,
    op.HardSwish: _operand,
    op.HardTanh: _operand,
    op.Softmax: _result,
    op.Identity: _nothing,
    op.Dropout: _dropout,
    op.MaxPool2d: _max_pool,
    op.AvgPool2d: _operand,
    op.Subsample2d: _subsample,
    op.AdaptiveAvgPool2d: _adaptive_avg_pool,
    op.AdaptiveMaxPool2d: _max_pool,
    op.Add: _nothing,
    op.Multiply: _other_operand,
    op.Concat: _nothing,
    op.Flatten: _nothing,
    op.Pad2d: _nothing,
    op.Zeros: _nothing,
    op.PadChannels: _nothing,
    op.SelectChannels: _nothing,
    op.ChannelShuffle: _nothing,
}
"""What each operator keeps, wherever a gradient flows through it or its weights."""
