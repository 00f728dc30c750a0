"""What autograd keeps of operators that combine, normalize, reduce or arrange.

Rows of the table in :mod:`costmodel.analysis.saved`.

**Source**: PyTorch, ``tools/autograd/derivatives.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable

from costmodel.analysis.call import Call, Extra, Saved
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.operators.axes import others


OF_RESULT = {"exp", "expm1", "sqrt", "rsqrt", "reciprocal"}
"""Functions whose derivative is a formula of their result."""

OF_NOTHING = {"neg", "sign", "floor", "ceil", "round", "trunc"}
"""Functions whose derivative is a constant."""


def nothing(call: Call) -> Saved:  # noqa: ARG001 - a row of the table
    """Keep nothing."""
    return Saved()


def operand(call: Call) -> Saved:  # noqa: ARG001
    """Keep the operand."""
    return Saved(operands=(0,))


def _pointwise(call: Call) -> Saved:
    """Keep what the derivative is a formula of: the result, or else the operand."""
    function, whole = call.operator.attributes["function"], call.output.numel
    if function in OF_NOTHING:
        return Saved()
    if function in OF_RESULT:
        return Saved(result=True)
    if function in ("logsigmoid", "softsign"):
        return Saved(operands=(0,), extras=(Extra("intermediate", whole),))
    if function == "tanhshrink":
        return Saved(extras=(Extra("intermediate", whole),))
    return Saved(operands=(0,))


def _scalar(call: Call) -> Saved:
    """Keep the operand where the number is no plain term or factor of it."""
    operation = call.operator.attributes["operation"]
    if operation in ("add", "subtract", "reverse_subtract", "multiply", "divide"):
        return Saved()
    if operation == "reverse_power":
        return Saved(operands=(0,), result=True)
    if operation == "reverse_divide":
        return Saved(extras=(Extra("intermediate", call.output.numel),))
    return Saved(operands=(0,))


def _binary(call: Call) -> Saved:
    """Keep what the other operand's derivative multiplies."""
    operation = call.operator.attributes["operation"]
    left, right = call.needs
    if operation in ("add", "subtract"):
        return Saved()
    if operation == "multiply":
        return Saved(operands=((1,) if left else ()) + ((0,) if right else ()))
    if operation == "divide":
        return Saved(operands=(0, 1) if right else (1,))
    return Saved(operands=(0, 1), result=operation == "power")


def _layer_norm(call: Call) -> Saved:
    """Keep the operand, and each group's mean and 1/σ."""
    x, axes = call.output, call.operator.attributes["axes"]
    last = range(len(x.spatial) + 2 - axes, len(x.spatial) + 2)
    each = Extra("statistics", others(x, last))
    return Saved(operands=(0,), extras=(each, each))


def _rms_norm(call: Call) -> Saved:
    """Keep the operand, each group's reciprocal root, and what γ multiplies."""
    x, operator = call.output, call.operator.attributes
    last = range(len(x.spatial) + 2 - operator["axes"], len(x.spatial) + 2)
    roots = Extra("statistics", others(x, last))
    scaled = (Extra("intermediate", x.numel),) if operator["affine"] else ()
    if not call.needs[0]:
        return Saved(extras=scaled)
    return Saved(operands=(0,), extras=(roots, *scaled))


def _group_norm(call: Call) -> Saved:
    """Keep the operand, and each group's mean and 1/σ."""
    each = Extra("statistics", call.operator.attributes["groups"])
    return Saved(operands=(0,), extras=(each, each))


def _instance_norm(call: Call) -> Saved:
    """Keep the operand, mean and 1/σ of each channel, and its γ once a sample."""
    each = Extra("statistics", call.output.channels)
    scales = (Extra("intermediate", call.output.channels),)
    affine = call.operator.attributes["affine"]
    return Saved(operands=(0,), extras=(each, each, *(scales if affine else ())))


def _reduce(call: Call) -> Saved:
    """Keep the operand, and the result where the derivative is a formula of both."""
    operation = call.operator.attributes["operation"]
    if operation in ("sum", "mean"):
        return Saved()
    if operation == "prod":  # an axis after the other, the last one first
        axes = sorted(call.operator.attributes["axes"], reverse=True)
        steps = [others(call.inputs[0], axes[:n]) for n in range(1, len(axes))]
        between = tuple(Extra("intermediate", step) for step in steps)
        return Saved(operands=(0,), result=True, extras=between)
    return Saved(operands=(0,), result=operation != "var")


def _pad(call: Call) -> Saved:
    """Keep the operand where a border is mirrored or repeated."""
    mode = call.operator.attributes["mode"]
    return Saved(operands=(0,) if mode in ("reflect", "replicate") else ())


KEPT: dict[type[Operator], Callable[[Call], Saved]] = {
    op.Pointwise: _pointwise,
    op.Scalar: _scalar,
    op.Binary: _binary,
    op.PReLU: operand,
    op.LayerNorm: _layer_norm,
    op.RMSNorm: _rms_norm,
    op.GroupNorm: _group_norm,
    op.InstanceNorm: _instance_norm,
    op.Reduce: _reduce,
    op.Pad2d: _pad,
    **dict.fromkeys((
        op.Cumulate, op.Reshape, op.Permute, op.Expand, op.Repeat, op.Select, op.Slice,
        op.Crop, op.PadTo, op.PadAxis, op.Roll, op.Flip, op.Copy, op.Unfold,
        op.PixelShuffle, op.PixelUnshuffle,
    ), nothing),
}  # fmt: skip
"""What each of them keeps, wherever a gradient flows through it or its weights."""
