"""The verbs that architectures are written in.

Verbs take and return values; shapes are inferred at once, so that an error's traceback
ends on the architecture's own line.
"""

from __future__ import annotations

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, exact_div
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.enlarging import conv_transpose, upsample
from costmodel.network.shape import Shape
from costmodel.network.sizes import Size, axes_of, half, pair, sizes
from costmodel.network.tokens import (
    attention,
    group_norm,
    instance_norm,
    last_linear,
    layer_norm,
    matmul,
    parameter,
    permute,
    reshape,
    rms_norm,
    scale,
)
from costmodel.network.value import (
    Value,
    apply,
    common,
    image,
    network,
    scope,
    volume,
)


def conv(
    x: Value,
    channels: Dim,
    kernel: Size,
    stride: Size = 1,
    padding: Size | None = None,
    dilation: Size = 1,
    groups: Dim = 1,
    *,
    bias: bool = True,
    padding_mode: str = "zeros",
    name: str | None = None,
) -> Value:
    """Convolve. Padding is by default d(k−1)/2, which keeps the size at stride 1."""
    given = {"kernel": kernel, "stride": stride, "dilation": dilation}
    k, s, d = sizes(x, "conv", name, **given)
    if padding is None:
        p = half(k, d, "conv", name)
    else:
        (p,) = sizes(x, "conv", name, padding=padding)
    fields = (channels, k, s, p, d, groups, bias, padding_mode)
    return apply(op.Conv, [x], name, *fields)


def depthwise(
    x: Value,
    kernel: Size,
    stride: Size = 1,
    padding: Size | None = None,
    *,
    bias: bool = True,
    name: str | None = None,
) -> Value:
    """Convolve every channel by itself: as many groups as channels."""
    common((x,), "depthwise conv")
    channels = x.channels
    return conv(
        x, channels, kernel, stride, padding, groups=channels, bias=bias, name=name
    )


def conv_bn_relu(
    x: Value,
    channels: Dim,
    kernel: Size,
    stride: Size = 1,
    padding: Size | None = None,
    groups: Dim = 1,
) -> Value:
    """Convolve without bias, then batch normalization and ReLU."""
    x = conv(x, channels, kernel, stride, padding, groups=groups, bias=False)
    return relu(batch_norm(x))


def depthwise_bn_relu(
    x: Value, kernel: Size, stride: Size = 1, padding: Size | None = None
) -> Value:
    """Convolve each channel by itself, then batch normalization and ReLU."""
    return relu(batch_norm(depthwise(x, kernel, stride, padding, bias=False)))


def table_conv(
    x: Value,
    table: tuple[tuple[int, ...], ...],
    kernel: Size,
    *,
    name: str | None = None,
) -> Value:
    """Convolve, each map over the input maps that its row of the table lists."""
    return apply(op.TableConv2d, [x], name, table, pair(kernel))


def linear(
    x: Value, features: Dim, *, bias: bool = True, name: str | None = None
) -> Value:
    """Connect fully; a map of 1×1 positions is flattened first."""
    common((x,), "linear")
    one = Extent(1)
    if x.shape.spatial and all(extent == one for extent in x.shape.spatial):
        x = flatten(x)
    return apply(op.Linear, [x], name, features, bias, check=_require_vector)


def radial_basis(x: Value, features: Dim, *, name: str | None = None) -> Value:
    """Measure squared distances to fixed codes."""
    return apply(op.RadialBasis, [x], name, features)


def max_pool(
    x: Value,
    kernel: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    *,
    ceil_mode: bool = False,
    name: str | None = None,
) -> Value:
    """Take the largest under each window; the stride is by default the kernel."""
    step = kernel if stride is None else stride
    given = {"kernel": kernel, "stride": step, "padding": padding, "dilation": dilation}
    return apply(op.MaxPool, [x], name, *sizes(x, "max_pool", name, **given), ceil_mode)


def avg_pool(
    x: Value,
    kernel: Size,
    stride: Size | None = None,
    padding: Size = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    name: str | None = None,
) -> Value:
    """Take the mean under each window; the stride is by default the kernel."""
    step = kernel if stride is None else stride
    given = sizes(x, "avg_pool", name, kernel=kernel, stride=step, padding=padding)
    return apply(op.AvgPool, [x], name, *given, ceil_mode, count_include_pad)


def global_average_pool(x: Value, *, name: str | None = None) -> Value:
    """Take the mean of each map."""
    return apply(op.AdaptiveAvgPool, [x], name, (1,) * axes_of(x))


def adaptive_avg_pool(x: Value, size: Size, *, name: str | None = None) -> Value:
    """Take means over windows that adapt to give ``size``."""
    return apply(op.AdaptiveAvgPool, [x], name, *sizes(x, "avg_pool", name, size=size))


def adaptive_max_pool(x: Value, size: Size, *, name: str | None = None) -> Value:
    """Take the largest over windows that adapt to give ``size``."""
    return apply(op.AdaptiveMaxPool, [x], name, *sizes(x, "max_pool", name, size=size))


def subsample(x: Value, kernel: Size = 2, *, name: str | None = None) -> Value:
    """Sum each window, times a learned coefficient, plus a learned bias."""
    return apply(op.Subsample2d, [x], name, pair(kernel))


def batch_norm(
    x: Value, *, affine: bool = True, running: bool = True, name: str | None = None
) -> Value:
    """Normalize each channel, by running statistics or by the batch's own."""
    return apply(op.BatchNorm, [x], name, affine, running)


def local_response_norm(x: Value, size: Dim = 5, *, name: str | None = None) -> Value:
    """Normalize over neighbouring channels."""
    return apply(op.LocalResponseNorm, [x], name, size)


def relu(x: Value, *, name: str | None = None) -> Value:
    """max(x, 0)."""
    return activation(x, "relu", name=name)


def activation(x: Value, kind: str, *, name: str | None = None) -> Value:
    """Apply a function of each element by its name, such as relu6, gelu or softsign."""
    if str(kind) not in op.functions():
        known = ", ".join(sorted(op.functions()))
        raise CostModelError(f"activation {kind!r}: known are {known}")
    common((x,), kind)
    return apply(op.Pointwise, [x], name, kind)


def require(condition: object, problem: str) -> None:
    """Refuse options that do not go together, in an architecture's own words."""
    if not condition:
        raise CostModelError(problem)


def softmax(
    x: Value, axis: Dim = 1, *, log: bool = False, name: str | None = None
) -> Value:
    """Normalize exponentials along an axis, by default over channels."""
    return apply(op.Softmax, [x], name, axis, log)


def dropout(x: Value, percent: Dim = 50, *, name: str | None = None) -> Value:
    """Drop elements at random while training."""
    return apply(op.Dropout, [x], name, percent)


def identity(x: Value, *, name: str | None = None) -> Value:
    """Name a value again."""
    return apply(op.Identity, [x], name)


def add(*values: Value, name: str | None = None) -> Value:
    """Add values of one shape."""
    common(values, "add")
    return apply(op.Arithmetic, [*values], name, "add", check=_require_one_shape)


def multiply(x: Value, gate: Value, *, name: str | None = None) -> Value:
    """Multiply two values of as many axes, repeating sizes of 1."""
    common((x, gate), "multiply")
    return apply(op.Arithmetic, [x, gate], name, "multiply", check=_require_one_rank)


def _require_vector(x: Shape) -> None:
    """Refuse a feature map, whose last axis is its width."""
    if x.spatial:
        raise CostModelError(
            f"needs a vector, got the feature map {x}; flatten it first"
        )


def _require_one_shape(first: Shape, *others: Shape) -> None:
    """Refuse a shortcut of another shape, which PyTorch would repeat to fit."""
    for other in others:
        if not first.same_as(other):
            raise CostModelError(
                f"operands differ: {first} and {other}; does the shortcut need a "
                "projection?"
            )


def _require_one_rank(x: Shape, gate: Shape) -> None:
    """Refuse a gate of other axes: at the last one, channels would meet a width."""
    if len(x.spatial) != len(gate.spatial):
        raise CostModelError(f"shapes do not broadcast: {x} and {gate}")


def concat(*values: Value, axis: Dim = 1, name: str | None = None) -> Value:
    """Stack values along an axis, by default by channels."""
    return apply(op.Concat, [*values], name, axis)


def flatten(x: Value, *, name: str | None = None) -> Value:
    """Make one vector of a feature map."""
    return apply(op.Flatten, [x], name)


def pad(
    x: Value,
    before: Size,
    after: Size,
    *,
    mode: str = "constant",
    name: str | None = None,
) -> Value:
    """Put zeros around a feature map; below zero, take so much away instead."""
    first, last = sizes(x, "pad", name, before=before, after=after)
    return apply(op.Pad, [x], name, (0, *first), (0, *last), mode)


def zeros(
    x: Value, channels: Dim, stride: Size = 1, *, name: str | None = None
) -> Value:
    """Put zeros in the place of a feature map: no connection."""
    return apply(op.Zeros, [x], name, channels, *sizes(x, "zeros", name, stride=stride))


def pad_channels(
    x: Value, before: Dim, after: Dim, *, name: str | None = None
) -> Value:
    """Put channels of zeros before the first and after the last one."""
    return apply(op.Pad, [x], name, (before,), (after,), stem="pad_channels")


def select_channels(
    x: Value, start: Dim, channels: Dim, *, name: str | None = None
) -> Value:
    """Take so many channels in a row, the first of them number ``start``."""
    return apply(op.Slice, [x], name, 1, start, 0, channels, stem="split")


def split(x: Value, parts: int = 2) -> tuple[Value, ...]:
    """Cut the channels into equal parts, the first ones first."""
    common((x,), "split")
    if type(parts) is not int or parts < 1:
        raise CostModelError(f"split: parts {parts!r} is no positive integer")
    try:
        size = exact_div(x.channels, parts)
    except CostModelError:
        raise CostModelError(
            f"split: {parts} parts do not divide the {x.channels} channels of {x}"
        ) from None
    return tuple(select_channels(x, part * size, size) for part in range(parts))


def channel_shuffle(x: Value, groups: Dim, *, name: str | None = None) -> Value:
    """Deal the channels out over the groups."""
    return apply(op.ChannelShuffle, [x], name, groups)


__all__ = [
    "Size", "Value", "activation", "adaptive_avg_pool", "adaptive_max_pool", "add",
    "attention", "avg_pool", "batch_norm", "channel_shuffle", "concat", "conv",
    "conv_bn_relu", "conv_transpose", "depthwise", "depthwise_bn_relu", "dropout",
    "flatten", "global_average_pool", "group_norm", "identity", "image",
    "instance_norm", "last_linear", "layer_norm", "linear", "local_response_norm",
    "matmul", "max_pool", "multiply", "network", "pad", "pad_channels", "parameter",
    "permute", "radial_basis", "relu", "require", "reshape", "rms_norm", "scale",
    "scope", "select_channels", "softmax", "split", "subsample", "table_conv",
    "upsample", "volume", "zeros",
]  # fmt: skip
