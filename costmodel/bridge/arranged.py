"""Which module or function stands for each operator that combines or arranges."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import sympy
import torch
from torch import nn

from costmodel.algebra.symbols import as_int
from costmodel.bridge import arrangements as arrange
from costmodel.bridge import functions, modules, ranked
from costmodel.bridge.arrangements import Function, Sizes
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators.normalizing import last_sizes
from costmodel.network.shape import AXES, Shape


SIZED: dict[type[op.Operator], Callable[..., torch.Tensor]] = {
    op.Reshape: arrange.reshape,
    op.Expand: arrange.expand,
    op.Repeat: arrange.repeat,
    op.Crop: arrange.crop,
    op.PadTo: arrange.pad_to,
}
"""Functions of a tensor and of sizes, which may depend on the image's."""


def sizes(network: Network, node: Node, known: Collection[str]) -> Sizes:
    """Return the sizes that an operator's shape names, and where they are read.

    ``known`` are the nodes whose tensors are there by now.
    """
    shape: Shape = node.operator.attributes["shape"]
    wanted = set().union(*(sympy.sympify(size).free_symbols for size in shape.sizes))
    places: dict[sympy.Symbol, tuple[int, int]] = {}
    for number, source in enumerate(network.inputs):
        for axis, size in enumerate(source.output.sizes, start=1):
            if size in wanted and source.name in known:
                places.setdefault(size, (number, axis))
    if missing := sorted(map(str, wanted - places.keys())):
        names = ", ".join(missing)
        raise at(
            node.operator.kind,
            node.name,
            f"no axis of the input is {names}, which {shape} depends on; "
            f"bind {names} first",
        )
    return Sizes(shape.sizes, places)


def batch_norm(layer: op.BatchNorm, x: Shape) -> nn.Module:
    """Return the normalization for as many axes as there are."""
    norm: nn.Module = ranked.BATCH_NORM[len(x.spatial)](
        as_int(x.channels), affine=layer.affine
    )
    return norm


def instance_norm(layer: op.InstanceNorm, x: Shape) -> nn.Module:
    """Return the normalization for as many axes as there are."""
    norm: nn.Module = ranked.INSTANCE_NORM[len(x.spatial)](
        as_int(x.channels), affine=layer.affine
    )
    return norm


def softmax(layer: op.Softmax, x: Shape) -> nn.Module:  # noqa: ARG001 - of a table
    """Return the softmax, or its logarithm."""
    axis = as_int(layer.axis)
    return nn.LogSoftmax(axis) if layer.log else nn.Softmax(axis)


def pad(layer: op.Pad, x: Shape) -> nn.Module:
    """Return the padding of that mode; of maps it has a module."""
    before, after = ([*map(as_int, ends)] for ends in (layer.before, layer.after))
    axes = len(x.spatial)
    if len(before) == 1 and layer.mode == "constant":
        return modules.PadChannels(before[0], after[0])
    if axes not in AXES or before[0] or after[0]:
        if layer.mode != "constant":
            raise CostModelError(f"{layer}: PyTorch pads maps alone in that mode")
        return Function(arrange.pad, before=tuple(before), after=tuple(after))
    rest = [(0, 0)] * (1 + axes - len(before))
    ends = [*zip(before, after, strict=True), *rest][:0:-1]
    module: nn.Module = ranked.PAD[layer.mode][axes](
        tuple(added for both in ends for added in both)
    )
    return module


def _last(count: Any, x: Shape) -> tuple[int, ...]:
    return tuple(map(as_int, last_sizes(x, count)))


def _slice(layer: op.Slice) -> nn.Module:
    axis, start, step = map(as_int, (layer.axis, layer.start, layer.step))
    if layer.length is None:
        end = as_int(layer.end)
        return Function(
            arrange.without_ends, axis=axis, start=start, end=end, step=step
        )
    if axis == step == 1:
        return modules.SelectChannels(start, as_int(layer.length))
    stop = start + step * (as_int(layer.length) - 1) + 1
    return Function(arrange.part, axis=axis, chosen=slice(start, stop, step))


COPIES: dict[str, Callable[[], nn.Module]] = {
    "same": partial(Function, torch.clone),
    # How far is not kept: any distance costs the same.
    "rolled": partial(Function, partial(torch.roll, shifts=1, dims=-1)),
    "flipped": partial(Function, partial(torch.flip, dims=(-1,))),
}

LEAVES: dict[type[op.Operator], Callable[..., nn.Module]] = {
    op.Pointwise: lambda o, _: functions.pointwise(o),
    op.Arithmetic: lambda o, *_: functions.arithmetic(o),
    op.PReLU: lambda o, _: nn.PReLU(as_int(o.parameters)),
    op.LayerNorm: lambda o, x: nn.LayerNorm(
        _last(o.axes, x), elementwise_affine=o.affine, bias=o.bias
    ),
    op.RMSNorm: lambda o, x: nn.RMSNorm(_last(o.axes, x), elementwise_affine=o.affine),
    op.GroupNorm: lambda o, x: nn.GroupNorm(
        as_int(o.groups), as_int(x.channels), affine=o.affine
    ),
    op.InstanceNorm: instance_norm,
    op.Reduce: lambda o, _: functions.reduce(o),
    op.Cumulate: lambda o, _: Function(torch.cumsum, dim=as_int(o.axis)),
    op.Permute: lambda o, _: Function(torch.permute, dims=(0, *o.order)),
    op.Slice: lambda o, _: _slice(o),
    op.Copy: lambda o, _: COPIES[o.order](),
    op.Unfold: lambda o, _: nn.Unfold(o.kernel, o.dilation, o.padding, o.stride),
    op.PixelShuffle: lambda o, _: nn.PixelShuffle(as_int(o.factor)),
    op.PixelUnshuffle: lambda o, _: nn.PixelUnshuffle(as_int(o.factor)),
}
"""Operators that are modules: from the operator and its input shapes."""
