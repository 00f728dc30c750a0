"""MobileNet v3. Howard et al. 2019, arXiv:1905.02244, Tables 1 and 2."""

from __future__ import annotations

from typing import Literal

from architectures.blocks import squeeze_excite
from costmodel.algebra.symbols import Dim, floor, is_equal, make_divisible
from costmodel.network.build import (
    Value,
    activation,
    add,
    batch_norm,
    conv,
    depthwise,
    dropout,
    flatten,
    global_average_pool,
    linear,
    scope,
)
from costmodel.network.registry import architecture


RE, HS = "relu", "hardswish"
Row = tuple[int, int, int, bool, str, int]

#        kernel, expanded, out, squeeze-excite, nonlinearity, stride
LARGE: list[Row] = [
    (3, 16, 16, False, RE, 1), (3, 64, 24, False, RE, 2), (3, 72, 24, False, RE, 1),
    (5, 72, 40, True, RE, 2), (5, 120, 40, True, RE, 1), (5, 120, 40, True, RE, 1),
    (3, 240, 80, False, HS, 2), (3, 200, 80, False, HS, 1), (3, 184, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1), (3, 480, 112, True, HS, 1), (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2), (5, 960, 160, True, HS, 1), (5, 960, 160, True, HS, 1),
]  # fmt: skip
SMALL: list[Row] = [
    (3, 16, 16, True, RE, 2), (3, 72, 24, False, RE, 2), (3, 88, 24, False, RE, 1),
    (5, 96, 40, True, HS, 2), (5, 240, 40, True, HS, 1), (5, 240, 40, True, HS, 1),
    (5, 120, 48, True, HS, 1), (5, 144, 48, True, HS, 1), (5, 288, 96, True, HS, 2),
    (5, 576, 96, True, HS, 1), (5, 576, 96, True, HS, 1),
]  # fmt: skip

PUBLISHED = """
    name                variant      resolution  parameters  macs    top1    source
    mobilenet_v3_large  torchvision  224         5,483,032   0.217G  74.042  torchvision 0.28, IMAGENET1K_V1
    mobilenet_v3_small  torchvision  224         2,542,856   0.057G  67.668  torchvision 0.28, IMAGENET1K_V1
"""


def conv_bn(x: Value, channels: Dim, kernel: int, stride: int = 1) -> Value:
    return batch_norm(conv(x, channels, kernel, stride, bias=False))


def bneck(x: Value, row: Row, width: Dim) -> Value:
    """MobileNet v2's block with squeeze and excitation at a quarter (Figure 4)."""
    kernel, expanded, out, gated, nonlinearity, stride = row
    hidden = make_divisible(expanded, width, 8)
    y = x
    if not is_equal(hidden, x.channels):
        y = activation(conv_bn(y, hidden, kernel=1), nonlinearity)
    y = batch_norm(depthwise(y, kernel, stride, bias=False))
    y = activation(y, nonlinearity)
    if gated:
        squeezed = make_divisible(floor(hidden / 4), 1, 8)
        y = squeeze_excite(y, squeezed, gate="hardsigmoid")
    y = conv_bn(y, make_divisible(out, width, 8), kernel=1)
    return add(x, y) if stride == 1 and is_equal(x.channels, y.channels) else y


@architecture(
    paper="arXiv:1905.02244",
    year=2019,
    resolution=224,
    published=PUBLISHED,
    members={
        "mobilenet_v3_large": {"rows": LARGE, "last": 1280},
        "mobilenet_v3_small": {"rows": SMALL, "last": 1024},
    },
)
def mobilenet_v3(
    x: Value,
    *,
    rows: list[Row],
    last: int,
    variant: Literal["paper", "torchvision"] = "paper",
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """MobileNet v3: searched blocks, gates and a cheaper last stage."""
    del variant  # torchvision's network is the paper's
    with scope("stem"):
        x = activation(conv_bn(x, make_divisible(16, width, 8), 3, stride=2), HS)
    for number, row in enumerate(rows, start=1):
        with scope(f"block{number}"):
            x = bneck(x, row, width)
    with scope("head"):
        x = activation(conv_bn(x, 6 * x.channels, kernel=1), HS)
        x = linear(flatten(global_average_pool(x)), make_divisible(last, width, 8))
        return linear(dropout(activation(x, HS), 20), classes)
