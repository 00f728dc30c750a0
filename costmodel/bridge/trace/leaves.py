"""Modules that are one operator of ours, whatever their code does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from costmodel.bridge import modules
from costmodel.network import operators as op
from costmodel.network.operators import Operator


MODULES: dict[type[nn.Module], Callable[[Any], Operator]] = {
    modules.TableConv2d: lambda m: op.TableConv2d(
        m.table, tuple(m.maps[0].kernel_size)
    ),
    modules.Subsample2d: lambda m: op.Subsample2d(tuple(m.kernel)),
    modules.RadialBasis: lambda m: op.RadialBasis(m.weight.shape[0]),
    modules.ScaledTanh: lambda _: op.ScaledTanh(),
    modules.Zeros: lambda m: op.Zeros(m.channels, tuple(m.stride)),
    modules.ChannelShuffle: lambda m: op.ChannelShuffle(m.groups),
    nn.ChannelShuffle: lambda m: op.ChannelShuffle(m.groups),
}
"""By their exact type: a subclass may do something else."""
