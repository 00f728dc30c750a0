"""Blocks that calibration networks are made of: kinds of layers, no paper's sizes.

Each takes a feature map and returns one of at most ``width`` channels, smaller by
``stride``; what is inside is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable

from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.build import Value
from costmodel.network.building.builder import apply
from costmodel.runtime.random_networks.choices import Dice, act, norm


Block = Callable[[Dice, Value, int, int], Value]

KERNELS = (1, 2, 3, 3, 3, 4, 5, 5, 7, 9, 11)
ODD = (3, 3, 3, 5, 5, 7, 9)


def plain(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Convolve once or twice; a pooling may take the stride."""
    if stride > 1 and dice.often(0.5):
        x, stride = pooled(dice, x, stride), 1
    for step in (stride, 1)[: dice.between(1, 2)]:
        x = layer(dice, x, width, dice.one(KERNELS), step)
    return x


def bottleneck(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Reduce by 1×1, convolve, expand by 1×1, and add the input or its projection."""
    inner = inside(dice, width // dice.one((2, 3, 4)))
    groups = dice.one((2, 4, 8)) if dice.often(0.25) else 1
    inner = -(-inner // groups) * groups
    y = layer(dice, x, inner, 1, 1)
    y = layer(dice, y, inner, dice.one(ODD), stride, groups)
    y = norm(dice, build.conv(y, width, 1, bias=False))
    y = excited(dice, y) if dice.often(0.25) else y
    if stride > 1 or x.channels != width:
        x = build.batch_norm(build.conv(x, width, 1, stride, bias=False))
    return act(dice, build.add(y, x))


def inverted(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Expand, convolve each channel by itself, gate, project."""
    inner = int(x.channels) * dice.between(2, 6)
    y = layer(dice, x, inner, 1, 1)
    kernel = fitting(x, dice.one((3, 3, 5, 5, 7, 9, 11)))
    y = build.depthwise(y, kernel, stride, bias=dice.often(0.2))
    y = act(dice, norm(dice, y))
    y = excited(dice, y) if dice.often(0.5) else y
    y = norm(dice, build.conv(y, width, 1, bias=False))
    return build.add(x, y) if stride == 1 and x.channels == width else y


def dense(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Concatenate the output of each of a few layers to its input."""
    x = pooled(dice, x, stride) if stride > 1 else x
    growth = inside(dice, width // dice.between(4, 8))
    for _ in range(dice.between(2, 4)):
        y = act(dice, build.batch_norm(x))
        y = layer(dice, y, 2 * growth, 1, 1) if dice.often(0.6) else y
        y = build.conv(y, growth, fitting(x, dice.one((3, 3, 5))), bias=False)
        x = build.concat(x, y)
    return layer(dice, x, width, 1, 1)


def branches(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Convolve and pool side by side, and concatenate."""
    count = dice.between(2, 6)
    each = inside(dice, width // count)
    values = []
    for _ in range(count - 1):
        y = layer(dice, x, dice.channels(4, each + 4), 1, 1)
        n = fitting(x, dice.one(ODD))
        for kernel in dice.one((((n, n),), ((1, n), (n, 1)), ((n, n), (3, 3)))):
            y = norm(dice, build.conv(y, each, kernel, bias=False))
            y = act(dice, y)
        values.append(build.max_pool(y, 3, stride, 1) if stride > 1 else y)
    last = build.max_pool if dice.often(0.5) else build.avg_pool
    side = last(x, 3, stride, 1)
    values.append(layer(dice, side, each, 1, 1))
    return build.concat(*values)


def grouped(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Convolve in groups of a few channels or of many; sometimes in few groups."""
    each = dice.one((4, 8, 8, 12, 16, 16, 24, 32, 48, dice.between(2, 64)))
    groups = max(2, width // each)
    if dice.often(0.3):
        groups = dice.one((2, 3, 4, 8))
        each = max(2, width // groups)
    wide = groups * each
    x = layer(dice, x, wide, 1, 1)
    x = layer(dice, x, wide, dice.one((1, 1, 3, 3, 5, 7)), stride, groups)
    for _ in range(dice.between(1, 4) - 1):
        x = build.channel_shuffle(x, groups)
        x = layer(dice, x, wide, dice.one((1, 1, 3)), 1, groups)
    return x


def mixing(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Large depthwise kernels, then two linear layers at each position."""
    if stride > 1 or x.channels != width:
        x = build.conv(x, width, stride, stride, padding=0)
    y = build.depthwise(x, fitting(x, dice.one((3, 5, 7, 7, 9, 11))))
    if dice.often(0.3):  # as convolutions, the channels first
        y = build.conv(act(dice, norm(dice, y)), width * dice.between(1, 4), 1)
        return build.add(x, build.conv(act(dice, y), width, 1))
    y = build.permute(y, (2, 3, 1))
    y = build.layer_norm(y, 1)
    y = _linear(y, width * dice.between(1, 4))
    y = tokenwise(dice, y)
    y = _linear(y, width)
    y = build.permute(y, (3, 1, 2))
    return build.add(x, y)


def shuffled(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Keep half of the channels, convolve the others, concatenate and shuffle."""
    half = inside(dice, width // 2)
    if stride > 1 or x.channels != 2 * half:
        y = norm(dice, build.depthwise(x, 3, stride, bias=False))
        x = build.concat(layer(dice, y, half, 1, 1), layer(dice, y, half, 1, 1))
    for _ in range(dice.between(1, 3)):
        kept, y = build.split(x, 2)
        y = layer(dice, y, half, 1, 1)
        kernel = fitting(x, dice.one((3, 5, 7)))
        y = build.batch_norm(build.depthwise(y, kernel, bias=False))
        y = layer(dice, y, half, 1, 1)
        x = build.channel_shuffle(build.concat(kept, y), 2)
    return x


def many(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Add the results of many small layers, normalized each by itself."""
    kernel = fitting(x, dice.one((3, 5)))
    count = dice.between(2, 5)
    separate = dice.often(0.5)
    if separate:
        values = [build.depthwise(x, kernel, stride, bias=False) for _ in range(count)]
        values.append(build.depthwise(x, 1, stride, bias=False))
    else:
        values = [build.conv(x, width, kernel, stride, bias=False)
                  for _ in range(dice.between(1, 2))]  # fmt: skip
        values += [build.conv(x, width, 1, stride, bias=False) for _ in range(count)]
    values = [build.batch_norm(value) for value in values]
    if stride == 1 and values[0].channels == x.channels:
        values.append(build.batch_norm(x))
    total = values[0]
    for value in values[1:]:
        total = build.add(total, value)
    total = act(dice, total)
    return layer(dice, total, width, 1, 1) if separate else total


def attending(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Let positions attend to one another, by heads."""
    x = build.conv(x, width, stride, stride, padding=0) if stride > 1 else x
    side = int(x.shape.spatial[0].base)
    if side > 32:  # attention is quadratic in positions
        x = build.avg_pool(x, -(-side // 28))
    heads = dice.one((1, 2, 4, 8))
    size = dice.one((16, 24, 32, 64))
    x = build.conv(x, heads * size, 1)
    high, wide = (int(extent.base) for extent in x.shape.spatial)
    y = build.reshape(x, (heads * size, high * wide))
    y = build.layer_norm(build.permute(y, (2, 1)), 1)
    parts = [_heads(y, heads, size) for _ in range(3)]
    y = _attended(dice, parts, size)
    y = build.permute(y, (2, 1, 3))
    y = build.reshape(y, (high * wide, heads * size))
    y = _linear(y, heads * size)
    y = build.permute(y, (2, 1))
    y = build.reshape(y, x.shape)
    return build.add(x, y)


def enlarging(dice: Dice, x: Value, width: int, stride: int) -> Value:
    """Downsample, upsample again, and concatenate with the input."""
    y = layer(dice, x, width, dice.one((3, 5)), 2)
    if dice.often(0.5):
        y = build.conv_transpose(y, max(4, width // 2), 2, 2)
    else:
        y = build.upsample(y, 2, dice.one(("nearest", "bilinear")))
    side = int(x.shape.spatial[0].base)
    odd = side % 2
    y = build.pad(y, 0, -odd) if odd else y
    x = build.concat(x, y)
    x = pooled(dice, x, stride) if stride > 1 else x
    return layer(dice, x, width, 3, 1)


def layer(
    dice: Dice, x: Value, width: int, kernel: int, stride: int = 1, groups: int = 1
) -> Value:
    """Convolve, normalize, activate."""
    bias = dice.often(0.2)
    kernel = fitting(x, kernel)
    padding = kernel // 2
    x = build.conv(x, width, kernel, stride, padding, groups=groups, bias=bias)
    return act(dice, x if bias else norm(dice, x))


def fitting(x: Value, kernel: int) -> int:
    """Return a kernel size no larger than the feature map, odd if it was odd."""
    side = min(int(extent.base) for extent in x.shape.spatial)
    return kernel if kernel <= side else side - (side + kernel) % 2 or 1


def inside(dice: Dice, width: int) -> int:
    """Return the width of a block's inner layers: mostly a multiple of 8."""
    return max(8, -(-width // 8) * 8) if dice.often(0.7) else max(4, width)


def pooled(dice: Dice, x: Value, stride: int) -> Value:
    """Pool by maximum or mean, in windows as large as the stride or larger."""
    pool = build.max_pool if dice.often(0.6) else build.avg_pool
    kernel = stride + dice.one((0, 1, 1))
    return pool(x, kernel, stride, kernel // 2, ceil_mode=dice.often(0.3))


def excited(dice: Dice, x: Value) -> Value:
    """Multiply each channel by a gate computed from all positions."""
    width = int(x.channels)
    gate = build.conv(
        build.global_average_pool(x), max(2, width // dice.between(4, 16)), 1
    )
    gate = act(dice, gate, dice.one(("relu", "silu", "hardswish")))
    gate = build.conv(gate, width, 1)
    return build.multiply(x, act(dice, gate, dice.one(("sigmoid", "hardsigmoid"))))


def tokenwise(dice: Dice, x: Value) -> Value:
    """Apply an activation to a tensor whose channels are last."""
    return act(dice, x, dice.one(("gelu", "gelu", "relu", "silu", "hardswish")))


def _heads(y: Value, heads: int, size: int) -> Value:
    """Return tokens × channels as heads × tokens × features."""
    length = int(y.channels)
    y = _linear(y, heads * size)
    y = build.reshape(y, (length, heads, size))
    return build.permute(y, (2, 1, 3))


def _attended(dice: Dice, parts: list[Value], size: int) -> Value:
    """Compute attention in one kernel, or as products and a softmax."""
    if dice.often(0.5):
        return build.attention(*parts)
    query, key, value = parts
    key = build.permute(key, (1, 3, 2))
    scores = build.matmul(query, key)
    scores = apply(op.Arithmetic, [scores], None, "divide", str(size), stem="scalar")
    return build.matmul(build.softmax(scores, 3), value)


def _linear(x: Value, features: int) -> Value:
    """Apply a linear layer to the last axis, under the name used in measurements."""
    return apply(op.Linear, [x], None, features, True, stem="last_linear")


BLOCKS: dict[str, Block] = {
    "plain": plain, "bottleneck": bottleneck, "inverted": inverted, "dense": dense,
    "branches": branches, "grouped": grouped, "mixing": mixing, "shuffled": shuffled,
    "many": many, "attending": attending, "enlarging": enlarging,
}  # fmt: skip
"""Families of networks: each is built of one kind of block, and a few others."""
