"""Blocks that networks to calibrate on are drawn from.

Each takes random numbers, its input, how many channels to give and a stride, and draws
the rest: kernels, groups, activations, normalizations.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from costmodel.algebra.symbols import as_int
from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.build import Value
from costmodel.network.value import apply


ACTIVATIONS = ("relu", "relu", "relu", "relu", "relu6", "silu", "hardswish", "gelu",
               "leaky_relu", "sigmoid", "hardsigmoid", "tanh")  # fmt: skip
"""Activations of blocks, ReLU more often, since most layers have it."""

GATES = ("sigmoid", "sigmoid", "hardsigmoid")

KERNELS = (3, 3, 3, 3, 5, 7)


def width(random: Random, near: float) -> int:
    """Draw a number of channels: a multiple of 8, of 2, or any."""
    step = random.choice([8, 8, 2, 1])
    return max(8, step * round(near * random.uniform(0.8, 1.25) / step))


def side(x: Value) -> int:
    """Return the smaller side of a map."""
    return min(as_int(size) for size in x.shape.sizes[1:])


def count(x: Value) -> int:
    """Return the channels of a map."""
    return as_int(x.channels)


def act(random: Random, x: Value, kind: str | None = None) -> Value:
    """Apply an activation, drawn if none is named."""
    chosen = kind or random.choice(ACTIVATIONS)
    if chosen in ("gelu", "leaky_relu"):
        return apply(op.Pointwise, [x], None, chosen)
    return build.activation(x, chosen)


def conv_norm_act(
    random: Random, x: Value, channels: int, kernel: int = 3, stride: int = 1,
    groups: int = 1, *, linear: bool = False,
) -> Value:  # fmt: skip
    """Convolve; then mostly batch normalization; then an activation, unless linear."""
    has_norm = random.random() < 0.85
    x = build.conv(x, channels, kernel, stride, groups=groups, bias=not has_norm)
    if has_norm:
        x = build.batch_norm(x)
    return x if linear else act(random, x)


def plain(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw a convolution, oblong now and then; a pooling where the map shrinks."""
    kernel = random.choice((*KERNELS, 1, 9, 11) if side(x) < 40 else KERNELS)
    if stride == 2 and random.random() < 0.6:
        pool = random.choice([build.max_pool, build.avg_pool])
        x = pool(x, *random.choice([(2, 2), (3, 2), (3, 2, 1)]))
        stride = 1
    if kernel > 1 and random.random() < 0.15:
        x = build.relu(build.conv(x, channels, (1, kernel), (1, stride)))
        return build.relu(build.conv(x, channels, (kernel, 1), (stride, 1)))
    return conv_norm_act(random, x, channels, kernel, stride)


def basic(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw two convolutions around a shortcut."""
    y = conv_norm_act(random, x, channels, 3, stride)
    y = conv_norm_act(random, y, channels, 3, linear=True)
    return act(random, build.add(y, _shortcut(random, x, channels, stride)))


def bottleneck(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw 1×1, 3×3, 1×1 around a shortcut, with a gate now and then."""
    wide = channels * random.choice([1, 2, 4])
    y = conv_norm_act(random, x, channels, 1)
    y = conv_norm_act(random, y, channels, random.choice(KERNELS), stride)
    y = conv_norm_act(random, y, wide, 1, linear=True)
    if random.random() < 0.25:
        y = excite(random, y)
    return act(random, build.add(y, _shortcut(random, x, wide, stride)))


def inverted(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw expand, depthwise, gate, project; one activation in the whole block."""
    kind = random.choice(["relu", "relu6", "silu", "hardswish"])
    wide = width(random, count(x) * random.choice([1, 3, 4, 6]))
    y = x
    if wide != count(x):
        y = act(random, build.batch_norm(build.conv(x, wide, 1, bias=False)), kind)
    y = build.depthwise(y, random.choice([3, 3, 5, 7]), stride, bias=False)
    y = act(random, build.batch_norm(y), kind)
    if random.random() < 0.5:
        y = excite(random, y)
    y = build.batch_norm(build.conv(y, channels, 1, bias=False))
    is_same = stride == 1 and channels == count(x)
    return build.add(x, y) if is_same else y


def excite(random: Random, x: Value) -> Value:
    """Multiply every channel by a gate that sees the whole map."""
    squeezed = mean(x, keep=True) if random.random() < 0.4 else None
    y = build.global_average_pool(x) if squeezed is None else squeezed
    y = build.conv(y, max(4, count(x) // random.choice([4, 8, 16])), 1)
    y = build.conv(act(random, y, random.choice(["relu", "silu"])), count(x), 1)
    return build.multiply(x, build.activation(y, random.choice(GATES)))


def dense(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw layers that each read all before them, and a transition before."""
    if stride == 2:
        x = build.relu(build.batch_norm(x))
        x = build.avg_pool(build.conv(x, max(8, count(x) // 2), 1, bias=False), 2)
    growth = max(8, channels // 4)
    for _ in range(random.randint(2, 4)):
        y = build.relu(build.batch_norm(x))
        y = build.relu(build.batch_norm(build.conv(y, 4 * growth, 1, bias=False)))
        x = build.concat(x, build.conv(y, growth, 3, bias=False))
    return x


def branches(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw convolutions of several kernels and a pooling beside each other."""
    part = max(8, channels // 4)
    pool = random.choice([build.max_pool, build.avg_pool])
    found = [pool(x, 3, stride, 1)]
    if stride == 1 or random.random() < 0.5:
        found[0] = conv_norm_act(random, found[0], part, 1)
    for _ in range(random.randint(2, 4)):
        y = conv_norm_act(random, x, width(random, part), 1)
        kernel = random.choice(KERNELS)
        found.append(conv_norm_act(random, y, width(random, part), kernel, stride))
    return build.concat(*found)


def grouped(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw a bottleneck whose 3×3 convolution is in groups."""
    groups = random.choice([2, 4, 8, 16, 32])
    each = max(1, round(channels / groups)) * random.choice([1, 1, 2])
    inner = groups * each
    y = conv_norm_act(random, x, inner, 1)
    y = conv_norm_act(random, y, inner, random.choice([3, 3, 5]), stride, groups)
    y = conv_norm_act(random, y, channels, 1, linear=True)
    return act(random, build.add(y, _shortcut(random, x, channels, stride)))


def token_mlp(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw a large depthwise kernel, then layers over channels, which come last."""
    if stride == 2 or count(x) != channels:
        if random.random() < 0.5:
            x = _last(lambda y: apply(op.LayerNorm, [y], None), x)
        x = build.conv(x, channels, stride, stride, padding=0)
    kernel = random.choice([5, 7, 7, 9, 11])
    y = build.depthwise(x, kernel)
    kind = random.choice(["gelu", "gelu", "relu", "silu"])
    if random.random() < 0.3:
        y = act(random, build.conv(build.batch_norm(y), 4 * channels, 1), kind)
        return build.add(x, build.conv(y, channels, 1))

    def mlp(y: Value) -> Value:
        y = apply(op.LayerNorm, [y], None)
        y = apply(op.LastLinear, [y], None, random.choice([2, 3, 4]) * channels)
        return apply(op.LastLinear, [act(random, y, kind)], None, channels)

    return build.add(x, _last(mlp, y))


def shuffle(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw a block of which half passes by, and the halves are mixed at the end."""
    half = max(8, channels // 2)
    if stride == 1 and count(x) % 2 == 0:
        kept, y = build.split(x)
    else:
        kept = build.batch_norm(build.depthwise(x, 3, stride, bias=False))
        kept, y = conv_norm_act(random, kept, half, 1), x
        y = conv_norm_act(random, y, half, 1)
    y = build.batch_norm(build.depthwise(y, random.choice([3, 3, 5]), stride, bias=False))
    y = conv_norm_act(random, y, count(kept), 1)
    return build.channel_shuffle(build.concat(kept, y), 2)


def separable(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw a depthwise convolution and a 1×1 one."""
    y = build.depthwise(x, random.choice([3, 3, 5, 7]), stride, bias=False)
    if random.random() < 0.7:
        y = act(random, build.batch_norm(y))
    return conv_norm_act(random, y, channels, 1)


def mixed(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw depthwise convolutions of several kernels, each on a part of the channels."""
    parts = random.choice([2, 3, 4])
    x = build.conv(x, parts * max(4, channels // parts), 1, bias=False)
    pieces = zip(build.split(x, parts), (3, 5, 7, 9))
    y = build.concat(*[build.depthwise(p, k, stride, bias=False) for p, k in pieces])
    return conv_norm_act(random, act(random, build.batch_norm(y)), channels, 1)


def many_branches(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw a sum of many small convolutions of one input, each normalized."""
    y = build.conv(x, channels, 1, bias=False) if count(x) != channels else x
    is_depthwise = random.random() < 0.6
    found = [build.batch_norm(y)] if stride == 1 else []
    for _ in range(random.randint(2, 4)):
        groups = count(y) if is_depthwise else 1
        z = build.conv(y, channels, 3, stride, groups=groups, bias=False)
        found.append(build.batch_norm(z))
    groups = count(y) if is_depthwise else 1
    z = build.conv(y, channels, 1, stride, groups=groups, bias=False)
    total = build.add(build.batch_norm(z), found[0])
    for other in found[1:]:
        total = build.add(total, other)
    return act(random, total)


def splits(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw parts of the channels convolved one after another, each adding the last."""
    parts = random.choice([2, 4, 8])
    x = conv_norm_act(random, x, parts * max(4, channels // parts), 1, stride)
    kept, *others = build.split(x, parts)
    found = [kept]
    for part in others:
        y = part if len(found) == 1 else build.add(part, found[-1])
        found.append(conv_norm_act(random, y, count(part), 3))
    y = conv_norm_act(random, build.concat(*found), channels, 1, linear=True)
    return build.relu(build.add(y, _shortcut(random, x, channels, 1)))


def selective(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Draw two kernels weighed against each other by what the whole map says."""
    pair = [conv_norm_act(random, x, channels, k, stride) for k in (3, 5)]
    y = build.global_average_pool(build.add(*pair))
    y = build.relu(build.conv(y, max(8, channels // 8), 1))
    gates = [build.softmax(build.conv(y, channels, 1)) for _ in pair]
    y = build.add(*[build.multiply(z, gate) for z, gate in zip(pair, gates)])
    if random.random() < 0.4 and side(y) > 1:
        small = conv_norm_act(random, build.max_pool(y, 2, ceil_mode=True), channels, 1)
        if 2 * side(small) == side(y):
            y = build.concat(y, build.upsample(small, 2))
    return y


def mean(x: Value, *, keep: bool = False) -> Value:
    """Take each map's mean, as code does that reduces and does not pool."""
    return apply(op.Reduce, [x], None, "mean", (2, 3), keep)


def _shortcut(random: Random, x: Value, channels: int, stride: int) -> Value:
    """Return the input itself, or projected: by a stride, or pooled first."""
    if stride == 1 and count(x) == channels:
        return x
    if stride == 2 and random.random() < 0.2:
        x, stride = build.avg_pool(x, 2, ceil_mode=True), 1
    y = build.conv(x, channels, 1, stride, bias=False)
    return build.batch_norm(y)


def _last(what: Callable[[Value], Value], x: Value) -> Value:
    """Apply something with channels last, and put them back."""
    y = what(apply(op.Permute, [x], None, (2, 3, 1)))
    return apply(op.Permute, [y], None, (3, 1, 2))


ALL = (plain, basic, bottleneck, inverted, dense, branches, grouped, token_mlp, shuffle,
       separable, mixed, many_branches, splits, selective)  # fmt: skip
"""Every block."""
