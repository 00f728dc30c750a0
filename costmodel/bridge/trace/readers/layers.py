"""Readers of layers with weights, and of normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from costmodel.bridge.trace.calls import Call, UndoneError
from costmodel.bridge.trace.sizes import formula_of, formula_value
from costmodel.bridge.trace.tracer import Constant, Traced
from costmodel.network import operators as op
from costmodel.network.operators import Operator, Sizes
from costmodel.network.shape import AXES


def each(value: Any, axes: int) -> tuple[Any, ...]:
    """Return one number for every axis, or one of its own for each."""
    if not isinstance(value, Sequence):
        return (value,) * axes
    return tuple(value) if len(value) == axes else (value[0],) * axes


def formulas(value: Any, axes: int) -> Sizes:
    """Return so many numbers as formulas."""
    return tuple(map(formula_value, each(value, axes)))


def weight_of(call: Call, place: int, name: str = "weight") -> torch.Tensor:
    """Return a layer's weight; it may not depend on the input."""
    value = optional(call, place, name)
    if value is None:
        raise UndoneError
    return value


def optional(call: Call, place: int, name: str) -> torch.Tensor | None:
    """Return a weight that a layer may be without."""
    value: torch.Tensor | None = call.get(place, name)
    if value is not None and call.has_batch(value):
        raise UndoneError
    return value


def sources(call: Call, *values: torch.Tensor | None) -> tuple[str, ...]:
    """Return the paths of the stored tensors that weights are, or come from."""
    found: list[str] = []
    for value in values:
        known = call.tracer.tensor(value) if value is not None else None
        if isinstance(known, Constant):
            found += known.sources
    return tuple(dict.fromkeys(found))


def weighted(
    call: Call,
    operator: Operator,
    x: Traced,
    *values: torch.Tensor | None,
    statistics: Sequence[torch.Tensor | None] = (),
    result: Any = ...,
) -> Traced:
    """Append a layer; one whose weights are stored already stores none.

    Weights computed from stored tensors (standardized, scaled by a gain, a fixed
    filter) are the layer's where one of those has the weight's shape; the others are
    nodes of their own.
    """
    if result is ...:
        made = call.result
        result = made[0] if isinstance(made, tuple) else made
    tracer = call.tracer
    name = tracer.name(operator.kind)
    owner = ""
    for value in values:
        if value is not None:
            owner = _stored(call, value, name, owner) or owner
    for path in sources(call, *statistics):
        tracer.own(path, name)
        counter = path.rpartition(".")[0] + ".num_batches_tracked"
        if counter.lstrip(".") in tracer.by_path:
            tracer.used.add(counter.lstrip("."))
    return call.put_named(operator, x, name, owner, result)


def _stored(call: Call, value: torch.Tensor, name: str, owner: str) -> str:
    """Say where a weight is stored: the layer's own, or another node's, by its name.

    A layer that has an owner already stores nothing: what it adds is a node as well.
    """
    tracer = call.tracer
    paths = sources(call, value)
    if not paths:
        return tracer.operand(value).node
    mine = [p for p in paths if _fits(tracer.by_path[p], value)]
    known = tracer.owner(mine[0]) if mine else None
    if mine and known is None and owner:
        tracer.store(mine[0])
    elif mine and known is None:
        tracer.own(mine[0], name)
    others = [tracer.store(p) for p in paths if p not in mine[:1]]
    if mine:
        return known or ""
    return others[0]


def _fits(stored: tuple[torch.Tensor, bool], value: torch.Tensor) -> bool:
    tensor, learnable = stored
    return learnable and tensor.numel() == value.numel()


def conv(call: Call) -> None:
    """Read a convolution along one, two or three axes."""
    x = call.x()
    weight, bias = weight_of(call, 1), optional(call, 2, "bias")
    kernel = tuple(map(int, weight.shape[2:]))
    stride = formulas(call.get(3, "stride", 1), len(kernel))
    dilation = formulas(call.get(5, "dilation", 1), len(kernel))
    groups = int(call.get(6, "groups", 1))
    padding: Any = call.get(4, "padding", 0)
    if padding == "valid":
        padding = 0
    if padding == "same":
        x, padding = _same(call, x, kernel, dilation)
    x = fitting(call, x, 1, int(weight.shape[1]) * groups)
    layer = op.Conv(
        int(weight.shape[0]), kernel, stride, formulas(padding, len(kernel)), dilation,
        groups, bias is not None,
    )  # fmt: skip
    weighted(call, layer, x, weight, bias)


def _same(
    call: Call, x: Traced, kernel: tuple[int, ...], dilation: Sizes
) -> tuple[Traced, Sizes]:
    """Return the operand, and the padding; what is more at an end is a step before."""
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    before = tuple(t // 2 for t in total)
    after = tuple(t - b for t, b in zip(total, before, strict=True))
    if before == after:
        return x, before
    return call.put(op.Pad((0, *before), (0, *after)), x), (0,) * len(kernel)


def fitting(call: Call, x: Traced, axis: int, length: int) -> Traced:
    """Return an operand whose axis has the length that weights ask for."""
    there, wanted = x.sizes[axis], formula_of(length)
    if there == wanted:
        return x
    sizes = list(x.sizes)
    sizes[axis] = wanted
    return call.restated(x, sizes, f"its weights are for {length}")


def conv_transpose(call: Call) -> None:
    """Read a transposed convolution along one, two or three axes."""
    x = call.x()
    weight, bias = weight_of(call, 1), optional(call, 2, "bias")
    groups = int(call.get(6, "groups", 1))
    x = fitting(call, x, 1, int(weight.shape[0]))
    kernel = tuple(map(int, weight.shape[2:]))
    layer = op.ConvTranspose(
        int(weight.shape[1]) * groups,
        kernel,
        formulas(call.get(3, "stride", 1), len(kernel)),
        formulas(call.get(4, "padding", 0), len(kernel)),
        formulas(call.get(5, "output_padding", 0), len(kernel)),
        formulas(call.get(7, "dilation", 1), len(kernel)),
        groups,
        bias is not None,
    )
    weighted(call, layer, x, weight, bias)


def linear(call: Call) -> None:
    """Read a linear layer, of vectors or of the last axis."""
    x = call.x()
    weight, bias = weight_of(call, 1), optional(call, 2, "bias")
    x = fitting(call, x, len(x.sizes) - 1, int(weight.shape[1]))
    layer = op.Linear(int(weight.shape[0]), bias is not None)
    weighted(call, layer, x, weight, bias)


def channels_second(call: Call) -> Traced:
    """Return an operand whose channels stand behind its batch, and nowhere else."""
    x = call.x()
    if x.layout.batch_axis or x.layout.is_folded:
        raise UndoneError
    return x


def batch_norm(call: Call) -> None:
    """Read batch normalization, with running statistics or without."""
    x = channels_second(call)
    first, second = (3, 1) if call.name.startswith("aten") else (1, 3)
    mean = optional(call, first, "running_mean")
    var = optional(call, first + 1, "running_var")
    weight, bias = optional(call, second, "weight"), optional(call, second + 1, "bias")
    if (weight is None) != (bias is None) or (mean is None) != (var is None):
        raise UndoneError
    counted = mean if mean is not None else weight
    if counted is not None:
        x = fitting(call, x, 1, int(counted.numel()))
    layer = op.BatchNorm(affine=weight is not None, running=mean is not None)
    weighted(call, layer, x, weight, bias, statistics=(mean, var))


def layer_norm(call: Call) -> None:
    """Read normalization over the last axes."""
    x = call.x()
    weight, bias = optional(call, 2, "weight"), optional(call, 3, "bias")
    shape = call.get(1, "normalized_shape")
    axes = len(shape) if isinstance(shape, Sequence) else 1
    if weight is None and bias is not None:
        raise UndoneError
    if isinstance(shape, Sequence):
        for place, length in enumerate(shape, len(x.sizes) - axes):
            x = fitting(call, x, place, length)
    layer = op.LayerNorm(axes, weight is not None, bias is not None)
    weighted(call, layer, x, weight, bias)


def rms_norm(call: Call) -> None:
    """Read normalization by the root mean square of the last axes."""
    x = call.x()
    weight = optional(call, 2, "weight")
    shape = call.get(1, "normalized_shape")
    axes = len(shape) if isinstance(shape, Sequence) else 1
    weighted(call, op.RMSNorm(axes, weight is not None), x, weight)


def group_norm(call: Call) -> None:
    """Read normalization over groups of channels."""
    x = channels_second(call)
    weight, bias = optional(call, 2, "weight"), optional(call, 3, "bias")
    if (weight is None) != (bias is None):
        raise UndoneError
    layer = op.GroupNorm(int(call.get(1, "num_groups")), weight is not None)
    weighted(call, layer, x, weight, bias)


def instance_norm(call: Call) -> None:
    """Read normalization of each map."""
    x = channels_second(call)
    mean = optional(call, 1, "running_mean")
    weight, bias = optional(call, 3, "weight"), optional(call, 4, "bias")
    if (weight is None) != (bias is None) or mean is not None:
        raise UndoneError
    if len(x.shape.spatial) not in AXES:
        raise UndoneError
    layer = op.InstanceNorm(affine=weight is not None)
    weighted(call, layer, x, weight, bias)


def local_response_norm(call: Call) -> None:
    """Read normalization over neighbouring channels."""
    size_ = int(call.get(1, "size"))
    call.put(op.LocalResponseNorm(size_), call.x(), result=call.result)


def prelu(call: Call) -> None:
    """Read a rectifier with learned slopes."""
    x = channels_second(call)
    weight = weight_of(call, 1)
    weighted(call, op.PReLU(int(weight.numel())), x, weight)


LAYERS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), conv),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), conv_transpose
    ),
    "linear": linear,
    "batch_norm": batch_norm,
    "aten_batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "local_response_norm": local_response_norm,
    "prelu": prelu,
}
__all__ = ["LAYERS", "each", "formula_of", "formulas"]
