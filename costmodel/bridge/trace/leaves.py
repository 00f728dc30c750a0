"""Modules that are one operator of ours, whatever their code does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from costmodel.bridge import modules, packages
from costmodel.bridge.functions import pointwise_modules
from costmodel.network import operators as op
from costmodel.network.operators import Operator


MODULES: dict[type[nn.Module], Callable[[Any], Operator]] = {
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


def operator_of(module: nn.Module) -> Operator | None:
    """Return what a module is, if it is one operator; functions of PyTorch's own run.

    Functions of each element may be modules of ours, or of another package.
    """
    packages.discover()
    if type(module) in MODULES:
        return MODULES[type(module)](module)
    layer = pointwise_modules().get(type(module))
    return None if layer is None or layer.row.is_module else layer
