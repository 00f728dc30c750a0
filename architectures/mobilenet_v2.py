"""MobileNet v2. Sandler et al. 2018, arXiv:1801.04381, Table 2."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, is_equal, maximum
from costmodel.network.build import (
    Value,
    activation,
    add,
    batch_norm,
    conv,
    depthwise,
    dropout,
    global_average_pool,
    linear,
    scope,
)
from costmodel.network.registry import architecture


#        t, c, n, s                               expansion, channels, repeats, stride
BODY = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
        (6, 160, 3, 2), (6, 320, 1, 1)]  # fmt: skip

PUBLISHED = """
    variant      width  resolution  parameters  macs      top1    source
    paper        1      224         3.4M[1]     300M      72.0    Table 4
    paper        1.4    224         6.9M[2]     585M[2]   74.7    Table 4
    paper        0.35   224         1.66M[1]    59M       60.3    arXiv:1807.11626, Table 4
    paper        1.4    224         6.06M[1]    582M      75.0    TF-slim, mobilenet/README
    paper        3/4    224         2.61M[1]    209M      69.8    TF-slim, mobilenet/README
    paper        1/2    224         1.95M[1]    97M       65.4    TF-slim, mobilenet/README
    paper        1      160         3.47M[1]    154M      68.8    TF-slim, mobilenet/README
    torchvision  1      224         3,504,872   0.301G    71.878  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "The scales and shifts of batch normalization are left out: without them the "
    "networks have 3.471M, 1.663M, 6.061M, 2.610M and 1.950M parameters.",
    "Not reproduced: the release prints 6.06M and 582M for the same network, here and "
    "in torchvision 6.11M with the parameters of batch normalization, and 582M.",
]


def conv_bn_relu6(x: Value, channels: Dim, kernel: int, stride: int = 1) -> Value:
    y = conv(x, channels, kernel, stride, bias=False)
    return activation(batch_norm(y), "relu6")


def inverted_residual(x: Value, channels: Dim, stride: int, expansion: Dim) -> Value:
    """1×1 to t times the channels, 3×3 depthwise, 1×1 without activation (Table 1)."""
    y = x
    if not is_equal(expansion, 1):
        y = conv_bn_relu6(y, expansion * x.channels, kernel=1)
    y = depthwise(y, kernel=3, stride=stride, bias=False)
    y = conv(activation(batch_norm(y), "relu6"), channels, kernel=1, bias=False)
    y = batch_norm(y)
    return add(x, y) if stride == 1 and is_equal(x.channels, channels) else y


@architecture(
    paper="arXiv:1801.04381",
    year=2018,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="residual blocks that are narrow outside, wide and depthwise inside",
    ancestors={
        "mobilenet_v1": "depthwise separable convolutions, thinned by a multiplier",
        "resnet": "bottlenecks with shortcuts, turned inside out",
    },
    written={"torchvision": {"adaptive_avg_pool": "function"}},
)
def mobilenet_v2(
    x: Value,
    *,
    variant: Literal["paper", "torchvision"] = "paper",
    expansion: Dim = 6,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """MobileNet v2: inverted residuals between narrow, linear bottlenecks."""
    del variant  # torchvision's network is the paper's
    with scope("stem"):
        x = conv_bn_relu6(x, make_divisible(32, width, 8), kernel=3, stride=2)
    number = 0
    for t, channels, repeats, stride in BODY:
        for repeat in range(repeats):
            number += 1
            with scope(f"block{number}"):
                factor = 1 if t == 1 else expansion
                maps = make_divisible(channels, width, 8)
                x = inverted_residual(x, maps, stride if repeat == 0 else 1, factor)
    with scope("head"):
        # The last 1×1 is never thinner than at width 1.
        x = conv_bn_relu6(x, make_divisible(1280, maximum(width, 1), 8), kernel=1)
        return linear(dropout(global_average_pool(x), 20), classes)
