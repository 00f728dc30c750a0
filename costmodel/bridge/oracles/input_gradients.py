"""The support of input gradients: the input elements that a position depends on.

A module is made linear and positive: weights are positive, biases zero, activations
and normalizations the identity, max pooling an average. Then no contributions cancel,
and the gradient of a position is positive exactly on its support.
Nothing here uses our formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import nn

from costmodel.bridge.compile import (
    arrangements,
    compile,  # noqa: A004
    functions,
    modules,
    products,
    spatial_ranks,
)
from costmodel.bridge.compile.arrangements import Function, Sized
from costmodel.bridge.compile.leaf_table import discover
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network


def gradient_support(
    network: Network, layer: str, position: tuple[int, ...] | torch.Tensor | None = None
) -> torch.Tensor:
    """Return where ∂(Σ channels of a position)/∂(input) is not zero.

    The result has the axes of the bound network's input, ``channels × height × width``;
    without a position, all of the layer's elements are summed, and those that are true
    in a Boolean tensor of the layer's shape, if one is given.
    """
    module = _positive(compile(replace(network, outputs=(layer,))))
    with torch.no_grad():
        for tensor in (
            *module.parameters(recurse=False),
            *module.buffers(recurse=False),
        ):
            tensor.fill_(1)  # stored operands
    size = tuple(int(n) for n in network.inputs[0].output.sizes)
    image = torch.ones((1, *size), dtype=torch.float64, requires_grad=True)
    output = module.double().requires_grad_(requires_grad=False)(image)
    if isinstance(position, torch.Tensor):
        chosen = output[:, position]
    else:
        chosen = output if position is None else output[:, :, *position]
    if not output.requires_grad:  # computed from zeros alone
        return torch.zeros(size, dtype=torch.bool)
    (gradient,) = torch.autograd.grad(chosen.sum(), image)
    if not torch.isfinite(gradient).all():
        raise CostModelError(f'gradient of "{layer}": not finite')
    return gradient[0] != 0


class WindowSum(nn.Module):
    """The sum under each window of a pooling layer, dilation and ceil_mode included."""

    def __init__(self, pool: Any) -> None:
        """Keep the pooling layer, from which PyTorch gives the number of windows."""
        super().__init__()
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × channels`` with as many positions as the pool has."""
        pool, channels = self.pool, x.shape[1]
        kernel, stride, padding, dilation = (
            value if isinstance(value, tuple) else (value,) * (x.dim() - 2)
            for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        )
        sides = pool(x.detach()).shape[2:]
        ones = torch.ones((channels, 1, *kernel), dtype=x.dtype)
        more = [s + d * (k - 1) for k, s, d in zip(kernel, stride, dilation)]
        ends = [(p, p + m) for p, m in zip(padding, more, strict=True)]
        padded = nn.functional.pad(x, [n for both in reversed(ends) for n in both])
        convolve = (
            nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d
        )[len(kernel) - 1]  # fmt: skip
        sums = convolve(padded, ones, None, stride, 0, dilation, groups=channels)
        return sums[:, :, *map(slice, sides)] / prod(kernel)


class ChannelMean(nn.Module):
    """The mean over neighbouring channels, for local response normalization."""

    def __init__(self, norm: nn.LocalResponseNorm) -> None:
        """Keep the number of neighbours."""
        super().__init__()
        self.size = norm.size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × channels × height × width``."""
        n = self.size
        positions = (0, 0) * (x.dim() - 2)
        padded = nn.functional.pad(x, (*positions, n // 2, (n - 1) // 2))
        return padded.unfold(1, n, 1).mean(dim=-1)


class AllChannels(nn.Module):
    """The mean of all channels in each channel, for a softmax or a set of codes."""

    def __init__(self, channels: int | None = None) -> None:
        """Keep the number of output channels; by default that of the input."""
        super().__init__()
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × channels × …``."""
        many = x.shape[1] if self.channels is None else self.channels
        return x.mean(dim=1, keepdim=True).expand(-1, many, *x.shape[2:])


def _positive(module: nn.Module) -> nn.Module:
    """Return a compiled module with every leaf replaced by a positive linear one."""
    discover()
    positive = dict.fromkeys(functions.pointwise_modules(), _identity) | POSITIVE
    for name, child in module.named_children():
        if type(child) is nn.Module or isinstance(child, nn.ModuleList):
            _positive(child)  # a scope, or a layer's own parts
            continue
        if type(child) not in positive:
            raise CostModelError(
                f"{type(child).__name__}: gradients.py has no positive linear form"
            )
        setattr(module, name, positive[type(child)](child))
    return module


def _averaging(layer: Any) -> nn.Module:
    """Give each output the mean of its taps, which is positive and bounded."""
    with torch.no_grad():
        layer.weight.fill_(1 / layer.weight[0].numel())
        if layer.bias is not None:
            layer.bias.zero_()
    return layer


def _averaging_maps(layer: modules.TableConv2d) -> nn.Module:
    for each in layer.maps:
        _averaging(each)
    return layer


class Mean(nn.Module):
    """The mean over some axes at each element, for a normalization."""

    def __init__(self, axes: Callable[[torch.Tensor], tuple[int, ...]]) -> None:
        """Keep which axes, by the tensor."""
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tensor's own shape."""
        return x.mean(dim=self.axes(x), keepdim=True).expand_as(x)


def _last_axes(layer: nn.LayerNorm | nn.RMSNorm) -> nn.Module:
    last = tuple(range(-len(layer.normalized_shape), 0))
    return Mean(lambda _: last)


class GroupMean(nn.Module):
    """The mean over the channels of a group, and over all positions."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        """Keep the number of groups."""
        super().__init__()
        self.groups = norm.num_groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tensor's own shape."""
        grouped = x.reshape(x.shape[0], self.groups, -1)
        return grouped.mean(dim=2, keepdim=True).expand_as(grouped).reshape(x.shape)


def _function(layer: Function) -> nn.Module:
    """Keep moves, replace functions of two operands by sums, reductions by means."""
    if layer.function in MOVES:
        return layer
    if layer.function in functions.REDUCTIONS.values():
        return Function(torch.mean, **layer.fixed)
    is_pair = layer.function in _PAIRS and not layer.fixed
    return Function(torch.add) if is_pair else nn.Identity()


class Scores(nn.Module):
    """Attention without its softmax, which every score is part of."""

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """Return …×L×V of …×L×E, …×S×E and …×S×V."""
        scores = query.mean(-1, keepdim=True) + key.mean(-1).unsqueeze(-2)
        scores = scores if mask is None else scores + mask
        return torch.matmul(scores, value) / value.shape[-2]


MOVES = {arrangements.part, arrangements.without_ends, arrangements.pad,
         torch.permute, torch.clone, torch.cumsum}  # fmt: skip
"""Functions that are linear and positive already."""

_PAIRS = {functions.named(row.torch) for row in op.ARITHMETIC.values() if row.torch}


def _averaging_pool(kind: Callable[..., Any]) -> Callable[[Any], nn.Module]:
    return lambda layer: kind(layer.output_size)


def _identity(_layer: nn.Module) -> nn.Module:
    return nn.Identity()


def _upsampling(layer: nn.Upsample) -> nn.Module:
    if layer.mode == "bicubic":
        raise CostModelError("Upsample: the weights of bicubic are not positive")
    return layer


def _itself(layer: nn.Module) -> nn.Module:
    """Return a module that is linear and positive already."""
    return layer


POSITIVE: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    **dict.fromkeys((
        *spatial_ranks.CONV.values(), *spatial_ranks.CONV_TRANSPOSE.values(), nn.Linear,
    ), _averaging),
    **dict.fromkeys((
        *spatial_ranks.BATCH_NORM.values(), nn.Dropout, nn.PReLU,
    ), _identity),
    **dict.fromkeys((
        *spatial_ranks.AVG_POOL.values(), *spatial_ranks.ADAPTIVE_AVG_POOL.values(),
        *(pad for kind in spatial_ranks.PAD.values() for pad in kind.values()),
        nn.Identity, nn.Flatten, modules.Subsample2d, modules.Zeros,
        modules.PadChannels, modules.SelectChannels, modules.ChannelShuffle,
        nn.PixelShuffle, nn.PixelUnshuffle, nn.Unfold, Sized, products.MatMul,
        products.Einsum,
    ), _itself),
    products.Attention: lambda _: Scores(),
    nn.Upsample: _upsampling,
    Function: _function,
    nn.LayerNorm: _last_axes,
    nn.RMSNorm: _last_axes,
    nn.GroupNorm: GroupMean,
    **dict.fromkeys(
        spatial_ranks.INSTANCE_NORM.values(),
        lambda _: Mean(lambda x: tuple(range(2, x.dim()))),
    ),
    **dict.fromkeys(spatial_ranks.MAX_POOL.values(), WindowSum),
    **{
        kind: _averaging_pool(spatial_ranks.ADAPTIVE_AVG_POOL[axes])
        for axes, kind in spatial_ranks.ADAPTIVE_MAX_POOL.items()
    },
    nn.LocalResponseNorm: ChannelMean,
    nn.Softmax: lambda layer: Mean(lambda _: (layer.dim,)),
    nn.LogSoftmax: lambda layer: Mean(lambda _: (layer.dim,)),
    modules.RadialBasis: lambda layer: AllChannels(len(layer.weight)),
    modules.TableConv2d: _averaging_maps,
}  # fmt: skip
"""Positive linear forms by a leaf's exact type. A leaf without one is an error.

Modules of elementwise functions are not listed: they become the identity.
"""
