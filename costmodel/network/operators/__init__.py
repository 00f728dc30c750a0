"""Every operator, each with its five facts: output, weights, tally, window and flow."""

from __future__ import annotations

from costmodel.network.operator import Operator, Pair, Sizes, Weight, Weights, Windows
from costmodel.network.operators.arithmetic import (
    ARITHMETIC,
    Arithmetic,
    Operation,
    PReLU,
    is_gated,
)
from costmodel.network.operators.base import (
    Elementwise,
    Normalization,
    Product,
    Rearrangement,
    Reduction,
    Source,
    Stateless,
    Weighted,
    Windowed,
    by,
    rule_for,
)
from costmodel.network.operators.functions import FUNCTIONS, Function, functions
from costmodel.network.operators.layers import Conv, Linear, RadialBasis, TableConv2d
from costmodel.network.operators.normalization import (
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
)
from costmodel.network.operators.pointwise import (
    BatchNorm,
    Dropout,
    Identity,
    LocalResponseNorm,
    Pointwise,
    Softmax,
)
from costmodel.network.operators.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    MaxPool,
    Pool,
    Subsample2d,
)
from costmodel.network.operators.products import Attention, Einsum, MatMul
from costmodel.network.operators.rearrangement.folding import (
    PixelShuffle,
    PixelUnshuffle,
    Unfold,
)
from costmodel.network.operators.rearrangement.joining import (
    ChannelShuffle,
    Concat,
    Flatten,
    Zeros,
)
from costmodel.network.operators.rearrangement.padding import Pad
from costmodel.network.operators.rearrangement.slices import Crop, PadTo, Slice
from costmodel.network.operators.rearrangement.views import (
    Copy,
    Expand,
    Permute,
    Repeat,
    Reshape,
)
from costmodel.network.operators.reduction import Cumulate, Reduce
from costmodel.network.operators.registering import (
    OPERATORS,
    operators,
    register_function,
    register_operator,
)
from costmodel.network.operators.resizing import Resize
from costmodel.network.operators.sources import Derived, Input, Opaque, Parameter
from costmodel.network.operators.transposed_convolution import ConvTranspose


__all__ = [
    "ARITHMETIC", "FUNCTIONS", "OPERATORS", "AdaptiveAvgPool", "AdaptiveMaxPool",
    "Arithmetic", "Attention", "AvgPool", "BatchNorm", "ChannelShuffle", "Concat",
    "Conv", "ConvTranspose", "Copy", "Crop", "Cumulate", "Derived", "Dropout",
    "Einsum", "Elementwise", "Expand", "Flatten", "Function", "GroupNorm",
    "Identity", "Input", "InstanceNorm", "LayerNorm", "Linear", "LocalResponseNorm",
    "MatMul", "MaxPool", "Normalization", "Opaque", "Operation", "Operator",
    "PReLU", "Pad", "PadTo", "Pair", "Parameter", "Permute", "PixelShuffle",
    "PixelUnshuffle", "Pointwise", "Pool", "Product", "RMSNorm", "RadialBasis",
    "Rearrangement", "Reduce", "Reduction", "Repeat", "Reshape", "Resize", "Sizes",
    "Slice", "Softmax", "Source", "Stateless", "Subsample2d", "TableConv2d",
    "Unfold", "Weight", "Weighted", "Weights", "Windowed", "Windows", "Zeros", "by",
    "functions", "is_gated", "operators", "register_function", "register_operator",
    "rule_for",
]  # fmt: skip

OPERATORS.update(
    (operator.kind, operator)
    for operator in (
        Input, Conv, TableConv2d, Linear, RadialBasis, BatchNorm, LocalResponseNorm,
        Pointwise, Arithmetic, PReLU, Softmax, Identity, Dropout,
        MaxPool, AvgPool, Subsample2d, AdaptiveAvgPool, AdaptiveMaxPool,
        Concat, Flatten, Pad, Zeros, ChannelShuffle,
        ConvTranspose, MatMul, Attention, Einsum, Resize,
        Parameter, Derived, Opaque, LayerNorm, RMSNorm, GroupNorm, InstanceNorm,
        Reduce, Cumulate, Reshape, Permute, Expand, Repeat, Slice, Crop, PadTo, Copy,
        Unfold, PixelShuffle, PixelUnshuffle,
    )
)  # fmt: skip
# A new one goes here; the tests say what it still lacks.
