"""Every operator, each with its five facts: output, weights, tally, window and flow."""

from __future__ import annotations

from costmodel.network.operators.arithmetic import Binary, Pointwise, PReLU, Scalar
from costmodel.network.operators.arranging import (
    Copy,
    Expand,
    Permute,
    Repeat,
    Reshape,
)
from costmodel.network.operators.base import (
    Elementwise,
    Input,
    Normalization,
    Operator,
    Pair,
    Product,
    Rearrangement,
    Reduction,
    Source,
    Stateless,
    Weight,
    Weighted,
    Weights,
    Windowed,
    by,
    rule_for,
)
from costmodel.network.operators.convolutions import Conv1d, ConvTranspose2d
from costmodel.network.operators.folding import PixelShuffle, PixelUnshuffle, Unfold2d
from costmodel.network.operators.joining import (
    Add,
    ChannelShuffle,
    Concat,
    Flatten,
    Multiply,
    Zeros,
)
from costmodel.network.operators.normalizing import (
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    RMSNorm,
)
from costmodel.network.operators.padding import Pad
from costmodel.network.operators.parts import Crop, PadTo, Slice
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
from costmodel.network.operators.products import (
    Attention,
    Einsum,
    LastLinear,
    MatMul,
)
from costmodel.network.operators.reducing import Cumulate, Reduce
from costmodel.network.operators.resampling import Resize2d, Upsample2d
from costmodel.network.operators.stored import Derived, Opaque, Parameter
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
    "Attention",
    "AvgPool2d",
    "BatchNorm2d",
    "Binary",
    "ChannelShuffle",
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Copy",
    "Crop",
    "Cumulate",
    "Derived",
    "Dropout",
    "Einsum",
    "Elementwise",
    "Expand",
    "Flatten",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "Input",
    "InstanceNorm2d",
    "LastLinear",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MatMul",
    "MaxPool2d",
    "Multiply",
    "Normalization",
    "Opaque",
    "Operator",
    "PReLU",
    "Pad",
    "PadTo",
    "Pair",
    "Parameter",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "Pointwise",
    "Product",
    "RMSNorm",
    "RadialBasis",
    "ReLU",
    "ReLU6",
    "Rearrangement",
    "Reduce",
    "Reduction",
    "Repeat",
    "Reshape",
    "Resize2d",
    "Scalar",
    "ScaledTanh",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Source",
    "Stateless",
    "Subsample2d",
    "TableConv2d",
    "Tanh",
    "Unfold2d",
    "Upsample2d",
    "Weight",
    "Weighted",
    "Weights",
    "Windowed",
    "Zeros",
    "by",
    "rule_for",
]

OPERATORS: dict[str, type[Operator]] = {
    operator.kind: operator
    for operator in (
        Input, Conv2d, TableConv2d, Linear, RadialBasis, BatchNorm2d, LocalResponseNorm,
        ReLU, ReLU6, Sigmoid, SiLU, Tanh, ScaledTanh, HardSigmoid, HardSwish, HardTanh,
        Softmax, Identity, Dropout, MaxPool2d, AvgPool2d, Subsample2d,
        AdaptiveAvgPool2d, AdaptiveMaxPool2d, Add, Multiply, Concat, Flatten, Pad,
        Zeros,   ChannelShuffle,
        LastLinear, Conv1d, ConvTranspose2d, MatMul, Attention, Einsum, Upsample2d,
        Resize2d, Parameter, Derived, Opaque,
        Pointwise, Scalar, Binary, PReLU, LayerNorm, RMSNorm, GroupNorm, InstanceNorm2d,
        Reduce, Cumulate, Reshape, Permute, Expand, Repeat,  Slice, Crop, PadTo,
           Copy, Unfold2d, PixelShuffle, PixelUnshuffle,
    )
}  # fmt: skip
"""Every operator by its kind. A new one goes here; tests name what it still lacks."""
