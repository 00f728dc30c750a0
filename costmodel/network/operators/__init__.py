"""Every operator, each with its four facts: output, weights, tally and window."""

from __future__ import annotations

from costmodel.network.operators.base import (
    Input,
    Operator,
    Pair,
    Weight,
    Weights,
    by,
)
from costmodel.network.operators.joining import (
    Add,
    ChannelShuffle,
    Concat,
    Flatten,
    Multiply,
    Pad2d,
    PadChannels,
    SelectChannels,
    Zeros,
)
from costmodel.network.operators.pointwise import (
    Activation,
    BatchNorm2d,
    Dropout,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Identity,
    LocalResponseNorm,
    ReLU,
    ReLU6,
    ScaledTanh,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from costmodel.network.operators.pooling import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    MaxPool2d,
    Subsample2d,
)
from costmodel.network.operators.weighted import (
    Conv2d,
    Linear,
    RadialBasis,
    TableConv2d,
)


__all__ = [
    "OPERATORS",
    "Activation",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "Add",
    "AvgPool2d",
    "BatchNorm2d",
    "ChannelShuffle",
    "Concat",
    "Conv2d",
    "Dropout",
    "Flatten",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "Input",
    "Linear",
    "LocalResponseNorm",
    "MaxPool2d",
    "Multiply",
    "Operator",
    "Pad2d",
    "PadChannels",
    "Pair",
    "RadialBasis",
    "ReLU",
    "ReLU6",
    "ScaledTanh",
    "SelectChannels",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Subsample2d",
    "TableConv2d",
    "Tanh",
    "Weight",
    "Weights",
    "Zeros",
    "by",
]

OPERATORS: dict[str, type[Operator]] = {
    operator.kind: operator
    for operator in (
        Input, Conv2d, TableConv2d, Linear, RadialBasis, BatchNorm2d, LocalResponseNorm,
        ReLU, ReLU6, Sigmoid, SiLU, Tanh, ScaledTanh, HardSigmoid, HardSwish, HardTanh,
        Softmax, Identity, Dropout, MaxPool2d, AvgPool2d, Subsample2d,
        AdaptiveAvgPool2d, AdaptiveMaxPool2d, Add, Multiply, Concat, Flatten, Pad2d,
        Zeros, PadChannels, SelectChannels, ChannelShuffle,
    )
}  # fmt: skip
"""Every operator by its kind. A new one goes here; tests name what it still lacks."""
