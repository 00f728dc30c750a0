"""SqueezeNet. Iandola et al. 2016, arXiv:1602.07360, Table 1 and section 5."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from costmodel.algebra.symbols import Dim, Rational, is_equal
from costmodel.network.build import (
    Value,
    add,
    concat,
    conv,
    dropout,
    flatten,
    global_average_pool,
    max_pool,
    relu,
    scope,
)
from costmodel.network.registry import architecture


#        output channels of the fire modules 2 to 9
EXPANDED = (128, 128, 256, 256, 384, 384, 512, 512)

# Section 5.1: the squeeze ratio SR, and the percentage of filters that are 3×3.
SQUEEZE_RATIO, SHARE_3X3 = Rational(1, 8), Rational(1, 2)

#                              first maps, their kernel, modules before a pool
MEMBERS: dict[str, dict[str, Any]] = {
    "squeezenet1_0": {"first": 96, "kernel": 7, "pooled": (4, 8)},
    "squeezenet1_1": {"first": 64, "kernel": 3, "pooled": (3, 5)},
}

PUBLISHED = """
    name           variant      layer   resolution  layers  parameters  macs    top1    source
    squeezenet1_0  paper        -       227         18      1,248,424   -       -       Table 1
    squeezenet1_0  paper        conv1   227         -       14,208      -       -       Table 1
    squeezenet1_0  paper        fire2   227         -       11,920      -       -       Table 1
    squeezenet1_0  paper        fire3   227         -       12,432      -       -       Table 1
    squeezenet1_0  paper        fire4   227         -       45,344      -       -       Table 1
    squeezenet1_0  paper        fire5   227         -       49,440      -       -       Table 1
    squeezenet1_0  paper        fire6   227         -       104,880     -       -       Table 1
    squeezenet1_0  paper        fire7   227         -       111,024     -       -       Table 1
    squeezenet1_0  paper        fire8   227         -       188,992     -       -       Table 1
    squeezenet1_0  paper        fire9   227         -       197,184     -       -       Table 1
    squeezenet1_0  paper        conv10  227         -       513,000     -       -       Table 1
    squeezenet1_0  paper        -       227         -       -           833M    -       arXiv:1707.01083, Table 6
    squeezenet1_0  torchvision  -       224         -       1,248,424   0.819G  58.092  torchvision 0.28, IMAGENET1K_V1
    squeezenet1_1  torchvision  -       224         -       1,235,496   0.349G  58.178  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "Table 1 prints an input of 224×224, but 111×111 after an unpadded 7×7/2 convolution "
    "need 227×227, the default here and in the authors' release.",
    "Table 3's 7.7 MB for the complex bypass were not reproduced: 1×1 convolutions past "
    "modules 2, 4, 6 and 8 give 1.59M parameters, 6.1 MB of 2^20 bytes.",
]


def fire(x: Value, maps: Dim, ratio: Dim, share: Dim, bypass: str) -> Value:
    """Squeeze by 1×1, then expand by 1×1 beside 3×3 (Figure 1)."""
    y = relu(conv(x, ratio * maps, kernel=1, name="squeeze"))
    narrow = relu(conv(y, (1 - share) * maps, kernel=1, name="expand1x1"))
    y = concat(narrow, relu(conv(y, share * maps, kernel=3, name="expand3x3")))
    if is_equal(x.channels, y.channels):
        return y if bypass == "none" else add(y, x)
    return add(y, conv(x, maps, kernel=1, name="bypass")) if bypass == "complex" else y


@architecture(
    paper="arXiv:1602.07360",
    year=2016,
    resolution=227,
    published=PUBLISHED,
    departures=DEPARTURES,
    members=MEMBERS,
    idea="few parameters: 3×3 filters read few channels, and nothing is dense",
    ancestors={
        "network_in_network": "1×1 convolutions, and global average pooling to classes",
        "googlenet": "filters of two sizes side by side, joined by channels",
        "resnet": "the shortcuts of its two versions with a bypass",
    },
)
def squeezenet(
    x: Value,
    *,
    first: int,
    kernel: int,
    pooled: tuple[int, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    bypass: Literal["none", "simple", "complex"] = "none",
    squeeze_ratio: Dim = SQUEEZE_RATIO,
    share_3x3: Dim = SHARE_3X3,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SqueezeNet: AlexNet's accuracy with 50 times fewer parameters."""
    del variant  # torchvision's network is the paper's
    pool = partial(max_pool, kernel=3, stride=2, ceil_mode=True)
    x = pool(relu(conv(x, first * width, kernel, stride=2, padding=0, name="conv1")))
    for number, maps in enumerate(EXPANDED, start=2):
        with scope(f"fire{number}"):
            x = fire(x, maps * width, squeeze_ratio, share_3x3, bypass)
        x = pool(x) if number in pooled else x
    x = relu(conv(dropout(x), classes, kernel=1, name="conv10"))
    return flatten(global_average_pool(x))
