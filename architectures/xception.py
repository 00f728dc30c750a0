"""Xception. Chollet 2016, arXiv:1610.02357, Figures 3 to 5."""

from __future__ import annotations

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    add,
    batch_norm,
    conv,
    conv_bn_relu,
    depthwise,
    max_pool,
    relu,
    scope,
)
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import head


#           channels of the separable convolutions, stride   Figure 5
BLOCKS = [((128, 128), 2), ((256, 256), 2), ((728, 728), 2),
          *[((728, 728, 728), 1)] * 8, ((728, 1024), 2)]  # fmt: skip

PUBLISHED = """
    resolution  layers  parameters  macs  top1  source
    299         36[1]   -           -     -     section 3
    299         -       22,855,952  -     79.0  Tables 1 and 3
    299         -       23M         8.4G  79.0  arXiv:1905.11946, Table 2
"""

DEPARTURES = [
    "36 counts each of the 34 separable convolutions once, and no classifier; they are "
    "two layers each, and the longest path has 2 + 2·34 + 1 = 71."
]


def separable(x: Value, channels: Dim) -> Value:
    """3×3 on each channel, then 1×1, with nothing between them (section 4.7)."""
    x = depthwise(x, 3, bias=False)
    return batch_norm(conv(x, channels, 1, bias=False))


def block(x: Value, widths: list[Dim], stride: int, *, first: bool) -> Value:
    """Separable convolutions beside a shortcut, which is projected at stride 2."""
    y = x
    for number, channels in enumerate(widths):
        y = separable(y if first and number == 0 else relu(y), channels)
    if stride == 1:
        return add(y, x)
    x = batch_norm(conv(x, widths[-1], 1, stride, bias=False))
    return add(max_pool(y, 3, stride, padding=1), x)


@architecture(
    paper="arXiv:1610.02357",
    year=2016,
    resolution=299,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="Inception's towers taken to their limit: one per channel",
    ancestors={
        "inception_v3": "convolution across channels and across positions, in turn",
        "separable_convolution": "the layer that does so for every channel",
        "resnet": "shortcuts around blocks, projected where the grid halves",
        "batch_normalization": "normalization after every convolution",
    },
)
def xception(x: Value, *, width: Dim = 1, classes: Dim = 1000) -> Value:
    """Xception: depthwise separable convolutions throughout, beside shortcuts."""
    with scope("stem"):
        x = conv_bn_relu(x, 32 * width, 3, 2, padding=0)
        x = conv_bn_relu(x, 64 * width, 3, padding=0)
    for number, (maps, stride) in enumerate(BLOCKS, start=1):
        with scope(f"block{number}"):
            x = block(x, [m * width for m in maps], stride, first=number == 1)
    with scope("exit"):
        x = relu(separable(x, 1536 * width))
        x = relu(separable(x, 2048 * width))
    return head(x, classes, 50)


@architecture(
    paper="arXiv:1610.02357",
    year=2016,
    resolution=35,
    input_channels=288,
    departures=[
        "The paper draws the module and gives it no sizes: these are the 288 maps on "
        "35×35 of Inception v3's first modules."
    ],
    idea="a spectrum from a plain convolution, one tower, to a separable one",
    ancestors={
        "inception_v3": "a module of towers, simplified until they are alike",
        "separable_convolution": "the other end of the spectrum, in the other order",
    },
)
def extreme_inception(x: Value, *, maps: Dim = 288, towers: Dim = 288) -> Value:
    """Extreme Inception: one 1×1, then a 3×3 tower per segment of its channels."""
    x = conv_bn_relu(x, maps, 1)  # Figure 3: one for all towers
    return conv_bn_relu(x, maps, 3, groups=towers)  # Figure 4: as many towers as maps
