"""MobileNet v3. Howard et al. 2019, arXiv:1905.02244, Tables 1 and 2."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, Rational, floor_div, is_equal
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
from costmodel.network.registry import Default, architecture
from costmodel.zoo.blocks import squeeze_excite


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
    name                variant      width  features  resolution  parameters  macs     top1    source
    mobilenet_v3_large  paper        1      -         224         5.4M        219M[1]  75.2    Table 3
    mobilenet_v3_small  paper        1      -         224         2.5M        56M      67.4    Table 3
    mobilenet_v3_large  paper        1      -         224         5.4M        217M     75.2    TF-slim, mobilenet/README
    mobilenet_v3_large  paper        3/4    -         224         4.0M        155M     73.3    TF-slim, mobilenet/README
    mobilenet_v3_small  paper        1      1280      224         2.9M        66M[2]   67.5    TF-slim, mobilenet/README
    mobilenet_v3_small  paper        3/4    1280      224         2.4M        44M      65.4    TF-slim, mobilenet/README
    mobilenet_v3_large  torchvision  1      -         224         5,483,032   0.217G   74.042  torchvision 0.28, IMAGENET1K_V1
    mobilenet_v3_small  torchvision  1      -         224         2,542,856   0.057G   67.668  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "Not reproduced: convolutions and classifier are 216.6M, the 217M of its release.",
    "Not reproduced: it is 56.9M with the 1,280 features that 2.9M parameters need.",
]


def conv_bn(x: Value, channels: Dim, kernel: int, stride: int = 1) -> Value:
    return batch_norm(conv(x, channels, kernel, stride, bias=False))


def bneck(x: Value, row: Row, hidden: Dim, width: Dim) -> Value:
    """MobileNet v2's block with squeeze and excitation at a quarter (Figure 4)."""
    kernel, _, out, gated, nonlinearity, stride = row
    y = x
    if not is_equal(hidden, x.channels):
        y = activation(conv_bn(y, hidden, kernel=1), nonlinearity)
    y = activation(batch_norm(depthwise(y, kernel, stride, bias=False)), nonlinearity)
    if gated:
        squeezed = make_divisible(floor_div(hidden, 4), 1, 8)
        y = squeeze_excite(y, squeezed, gate="hardsigmoid")
    y = conv_bn(y, make_divisible(out, width, 8), kernel=1)
    return add(x, y) if stride == 1 and is_equal(x.channels, y.channels) else y


@architecture(
    paper="arXiv:1905.02244",
    year=2019,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        "mobilenet_v3_large": {"rows": LARGE, "features": Default(1280)},
        "mobilenet_v3_small": {"rows": SMALL, "features": Default(1024)},
    },
    idea="blocks fitted to a phone by search, and a last stage cut by hand",
    ancestors={
        "mobilenet_v2": "inverted residuals between linear bottlenecks",
        "mnasnet": "searched rows, with gates in some of them",
        "se_resnet": "squeeze and excitation",
    },
)
def mobilenet_v3(
    x: Value,
    *,
    rows: list[Row],
    variant: Literal["paper", "torchvision"] = "paper",
    features: Dim = 1280,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """MobileNet v3: searched blocks, gates and a cheaper last stage."""
    with scope("stem"):
        x = activation(conv_bn(x, make_divisible(16, width, 8), 3, stride=2), HS)
    for number, (row, before) in enumerate(zip(rows, [16, *(r[2] for r in rows)]), 1):
        # The release expands the thinned channels; torchvision thins the product.
        hidden = make_divisible(row[1], width, 8)
        if variant == "paper" and row[1] != before:
            hidden = make_divisible(x.channels * Rational(row[1], before), 1, 8)
        with scope(f"block{number}"):
            x = bneck(x, row, hidden, width)
    with scope("head"):
        x = activation(conv_bn(x, 6 * x.channels, kernel=1), HS)
        # Thin networks of the release keep all features.
        last = features if variant == "paper" else make_divisible(features, width, 8)
        x = linear(flatten(global_average_pool(x)), last)
        return linear(dropout(activation(x, HS), 20), classes)
