"""Classes of kernels: kernels similar enough to share four coefficients.

A class is the kernel that the framework really picks, not the layer that was written:
a convolution is another class where PyTorch runs it by matrix multiplication.
"""

from __future__ import annotations


KINDS: dict[str, str] = {
    "conv": "multiply–accumulates, channels rounded up",
    "stem_conv": "multiply–accumulates of few input channels, the others rounded up",
    "pointwise_conv": "multiply–accumulates, channels rounded up",
    "depthwise_conv": "multiply–accumulates, channels rounded up",
    "grouped_conv": "multiply–accumulates, more where vectors are narrow",
    "uneven_grouped_conv": "multiply–accumulates",
    "conv_native": "multiply–accumulates",
    "pointwise_conv_native": "multiply–accumulates",
    "grouped_conv_native": "multiply–accumulates",
    "transposed_conv": "multiply–accumulates",
    "gemm": "multiply–accumulates",
    "gemv": "multiply–accumulates",
    "matmul": "multiply–accumulates",
    "attention": "multiply–accumulates",
    "max_pool": "elements under windows",
    "avg_pool": "elements under windows",
    "global_pool": "elements reduced",
    "batch_norm": "elements",
    "local_response_norm": "elements",
    "layer_norm": "elements",
    "group_norm": "elements",
    "softmax": "elements",
    "relu": "elements",
    "clamp": "elements",
    "silu": "elements",
    "gelu": "elements",
    "hardswish": "elements",
    "hardsigmoid": "elements",
    "sigmoid": "elements",
    "tanh": "elements",
    "add": "elements",
    "multiply": "elements",
    "pointwise": "elements",
    "fused": "elements, once per operator",
    "concat": "elements",
    "pad": "elements",
    "upsample": "elements",
    "copy": "elements",
}
"""Every class with the unit of its work. Native: im2col and a matrix product."""

SUBSTITUTES: dict[str, str] = {
    "stem_conv": "conv",
    "conv_native": "conv",
    "pointwise_conv_native": "pointwise_conv",
    "grouped_conv_native": "uneven_grouped_conv",
    "uneven_grouped_conv": "grouped_conv",
    "pointwise_conv": "conv",
    "grouped_conv": "conv",
    "depthwise_conv": "grouped_conv",
    "transposed_conv": "conv",
    "matmul": "gemm",
    "attention": "gemm",
    "gemm": "pointwise_conv_native",
    "avg_pool": "max_pool",
    "group_norm": "layer_norm",
    "layer_norm": "batch_norm",
    "clamp": "relu",
    "hardswish": "silu",
    "hardsigmoid": "sigmoid",
    "tanh": "sigmoid",
    "pad": "copy",
    "concat": "copy",
    "fused": "relu",
    "pointwise": "relu",
}
"""The class that stands in where a profile has none of a kernel's own: a guess.

What a stand-in costs counts as unmodelled. A kind without one, or whose stand-ins are
all missing, goes to ``copy``.
"""
