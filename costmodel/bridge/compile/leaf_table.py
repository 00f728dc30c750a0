"""The tables of PyTorch modules and functions for each operator, in both directions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import sympy
import torch
from torch import nn

from costmodel.algebra.code.constants import read_constants
from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import as_int
from costmodel.bridge.compile import arrangements as arrange
from costmodel.bridge.compile import functions, modules, products, spatial_ranks
from costmodel.bridge.compile.arrangements import Function, Sizes
from costmodel.entry_points import import_all
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators.normalization import last_sizes
from costmodel.network.shape import AXES, Shape


SIZED: dict[type[op.Operator], Callable[..., torch.Tensor]] = {
    op.Reshape: arrange.reshape,
    op.Expand: arrange.expand,
    op.Repeat: arrange.repeat,
    op.Crop: arrange.crop,
    op.PadTo: arrange.pad_to,
}
"""Functions of a tensor and of sizes that may depend on the image's."""


def sized(layer: op.Operator) -> Callable[..., torch.Tensor] | None:
    """Return the function of a tensor and of its result's sizes, if it is one."""
    if isinstance(layer, op.Resize) and layer.shape is not None:
        return partial(arrange.resize, mode=layer.mode)
    if isinstance(layer, (op.AdaptiveAvgPool, op.AdaptiveMaxPool)):
        is_open = any(isinstance(size, sympy.Expr) for size in layer.size)
        return partial(arrange.adaptive, word=layer.word) if is_open else None
    return SIZED.get(type(layer))


def constants(layer: op.Operator) -> dict[str, Any]:
    """Return the constants that an operator records, by PyTorch's names."""
    given = read_constants(layer.constants)
    return {name: value for name, value in given.items() if value is not Ellipsis}


def with_constants(layer: op.Operator, module: nn.Module) -> nn.Module:
    """Return the operator's module with its constants."""
    for name, value in constants(layer).items():
        if isinstance(module, Function):
            module.fixed[name] = value
        else:
            setattr(module, name, value)
    return module


def sizes(network: Network, node: Node, known: Collection[str]) -> Sizes:
    """Return the sizes in an operator's shape, and the inputs that they depend on.

    ``known`` are the nodes whose tensors exist already.
    """
    shape = tuple(map(resolve, node.output.sizes))
    wanted = set().union(*(sympy.sympify(size).free_symbols for size in shape))
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
            f"no axis of the input is {names}, which {node.output} depends on; "
            f"bind {names} first",
        )
    return Sizes(shape, places)


def conv(layer: op.Conv, x: Shape) -> nn.Module:
    """Return the convolution along as many axes as the kernel has."""
    return spatial_ranks.CONV[len(layer.kernel)](
        as_int(x.channels),
        as_int(layer.channels),
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.dilation,
        as_int(layer.groups),
        layer.bias,
        layer.padding_mode,
    )


def conv_transpose(layer: op.ConvTranspose, x: Shape) -> nn.Module:
    """Return the transposed convolution along as many axes as the kernel has."""
    return spatial_ranks.CONV_TRANSPOSE[len(layer.kernel)](
        as_int(x.channels),
        as_int(layer.channels),
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.output_padding,
        as_int(layer.groups),
        layer.bias,
        layer.dilation,
    )


def linear(layer: op.Linear, x: Shape) -> nn.Module:
    """Return the linear layer of the last axis."""
    return nn.Linear(as_int(x.sizes[-1]), as_int(layer.features), layer.bias)


def batch_norm(layer: op.BatchNorm, x: Shape) -> nn.Module:
    """Return the normalization for as many axes as there are."""
    norm: nn.Module = spatial_ranks.BATCH_NORM[len(x.spatial)](
        as_int(x.channels), affine=layer.affine, track_running_stats=layer.running
    )
    if "training" in constants(layer):
        norm.__dict__["train"] = partial(modules.in_its_mode, norm)
    return norm


def instance_norm(layer: op.InstanceNorm, x: Shape) -> nn.Module:
    """Return the normalization for as many axes as there are."""
    norm: nn.Module = spatial_ranks.INSTANCE_NORM[len(x.spatial)](
        as_int(x.channels), affine=layer.affine
    )
    return norm


def softmax(layer: op.Softmax, x: Shape) -> nn.Module:  # noqa: ARG001 - of a table
    """Return the softmax, or its logarithm."""
    axis = as_int(layer.axis)
    return nn.LogSoftmax(axis) if layer.log else nn.Softmax(axis)


def pad(layer: op.Pad, x: Shape) -> nn.Module:
    """Return the padding of that mode; for feature maps it has a module."""
    before, after = ([*map(as_int, ends)] for ends in (layer.before, layer.after))
    axes = len(x.spatial)
    if len(before) == 1 and layer.mode == "constant" and not constants(layer):
        return modules.PadChannels(before[0], after[0])
    if axes not in AXES or before[0] or after[0]:
        if layer.mode != "constant":
            raise CostModelError(f"{layer}: PyTorch pads maps alone in that mode")
        return Function(arrange.pad, before=tuple(before), after=tuple(after))
    rest = [(0, 0)] * (1 + axes - len(before))
    ends = [*zip(before, after, strict=True), *rest][:0:-1]
    module: nn.Module = spatial_ranks.PAD[layer.mode][axes](
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
    "same": partial(Function, arrange.copy),
    # Where the axes and the distance are not recorded.
    "rolled": partial(Function, partial(torch.roll, shifts=1, dims=-1)),
    "flipped": partial(Function, partial(torch.flip, dims=(-1,))),
}

FUNCTIONS: dict[op.Operator, Callable[..., Any]] = {
    op.Arithmetic("add"): operator.add,
    op.Arithmetic("multiply"): operator.mul,
}
"""Operators that are functions of two operands, folded over more."""

NAMED: dict[op.Operator, Callable[..., Any]] = {
    op.Arithmetic("add"): torch.add,
    op.Arithmetic("multiply"): torch.mul,
}
"""The same by name, as code may write them."""


def _relu6(x: torch.Tensor) -> torch.Tensor:
    """Call the function, which PyTorch's module does not: it calls ``F.hardtanh``."""
    return nn.functional.relu6(x)


def _method(layer: Any) -> nn.Module | None:
    is_one = layer.row.is_module and hasattr(torch.Tensor, layer.function)
    return Function(getattr(torch, layer.function)) if is_one else None


METHODS: dict[type[op.Operator], Callable[[Any], nn.Module | None]] = {
    op.Pointwise: _method,
    op.Softmax: lambda o: Function(
        torch.log_softmax if o.log else torch.softmax, dim=as_int(o.axis)
    ),
    op.MatMul: lambda o: Function(operator.matmul),
}
"""Operators that tensors have as methods, or as signs, beside the functions."""


def written(layer: op.Operator, form: str, leaf: nn.Module) -> nn.Module:
    """Return a leaf in the form in which code writes it, as far as there is one.

    Where a tensor has no method, and for arithmetic, it stays a call of the function.
    """
    if form == "function" and layer == op.Pointwise("relu6"):
        return Function(_relu6)
    if form == "method" and type(layer) in METHODS:
        called = METHODS[type(layer)](layer)
        if called is not None:
            return called
    is_theirs = type(leaf).__module__.startswith("torch.nn.modules")
    return modules.subclass(leaf) if form != "module" and is_theirs else leaf


def joined(layer: op.Operator, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the function of all operands that an operator is, with their values."""
    if isinstance(layer, op.Concat):
        return torch.cat, (values, as_int(layer.axis))
    return None


ALIGNING = {op.MatMul, op.Einsum}
"""Operators that align axes, so that a stored operand may have no batch axis."""

REPEATING: dict[type[op.Operator], float] = {op.Concat: math.inf, op.Attention: 3}
"""The number of operands that need the same batch; stored ones are expanded to it."""

LEAVES: dict[type[op.Operator], Callable[..., nn.Module]] = {
    op.Conv: conv,
    op.TableConv2d: lambda o, x: modules.TableConv2d(o.table, o.kernel),
    op.Linear: linear,
    op.RadialBasis: lambda o, x: modules.RadialBasis(as_int(x.channels), o.features),
    op.BatchNorm: batch_norm,
    op.LocalResponseNorm: lambda o, x: nn.LocalResponseNorm(o.size, **o.defaults),
    op.Softmax: softmax,
    op.Identity: lambda o, x: nn.Identity(),
    op.Dropout: lambda o, x: nn.Dropout(o.percent / 100),
    op.MaxPool: lambda o, x: spatial_ranks.MAX_POOL[len(o.kernel)](
        o.kernel, o.stride, o.padding, o.dilation, ceil_mode=o.ceil_mode
    ),
    op.AvgPool: lambda o, x: spatial_ranks.AVG_POOL[len(o.kernel)](
        o.kernel, o.stride, o.padding, o.ceil_mode, o.count_include_pad
    ),
    op.Subsample2d: lambda o, x: modules.Subsample2d(as_int(x.channels), o.kernel),
    op.AdaptiveAvgPool: lambda o, x: spatial_ranks.ADAPTIVE_AVG_POOL[len(o.size)](
        o.size
    ),
    op.AdaptiveMaxPool: lambda o, x: spatial_ranks.ADAPTIVE_MAX_POOL[len(o.size)](
        o.size
    ),
    op.Flatten: lambda o, x: nn.Flatten(),
    op.Pad: pad,
    op.Zeros: lambda o, x: modules.Zeros(o.channels, o.stride),
    op.ChannelShuffle: lambda o, x: modules.ChannelShuffle(o.groups),
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
    op.ConvTranspose: conv_transpose,
    op.MatMul: lambda o, *x: products.MatMul(),
    op.Attention: lambda o, *x: products.Attention(),
    op.Einsum: lambda o, *x: products.Einsum(o.equation),
    op.Resize: lambda o, x: products.upsample(o.mode, o.scale, constants(o)),
}
"""Operators that are modules: from the operator and its input shapes."""

MODULES: dict[type[nn.Module], Callable[[Any], op.Operator]] = {
    modules.TableConv2d: lambda m: op.TableConv2d(
        m.table, tuple(m.maps[0].kernel_size)
    ),
    modules.Subsample2d: lambda m: op.Subsample2d(tuple(m.kernel)),
    modules.RadialBasis: lambda m: op.RadialBasis(m.weight.shape[0]),
    modules.Zeros: lambda m: op.Zeros(m.channels, tuple(m.stride)),
    modules.PadChannels: lambda m: op.Pad((m.before,), (m.after,)),
    modules.SelectChannels: lambda m: op.Slice(1, m.start, length=m.channels),
    modules.ChannelShuffle: lambda m: op.ChannelShuffle(m.groups),
    nn.ChannelShuffle: lambda m: op.ChannelShuffle(m.groups),
}
"""By their exact type: a subclass may do something else."""


def discover() -> None:
    """Import what registers modules for operators of other packages, once."""
    import_all("costmodel.torch")


def operator_of(module: nn.Module) -> op.Operator | None:
    """Return the operator of a module, if it is one; other PyTorch functions are run.

    Modules of elementwise functions may be ours, or another package's.
    """
    discover()
    if type(module) in MODULES:
        return MODULES[type(module)](module)
    layer = functions.pointwise_modules().get(type(module))
    return None if layer is None or layer.row.is_module else layer
