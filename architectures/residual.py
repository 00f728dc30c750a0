"""The skeleton of residual networks: a stem, stages of blocks, a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from costmodel.algebra.symbols import Dim, is_equal
from costmodel.network.build import (
    Value,
    add,
    batch_norm,
    conv,
    conv_bn_relu,
    global_average_pool,
    linear,
    max_pool,
    pad_channels,
    relu,
    scope,
)


Branch: TypeAlias = Callable[[Value, Any, int], Value]
"""The residual of a block: from its input, its stage's width and its stride."""

Block: TypeAlias = Callable[[Value, Any, int], Value]
"""A residual with its shortcut, from the same three."""


def stem(x: Value, channels: Dim, *, ceil_mode: bool = False) -> Value:
    """Reduce the feature map to a quarter by 7×7 and a pool, each of stride 2."""
    with scope("stem"):
        x = conv_bn_relu(x, channels, kernel=7, stride=2)
        padding = 0 if ceil_mode else 1
        return max_pool(x, 3, stride=2, padding=padding, ceil_mode=ceil_mode)


def head(x: Value, classes: Dim) -> Value:
    """Classify by global average pooling and a linear layer."""
    with scope("head"):
        return linear(global_average_pool(x), classes)


def doubled(*widths: Dim, stages: int = 4) -> list[tuple[Dim, ...]]:
    """Return the width of each stage, which doubles where the feature map is halved."""
    return [tuple(width * 2**stage for width in widths) for stage in range(stages)]


def stack(
    x: Value, widths: Sequence[Any], repeats: Sequence[int], block: Block
) -> Value:
    """Repeat a block in every stage; the first of each later one halves the sides."""
    for stage, (width, count) in enumerate(zip(widths, repeats), start=1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            with scope(f"stage{stage}"), scope(f"block{number}"):
                x = block(x, width, stride)
    return x


def stages(
    x: Value,
    widths: Sequence[Any],
    repeats: Sequence[int],
    branch: Branch,
    shortcut: str = "B",
) -> Value:
    """Stack blocks that are activated after their addition (He et al. 2015)."""

    def block(x: Value, width: Any, stride: int) -> Value:
        return close(x, branch(x, width, stride), stride, shortcut)

    return stack(x, widths, repeats, block)


def close(
    x: Value, y: Value, stride: int, shortcut: str = "B", kernel: int = 1
) -> Value:
    """Add the shortcut: identity, or where shapes differ option A or B."""
    if shortcut == "none":
        return relu(y)
    if changes(x, y.channels, stride):
        if shortcut == "A":
            x = padded(x, y.channels, stride)
        else:
            x = batch_norm(conv(x, y.channels, kernel, stride, bias=False))
    return relu(add(y, x))


def changes(x: Value, channels: Dim, stride: int) -> bool:
    """Say whether a block gives another shape than it gets, for some of its symbols."""
    return stride != 1 or not is_equal(x.channels, channels)


def padded(x: Value, channels: Dim, stride: int) -> Value:
    """Option A: every second position, and zeros for missing channels."""
    return pad_channels(max_pool(x, kernel=1, stride=stride), 0, channels - x.channels)
