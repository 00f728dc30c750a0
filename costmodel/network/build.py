"""The verbs, functions that append operators, in which architectures are written.

Verbs take and return values; shapes are inferred at once, so that an error's traceback
ends on the architecture's own line. Every operator has one. Most are made from its
class; those here choose a default padding or stride, flatten, refuse more than the
operator does, or are a pattern of several operators.
"""

from __future__ import annotations

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, exact_div
from costmodel.errors import CostModelError, known_are
from costmodel.network import operators as op
from costmodel.network.building.builder import (
    Value,
    apply,
    common,
    image,
    network,
    scope,
    sequence,
    volume,
)
from costmodel.network.building.sizes import Size, axes_of, half, sizes
from costmodel.network.building.tensors import (
    attention,
    last_linear,
    parameter,
    reshape,
    scale,
)
from costmodel.network.building.verb import verb
from costmodel.network.shape import Shape


arithmetic = verb(op.Arithmetic)
batch_norm = verb(op.BatchNorm)
channel_shuffle = verb(op.ChannelShuffle)
concat = verb(op.Concat)
conv_transpose = verb(op.ConvTranspose)
copy = verb(op.Copy)
crop = verb(op.Crop)
cumulate = verb(op.Cumulate)
dropout = verb(op.Dropout)
einsum = verb(op.Einsum)
expand = verb(op.Expand)
flatten = verb(op.Flatten)
group_norm = verb(op.GroupNorm)
identity = verb(op.Identity)
instance_norm = verb(op.InstanceNorm)
layer_norm = verb(op.LayerNorm)
local_response_norm = verb(op.LocalResponseNorm)
matmul = verb(op.MatMul)
pad_axes = verb(op.Pad, called="pad_axes")
pad_to = verb(op.PadTo)
part = verb(op.Slice, called="part")
permute = verb(op.Permute)
pixel_shuffle = verb(op.PixelShuffle)
pixel_unshuffle = verb(op.PixelUnshuffle)
pointwise = verb(op.Pointwise)
prelu = verb(op.PReLU)
radial_basis = verb(op.RadialBasis)
reduce = verb(op.Reduce)
repeat = verb(op.Repeat)
resize = verb(op.Resize)
rms_norm = verb(op.RMSNorm)
softmax = verb(op.Softmax)
subsample = verb(op.Subsample2d)
table_conv = verb(op.TableConv2d)
unfold = verb(op.Unfold)
zeros = verb(op.Zeros)

RENAMED = {"pad": "pad_axes", "slice": "part"}
"""The verbs whose name differs from their operator's kind.

``pad`` is along spatial axes alone; a ``slice`` is Python's.
"""


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


def linear(
    x: Value, features: Dim, *, bias: bool = True, name: str | None = None
) -> Value:
    """Connect fully; a feature map of 1×1 positions is flattened first."""
    common((x,), "linear")
    one = Extent(1)
    if x.shape.spatial and all(extent == one for extent in x.shape.spatial):
        x = flatten(x)
    return apply(op.Linear, [x], name, features, bias, check=_require_vector)


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
    """Take the maximum over each window; the stride is by default the kernel."""
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
    """Take the mean over each window; the stride is by default the kernel."""
    step = kernel if stride is None else stride
    given = sizes(x, "avg_pool", name, kernel=kernel, stride=step, padding=padding)
    return apply(op.AvgPool, [x], name, *given, ceil_mode, count_include_pad)


def upsample(
    x: Value, scale: Size = 2, mode: str = "nearest", *, name: str | None = None
) -> Value:
    """Enlarge a feature map by whole factors: nearest, bilinear, bicubic or area.

    A sequence takes linear, a volume trilinear in place of bilinear and bicubic.

    >>> from costmodel.network.build import image
    >>> print(upsample(image()).shape)
    3×2*H×2*W
    """
    return apply(op.Resize, [x], name, mode, *sizes(x, "upsample", name, scale=scale))


def global_average_pool(x: Value, *, name: str | None = None) -> Value:
    """Take the mean of each channel over all positions."""
    return apply(op.AdaptiveAvgPool, [x], name, (1,) * axes_of(x))


def adaptive_avg_pool(x: Value, size: Size, *, name: str | None = None) -> Value:
    """Take means over windows that adapt so that the output has ``size``."""
    return apply(op.AdaptiveAvgPool, [x], name, *sizes(x, "avg_pool", name, size=size))


def adaptive_max_pool(x: Value, size: Size, *, name: str | None = None) -> Value:
    """Take maxima over windows that adapt so that the output has ``size``."""
    return apply(op.AdaptiveMaxPool, [x], name, *sizes(x, "max_pool", name, size=size))


def relu(x: Value, *, name: str | None = None) -> Value:
    """max(x, 0)."""
    return activation(x, "relu", name=name)


def activation(x: Value, kind: str, *, name: str | None = None) -> Value:
    """Apply an elementwise function by its name, such as relu6, gelu or softsign."""
    if str(kind) not in op.functions():
        known = known_are(kind, sorted(op.functions()))
        raise CostModelError(f"activation {kind!r}: {known}")
    common((x,), kind)
    return apply(op.Pointwise, [x], name, kind)


def require(condition: object, problem: str) -> None:
    """Refuse a combination of options unless a condition holds."""
    if not condition:
        raise CostModelError(problem)


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
    """Refuse a shortcut of another shape, which PyTorch would broadcast."""
    for other in others:
        if not first.same_as(other):
            raise CostModelError(
                f"operands differ: {first} and {other}; does the shortcut need a "
                "projection?"
            )


def _require_one_rank(x: Shape, gate: Shape) -> None:
    """Refuse a gate of another rank: its channels would be aligned with a width."""
    if len(x.spatial) != len(gate.spatial):
        raise CostModelError(f"shapes do not broadcast: {x} and {gate}")


def pad(
    x: Value,
    before: Size,
    after: Size,
    *,
    mode: str = "constant",
    name: str | None = None,
) -> Value:
    """Put zeros around a feature map; negative numbers crop it instead."""
    first, last = sizes(x, "pad", name, before=before, after=after)
    return apply(op.Pad, [x], name, (0, *first), (0, *last), mode)


def pad_channels(
    x: Value, before: Dim, after: Dim, *, name: str | None = None
) -> Value:
    """Put channels of zeros before the first and after the last one."""
    return apply(op.Pad, [x], name, (before,), (after,), stem="pad_channels")


def select_channels(
    x: Value, start: Dim, channels: Dim, *, name: str | None = None
) -> Value:
    """Take so many consecutive channels from number ``start`` on."""
    return apply(op.Slice, [x], name, 1, start, 0, channels, stem="split")


def split(x: Value, parts: int = 2) -> tuple[Value, ...]:
    """Split the channels into equal parts, in order."""
    common((x,), "split")
    if type(parts) is not int or parts < 1:
        raise CostModelError(f"split: parts {parts!r} is not a positive integer")
    try:
        size = exact_div(x.channels, parts)
    except CostModelError:
        raise CostModelError(
            f"split: {parts} parts do not divide the {x.channels} channels of {x}"
        ) from None
    return tuple(select_channels(x, part * size, size) for part in range(parts))


__all__ = [
    "RENAMED", "Size", "Value", "activation", "adaptive_avg_pool", "adaptive_max_pool",
    "add", "arithmetic", "attention", "avg_pool", "batch_norm", "channel_shuffle",
    "concat", "conv", "conv_bn_relu", "conv_transpose", "copy", "crop", "cumulate",
    "depthwise", "depthwise_bn_relu", "dropout", "einsum", "expand", "flatten",
    "global_average_pool", "group_norm", "identity", "image", "instance_norm",
    "last_linear", "layer_norm", "linear", "local_response_norm", "matmul", "max_pool",
    "multiply", "network", "pad", "pad_axes", "pad_channels", "pad_to", "parameter",
    "part", "permute", "pixel_shuffle", "pixel_unshuffle", "pointwise", "prelu",
    "radial_basis", "reduce", "relu", "repeat", "require", "reshape", "resize",
    "rms_norm", "scale", "scope", "select_channels", "sequence", "softmax", "split",
    "subsample", "table_conv", "unfold", "upsample", "volume", "zeros",
]  # fmt: skip
