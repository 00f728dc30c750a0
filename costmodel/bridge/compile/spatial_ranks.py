"""PyTorch's modules for one, two and three spatial axes."""

from __future__ import annotations

from typing import Any, TypeAlias

from torch import nn


ByRank: TypeAlias = dict[int, type[Any]]
"""A module's class by the number of spatial axes of its input."""

CONV: ByRank = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE: ByRank = {
    1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d
}  # fmt: skip
MAX_POOL: ByRank = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG_POOL: ByRank = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE_AVG_POOL: ByRank = {
    1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d
}  # fmt: skip
ADAPTIVE_MAX_POOL: ByRank = {
    1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d
}  # fmt: skip
BATCH_NORM: ByRank = {
    0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d
}  # fmt: skip
INSTANCE_NORM: ByRank = {
    1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d
}  # fmt: skip
PAD: dict[str, ByRank] = {
    "constant": {1: nn.ZeroPad1d, 2: nn.ZeroPad2d, 3: nn.ZeroPad3d},
    "reflect": {1: nn.ReflectionPad1d, 2: nn.ReflectionPad2d, 3: nn.ReflectionPad3d},
    "replicate": {
        1: nn.ReplicationPad1d, 2: nn.ReplicationPad2d, 3: nn.ReplicationPad3d
    },
    "circular": {1: nn.CircularPad1d, 2: nn.CircularPad2d, 3: nn.CircularPad3d},
}  # fmt: skip
"""By the mode of :class:`costmodel.network.operators.Pad`."""
