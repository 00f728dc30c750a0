"""The tensors that PyTorch's autograd saves for each operator until its backward.

A convention of a library, and so data: one row per operator. Parameters and buffers are
not listed, since they exist anyway; nor are scalars (a factor, an exponent).
"""

from __future__ import annotations

from collections.abc import Callable

from costmodel.algebra.code.constants import read_constants
from costmodel.algebra.symbols import Dim, is_equal
from costmodel.algebra.window import Window
from costmodel.analysis.memory.gradient_flow import is_constant
from costmodel.analysis.memory.operator_call import (
    Call,
    Extra,
    Role,
    Saved,
    element_width,
)
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.axes import along, elements, extents, others
from costmodel.network.operators import Operator, rule_for
from costmodel.network.operators.base import are_all
from costmodel.network.operators.pooling import Pool
from costmodel.network.shape import Shape


def saved_by(call: Call) -> Saved:
    """Return what an operator saves for its backward, in training.

    Dropout's mask is that of a GPU; a CPU keeps one as wide as the elements.

    **Source**: PyTorch, ``tools/autograd/derivatives.yaml``.
    """
    kind = type(call.operator)
    is_told = call.operator.saved is not None and kind not in RULES
    rule = _in_words if is_told else rule_for(RULES, kind)
    if rule is None:
        raise CostModelError(
            f"{call.operator.kind}: what it saves for backward is not known; "
            "add a row to RULES of costmodel/analysis/memory/autograd_saved.py"
        )
    if not (call.learns or any(call.needs)):
        return Saved()
    saved, copied = rule(call), call.copied or (0,) * len(call.inputs)
    own = tuple(place for place in saved.operands if copied[place] == 0)
    copies = [Extra("intermediate", copied[n]) for n in saved.operands if n not in own]
    return Saved(own, saved.result, (*saved.extras, *copies))


def is_idle(operator: Operator, *, training: bool) -> bool:
    """Say whether an operator returns its operand itself."""
    if isinstance(operator, op.Dropout):
        return not training or operator.percent == 0
    return isinstance(operator, op.Identity)


def is_view(operator: Operator, x: Shape, *, training: bool, repeated: bool) -> bool:
    """Say whether the result is the operand's memory under another name.

    ``repeated``: the operand is one channel expanded to all of them, as
    ``zeros`` makes; to be flattened it has to be copied.
    """
    if isinstance(operator, op.Flatten):
        return not repeated or 1 in (x.channels, x.positions)
    if isinstance(operator, op.ChannelShuffle):
        # One group, or groups of one: the order stays.
        return repeated or operator.groups == 1 or is_equal(operator.groups, x.channels)
    if isinstance(operator, VIEWS):
        return True
    return is_idle(operator, training=training)


VIEWS = (op.Reshape, op.Permute, op.Expand, op.Slice, op.Crop)
"""Operators that only rename elements of their operand.

A reshape behind a permutation has to copy; see ``memory_layout.py``.
"""

_PASSING = (op.Concat, op.Flatten, op.Reshape, op.Permute)
_PASSING_ALL = (op.Slice, op.Crop, op.Expand, op.Repeat)
"""Operators that hand on the gradient where the result is all of the operand."""


def stored_elements(operator: Operator, output: Shape) -> Dim:
    """Return the elements per sample that a new result takes."""
    return output.positions if isinstance(operator, op.Zeros) else output.numel


def passed_operands(call: Call) -> tuple[int, ...]:
    """Return the operands whose gradient is the result's, or a part of it."""
    if isinstance(call.operator, op.Arithmetic):
        alike = [n for n, x in enumerate(call.inputs) if x.same_as(call.output)]
        passing = {"add": len(call.inputs), "subtract": 1}
        first = passing.get(call.operator.operation, 0)
        return tuple(n for n in alike if n < first)
    return tuple(range(len(call.inputs))) if _passes(call) else ()


def is_repeated(operator: Operator) -> bool:
    """Say whether an operand's gradient is the result's, expanded."""
    return isinstance(operator, op.Reduce) and operator.operation == "sum"


def _passes(call: Call) -> bool:
    if isinstance(call.operator, op.ChannelShuffle):
        return is_view(call.operator, call.inputs[0], training=True, repeated=False)
    if isinstance(call.operator, op.Slice) and not is_equal(call.operator.step, 1):
        return False  # PyTorch skips a slice of everything, at step 1 alone
    if isinstance(call.operator, _PASSING_ALL):
        return call.inputs[0].same_as(call.output)
    if isinstance(call.operator, op.Cumulate):
        return is_equal(along(call.output, call.operator.axis).value, 1)
    if isinstance(call.operator, op.Copy):
        return call.operator.order == "same"
    return isinstance(call.operator, _PASSING) or is_repeated(call.operator)


def _nothing(call: Call) -> Saved:  # noqa: ARG001 - a row of the table
    """Keep nothing."""
    return Saved()


def _operand(call: Call) -> Saved:  # noqa: ARG001
    """Keep the operand."""
    return Saved(operands=(0,))


def _result(call: Call) -> Saved:  # noqa: ARG001
    return Saved(result=True)


def _other_operand(call: Call) -> Saved:
    """Keep each factor for the gradient of the other one."""
    left, right = call.needs
    return Saved(operands=((1,) if left else ()) + ((0,) if right else ()))


def _batch_norm(call: Call) -> Saved:
    """Keep the operand, and each channel's mean and 1/σ over the whole batch.

    Those are no statistics of the batch if it normalizes by running ones.
    """
    if read_constants(call.operator.constants).get("training") is False:
        return _operand(call)
    each = Extra("statistics", call.output.channels, per_sample=False)
    return Saved(operands=(0,), extras=(each, each))


def _local_response_norm(call: Call) -> Saved:
    """Keep x, the zero-padded squares, the scale and its power."""
    x, size = call.output, call.operator.attributes["size"]
    squares = Extra("intermediate", (x.channels + size - 1) * x.positions)
    scale = Extra("intermediate", x.numel)
    return Saved(operands=(0,), extras=(squares, scale, scale))


def _linear(call: Call) -> Saved:
    """Keep the operand for the gradient of the weight; that of a bias needs nothing."""
    return _nothing(call) if "weight" in call.fixed else _operand(call)


def _radial_basis(call: Call) -> Saved:
    """Keep the difference of each element and each code's element."""
    (x,), y = call.inputs, call.output
    return Saved(extras=(Extra("intermediate", x.numel * y.numel),))


def _dropout(call: Call) -> Saved:
    """Keep the mask; nothing if all elements are kept or all are dropped."""
    if call.operator.attributes["percent"] in (0, 100):
        return Saved()
    return Saved(extras=(Extra("mask", call.output.numel),))


def _max_pool(call: Call) -> Saved:
    """Keep the operand, for its shape alone, and the index of each maximum."""
    return Saved(operands=(0,), extras=(Extra("indices", call.output.numel),))


def _adaptive_avg_pool(call: Call) -> Saved:
    """Keep the operand, for its shape; a global mean keeps nothing."""
    is_global = are_all(call.operator.attributes["size"], 1)
    return _nothing(call) if is_global else _operand(call)


def _subsample(call: Call) -> Saved:
    """Keep the sums that the coefficients multiply, and the operand as pooling does."""
    sums = Extra("intermediate", call.output.numel)
    extras = () if "weight" in call.fixed else (sums,)
    return Saved(operands=(0,) if call.needs[0] else (), extras=extras)


def _table_conv(call: Call) -> Saved:
    """Keep the channels that each row gathers, and their indices."""
    table, (x,) = call.operator.attributes["table"], call.inputs
    extras = [Extra("intermediate", len(row) * x.positions) for row in table]
    if call.needs[0]:
        extras += [Extra("indices", len(row), per_sample=False) for row in table]
    return Saved(extras=tuple(extras))


def _conv(call: Call) -> Saved:
    """Keep the operand; padding other than zeros makes a padded copy."""
    conv, (x,) = call.operator.attributes, call.inputs
    mode, padding = conv["padding_mode"], conv["padding"]
    if mode == "zeros" or are_all(padding, 0):
        return _operand(call)
    sides = tuple(
        extent.through(Window(before=p, after=p))
        for extent, p in zip(x.spatial, padding, strict=True)
    )
    padded = Extra("intermediate", Shape(x.channels, sides).numel)
    # The backward of a mirrored or repeated border reads the operand.
    own = (0,) if mode != "circular" and call.needs[0] else ()
    return Saved(operands=own, extras=(padded,))


def _attention(call: Call) -> Saved:
    """Keep all operands, the result, and the logarithm of each row's sum.

    That is what the fused kernels keep; backward recomputes the scores.
    Without them, on other devices or under some masks, PyTorch keeps the scores.
    """
    query, _, value = (extents(x) for x in call.inputs[:3])
    if query[-1] != value[-1]:
        raise CostModelError(
            f"attention: PyTorch has no fused kernel for values of {value[-1]} and "
            f"queries of {query[-1]} features; what it saves is not known"
        )
    rows = elements(call.output, extents(call.output)[:-1])
    sums = Extra("statistics", rows)
    return Saved(tuple(range(len(call.inputs))), result=True, extras=(sums,))


def _einsum(call: Call) -> Saved:
    """Keep each factor for the other's gradient, if PyTorch does not copy them.

    It multiplies matrices: axes of one role have to be adjacent, in the order of the
    result; otherwise it copies or sums the operand, and keeps that.
    """
    equation = call.operator.attributes["equation"]
    before, _, made = equation.partition("->")
    terms = before.split(",")
    left, right = map(set, terms)
    shared = [e for e in made if e in left & right]
    summed = [e for e in terms[0] if e in right and e not in made]
    kept = set(made) | set(summed)
    plain = set(terms[0] + terms[1]) <= kept and all(
        "".join(group) in term
        for term in terms
        for group in (shared, summed, [e for e in made if e in {*term} - {*shared}])
    )
    if plain or (not summed and set(terms[0] + terms[1]) <= kept):
        return _other_operand(call)
    raise CostModelError(
        f"einsum {equation}: PyTorch copies operands of it or sums them first; what it "
        "saves is not known"
    )


def _resampling(call: Call) -> Saved:
    """Keep only sizes; the mean over areas keeps its operand for its shape."""
    is_area = call.operator.attributes["mode"] == "area"
    return _operand(call) if is_area else _nothing(call)


def _pointwise(call: Call) -> Saved:
    """Keep the tensors in the formula of the derivative, as the function's row says."""
    assert isinstance(call.operator, op.Pointwise)  # noqa: S101 - a row of the table
    return _kept(call, call.operator.row.saved)


def _in_words(call: Call) -> Saved:
    """Keep what the operator's class declares."""
    return _kept(call, call.operator.saved or "")


def _kept(call: Call, words: str) -> Saved:
    """Keep what words of ``SAVED`` name."""
    saved = words.split()
    between = (Extra("intermediate", call.inputs[0].numel),)
    return Saved(
        operands=(0,) if "operand" in saved else (),
        result="result" in saved,
        extras=between if "intermediate" in saved else (),
    )


def _arithmetic(call: Call) -> Saved:
    """Keep what the derivative multiplies by, for a number or for tensors."""
    operation = call.operator.attributes["operation"]
    if operation in ("add", "subtract", "reverse_subtract"):
        return Saved()
    if is_constant(call.operator):
        return Saved()
    is_alone = len(call.inputs) == 1
    return (_beside_number if is_alone else _of_tensors)(call, operation)


def _beside_number(call: Call, operation: str) -> Saved:
    """Keep what the derivative needs: nothing if the result is linear."""
    if operation in ("multiply", "divide", "gated"):
        return Saved()
    if operation == "reverse_power":
        return Saved(operands=(0,), result=True)
    if operation == "reverse_divide":
        return Saved(extras=(Extra("intermediate", call.output.numel),))
    return Saved(operands=(0,))


def _of_tensors(call: Call, operation: str) -> Saved:
    """Keep what the derivative by the other operand multiplies by."""
    if operation == "multiply":
        return _other_operand(call)
    if operation == "divide":
        return Saved(operands=(0, 1) if call.needs[1] else (1,))
    return Saved(operands=(0, 1), result=operation == "power")


def _layer_norm(call: Call) -> Saved:
    """Keep the operand, and each group's mean and 1/σ."""
    x, axes = call.output, call.operator.attributes["axes"]
    last = range(len(x.spatial) + 2 - axes, len(x.spatial) + 2)
    each = Extra("statistics", others(x, last))
    return Saved(operands=(0,), extras=(each, each))


def _rms_norm(call: Call) -> Saved:
    """Keep the operand, each group's reciprocal root, and the factor of γ."""
    x, operator = call.output, call.operator.attributes
    last = range(len(x.spatial) + 2 - operator["axes"], len(x.spatial) + 2)
    roots = Extra("statistics", others(x, last))
    scales = operator["affine"] and "weight" not in call.fixed
    scaled = (Extra("intermediate", x.numel),) if scales else ()
    if not call.needs[0]:
        return Saved(extras=scaled)
    return Saved(operands=(0,), extras=(roots, *scaled))


def _group_norm(call: Call) -> Saved:
    """Keep the operand, and each group's mean and 1/σ."""
    each = Extra("statistics", call.operator.attributes["groups"])
    return Saved(operands=(0,), extras=(each, each))


def _instance_norm(call: Call) -> Saved:
    """Keep the operand, mean and 1/σ of each channel, and its γ once per sample."""
    each = Extra("statistics", call.output.channels)
    scales = (Extra("intermediate", call.output.channels),)
    affine = call.operator.attributes["affine"]
    return Saved(operands=(0,), extras=(each, each, *(scales if affine else ())))


def _reduce(call: Call) -> Saved:
    """Keep the operand, and the result if the derivative is a formula of both."""
    operation = call.operator.attributes["operation"]
    if operation in ("sum", "mean"):
        return Saved()
    # One axis at a time, the last one first.
    axes = sorted(call.operator.attributes["axes"], reverse=True)
    steps = [others(call.inputs[0], axes[:n]) for n in range(1, len(axes))]
    if operation.endswith("_indexed"):
        places = (*steps, call.output.numel)
        return Saved(extras=tuple(Extra("indices", place) for place in places))
    if operation == "prod":
        between = tuple(Extra("intermediate", step) for step in steps)
        return Saved(operands=(0,), result=True, extras=between)
    return Saved(operands=(0,), result=operation != "var")


def _pad(call: Call) -> Saved:
    """Keep the operand if a border is mirrored or repeated."""
    mode = call.operator.attributes["mode"]
    return Saved(operands=(0,) if mode in ("reflect", "replicate") else ())


__all__ = [
    "RULES", "VIEWS", "Call", "Extra", "Role", "Saved", "element_width", "is_idle",
    "is_repeated", "is_view", "passed_operands", "saved_by", "stored_elements",
]  # fmt: skip

RULES: dict[type[Operator], Callable[[Call], Saved]] = {
    op.Source: _nothing,
    op.Rearrangement: _nothing,
    op.Weighted: _operand,
    op.Product: _other_operand,
    Pool: _operand,
    op.Resize: _resampling,
    op.Conv: _conv,
    op.Linear: _linear,
    op.TableConv2d: _table_conv,
    op.RadialBasis: _radial_basis,
    op.BatchNorm: _batch_norm,
    op.LocalResponseNorm: _local_response_norm,
    op.LayerNorm: _layer_norm,
    op.RMSNorm: _rms_norm,
    op.GroupNorm: _group_norm,
    op.InstanceNorm: _instance_norm,
    op.Softmax: _result,
    op.Pointwise: _pointwise,
    op.PReLU: _operand,
    op.Arithmetic: _arithmetic,
    op.Dropout: _dropout,
    op.Pad: _pad,
    op.MaxPool: _max_pool,
    op.Subsample2d: _subsample,
    op.AdaptiveAvgPool: _adaptive_avg_pool,
    op.AdaptiveMaxPool: _max_pool,
    op.Attention: _attention,
    op.Einsum: _einsum,
    op.Reduce: _reduce,
    op.Cumulate: _nothing,
}
"""What operators keep if a gradient flows through them or their weights.

One row per base, and one for each operator that is an exception.
"""
