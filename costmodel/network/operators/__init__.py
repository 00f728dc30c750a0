"""Every operator, each with its four facts: output, weights, tally and window."""

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
    Sizes,
    Source,
    Stateless,
    Weight,
    Weighted,
    Weights,
    Windowed,
    Windows,
    by,
    rule_for,
)
from costmodel.network.operators.convolutions import ConvTranspose
from costmodel.network.operators.folding import PixelShuffle, PixelUnshuffle, Unfold
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
    InstanceNorm,
    LayerNorm,
    RMSNorm,
)
from costmodel.network.operators.padding import Pad
from costmodel.network.operators.parts import Crop, PadTo, Slice
from costmodel.network.operators.pointwise import (
    Activation,
    BatchNorm,
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
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    MaxPool,
    Subsample2d,
)
from costmodel.network.operators.products import (
    Attention,
    Einsum,
    LastLinear,
    MatMul,
)
from costmodel.network.operators.reducing import Cumulate, Reduce
from costmodel.network.operators.resampling import Resize
from costmodel.network.operators.stored import Derived, Opaque, Parameter
from costmodel.network.operators.weighted import (
    Conv,
    Linear,
    RadialBasis,
    TableConv2d,
)


__all__ = [
    "OPERATORS",
    "Activation",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "Add",
    "Attention",
    "AvgPool",
    "BatchNorm",
    "Binary",
    "ChannelShuffle",
    "Concat",
    "Conv",
    "ConvTranspose",
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
    "InstanceNorm",
    "LastLinear",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MatMul",
    "MaxPool",
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
    "Resize",
    "Scalar",
    "ScaledTanh",
    "SiLU",
    "Sigmoid",
    "Sizes",
    "Slice",
    "Softmax",
    "Source",
    "Stateless",
    "Subsample2d",
    "TableConv2d",
    "Tanh",
    "Unfold",
    "Weight",
    "Weighted",
    "Weights",
    "Windowed",
    "Windows",
    "Zeros",
    "by",
    "rule_for",
]

OPERATORS: dict[str, type[Operator]] = {
    operator.kind: operator
    for operator in (
        Input, Conv, TableConv2d, Linear, RadialBasis, BatchNorm, LocalResponseNorm,
        ReLU, ReLU6, Sigmoid, SiLU, Tanh, ScaledTanh, HardSigmoid, HardSwish, HardTanh,
        Softmax, Identity, Dropout, MaxPool, AvgPool, Subsample2d,
        AdaptiveAvgPool, AdaptiveMaxPool, Add, Multiply, Concat, Flatten, Pad,
        Zeros, ChannelShuffle,
        LastLinear, ConvTranspose, MatMul, Attention, Einsum, Resize,
        Parameter, Derived, Opaque,
        Pointwise, Scalar, Binary, PReLU, LayerNorm, RMSNorm, GroupNorm, InstanceNorm,
        Reduce, Cumulate, Reshape, Permute, Expand, Repeat, Slice, Crop, PadTo,
        Copy, Unfold, PixelShuffle, PixelUnshuffle,
    )
}  # fmt: skip
"""Every operator by its kind. A new one goes here; tests name what it still lacks."""
