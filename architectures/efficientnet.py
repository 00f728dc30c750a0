"""EfficientNet. Tan & Le 2019, arXiv:1905.11946, Table 1 and section 4."""

from __future__ import annotations

from typing import Literal

from architectures.blocks import squeeze_excite
from costmodel.algebra.symbols import Dim, Rational, floor, make_divisible
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
from costmodel.network.registry import Default, architecture


#        kernel, channels, layers, stride, expansion
BODY = [(3, 16, 1, 1, 1), (3, 24, 2, 2, 6), (5, 40, 2, 2, 6), (3, 80, 3, 2, 6),
        (5, 112, 3, 1, 6), (5, 192, 4, 2, 6), (3, 320, 1, 1, 6)]  # fmt: skip

#              width, depth, dropped %            the released coefficients
MEMBERS = {"b0": ("1", "1", 20), "b1": ("1", "1.1", 20), "b2": ("1.1", "1.2", 30),
           "b3": ("1.2", "1.4", 30), "b4": ("1.4", "1.8", 40), "b5": ("1.6", "2.2", 40),
           "b6": ("1.8", "2.6", 50), "b7": ("2", "3.1", 50)}  # fmt: skip

RESOLUTIONS = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456,
               "b6": 528, "b7": 600}  # fmt: skip

PUBLISHED = """
    name             variant      resolution  parameters  macs      top1    source
    efficientnet_b0  paper        224         5.3M        0.39G     76.3    Table 2
    efficientnet_b1  paper        240         7.8M        0.70G[1]  78.8    Table 2
    efficientnet_b2  paper        260         9.2M        1.0G      79.8    Table 2
    efficientnet_b3  paper        300         12M         1.8G      81.1    Table 2
    efficientnet_b4  paper        380         19M         4.2G[1]   82.6    Table 2
    efficientnet_b5  paper        456         30M         9.9G[1]   83.3    Table 2
    efficientnet_b6  paper        528         43M         19G       84.0    Table 2
    efficientnet_b7  paper        600         66M         37G       84.4    Table 2
    efficientnet_b0  torchvision  224         5,288,548   0.386G    77.692  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b1  torchvision  240         7,794,184   0.687G    78.642  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b2  torchvision  288         9,109,994   1.088G    80.608  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b3  torchvision  300         12,233,232  1.827G    82.008  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b4  torchvision  380         19,341,616  4.394G    83.384  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b5  torchvision  456         30,389,784  10.266G   83.444  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b6  torchvision  528         43,040,704  19.068G   84.008  torchvision 0.28, IMAGENET1K_V1
    efficientnet_b7  torchvision  600         66,347,960  37.746G   84.122  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "Not reproduced: the released coefficients and resolution give 0.687G, 4.39G and "
    "10.27G for B1, B4 and B5, here and in torchvision.",
]


def conv_bn_silu(x: Value, channels: Dim, kernel: int, stride: int = 1) -> Value:
    y = conv(x, channels, kernel, stride, bias=False)
    return activation(batch_norm(y), "silu")


def mbconv(
    x: Value, channels: Dim, kernel: int, stride: int, expansion: int, reduction: Dim
) -> Value:
    """MBConv: MobileNet v2's inverted residual with squeeze and excitation."""
    y = x if expansion == 1 else conv_bn_silu(x, expansion * x.channels, kernel=1)
    y = depthwise(y, kernel, stride, bias=False)
    y = activation(batch_norm(y), "silu")
    y = squeeze_excite(y, floor(x.channels / reduction), "silu")
    y = batch_norm(conv(y, channels, kernel=1, bias=False))
    return add(x, y) if stride == 1 and x.channels == channels else y


@architecture(
    paper="arXiv:1905.11946",
    year=2019,
    resolution={f"efficientnet_{name}": side for name, side in RESOLUTIONS.items()},
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        f"efficientnet_{name}": {
            "width": Default(Rational(width)),
            "depth": Default(Rational(depth)),
            "dropped": dropped,
        }
        for name, (width, depth, dropped) in MEMBERS.items()
    },
)
def efficientnet(
    x: Value,
    *,
    dropped: int,
    variant: Literal["paper", "torchvision"] = "paper",
    width: Dim = 1,
    depth: Rational = 1,
    reduction: Dim = 4,
    classes: Dim = 1000,
) -> Value:
    """EfficientNet: width, depth and resolution grown together."""
    del variant  # torchvision's network is the paper's
    with scope("stem"):
        x = conv_bn_silu(x, make_divisible(32, width, 8), kernel=3, stride=2)
    for stage, (kernel, channels, layers, stride, expansion) in enumerate(BODY, 1):
        count = -floor(-(layers * depth))  # rounded up, as the reference code does
        maps = make_divisible(channels, width, 8)
        for number in range(1, int(count) + 1):
            step = stride if number == 1 else 1
            with scope(f"stage{stage}"), scope(f"block{number}"):
                x = mbconv(x, maps, kernel, step, expansion, reduction)
    with scope("head"):
        x = conv_bn_silu(x, 4 * make_divisible(320, width, 8), kernel=1)
        return linear(dropout(global_average_pool(x), dropped), classes)
