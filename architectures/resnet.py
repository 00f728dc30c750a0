"""ResNet. He, Zhang, Ren, Sun 2015, arXiv:1512.03385, Table 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, batch_norm, conv, conv_bn_relu
from costmodel.network.registry import Default, architecture
from costmodel.zoo.residual import head, stages, stem


CHANNELS: tuple[Dim, ...] = (64, 128, 256, 512)

#                  blocks per stage          Table 1
BASIC = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

PLAIN = {"block": "basic", "expansion": 1}
MEMBERS: dict[str, dict[str, Any]] = {
    **{f"resnet{d}": {**PLAIN, "repeats": Default(r)} for d, r in BASIC.items()},
    **{f"resnet{d}": {"block": "bottleneck", "repeats": Default(r)}
       for d, r in BOTTLENECK.items()},
    **{f"plain{d}": {**PLAIN, "repeats": Default(r), "shortcut": "none", "variant": "paper"}
       for d, r in BASIC.items()},
}  # fmt: skip

PUBLISHED = """
    name       variant      resolution  layers  parameters  macs     top1    source
    resnet18   paper        224         18      -           1.8G     -       Table 1
    resnet34   paper        224         34      -           3.6G     -       Table 1
    resnet50   paper        224         50      -           3.8G     -       Table 1
    resnet101  paper        224         101     -           7.6G     -       Table 1
    resnet152  paper        224         152     -           11.3G    -       Table 1
    plain34    paper        224         34      -           3.6G     -       section 3.3
    resnet50   paper        224         -       -           3.86G    -       arXiv:1709.01507, Table 2
    resnet101  paper        224         -       -           7.58G    -       arXiv:1709.01507, Table 2
    resnet152  paper        224         -       -           11.3G    -       arXiv:1709.01507, Table 2
    resnet50   paper        224         -       25.6M       -        -       arXiv:1605.07146, Table 8
    resnet101  paper        224         -       44.5M       -        -       arXiv:1605.07146, Table 8
    resnet152  paper        224         -       60.2M       -        -       arXiv:1605.07146, Table 8
    resnet50   torchvision  224         -       25.5M       4.1G     -       arXiv:1611.05431, Table 1
    resnet18   torchvision  224         -       11,689,512  1.814G   69.758  torchvision 0.28, IMAGENET1K_V1
    resnet34   torchvision  224         -       21,797,672  3.664G   73.314  torchvision 0.28, IMAGENET1K_V1
    resnet50   torchvision  224         -       25,557,032  4.089G   76.130  torchvision 0.28, IMAGENET1K_V1
    resnet101  torchvision  224         -       44,549,160  7.801G   77.374  torchvision 0.28, IMAGENET1K_V1
    resnet152  torchvision  224         -       60,192,808  11.514G  78.312  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "The paper's first comparison (Table 2) pads its shortcuts with zeros, option A; "
    "its deeper networks project them, option B, which is the default here at every "
    'depth, and torchvision\'s. Give shortcut="A" for the other.'
]


def basic(x: Value, channels: Dim, stride: int, expansion: Dim = 1) -> Value:
    """3×3, 3×3 (Figure 5, left)."""
    y = conv_bn_relu(x, channels, kernel=3, stride=stride)
    return batch_norm(conv(y, expansion * channels, kernel=3, bias=False))


def bottleneck(
    x: Value, channels: Dim, stride: int, expansion: Dim = 4, *, late: bool = False
) -> Value:
    """1×1, 3×3, 1×1 (Figure 5, right); ``late`` puts the stride on the 3×3."""
    first, second = (1, stride) if late else (stride, 1)
    y = conv_bn_relu(x, channels, kernel=1, stride=first)
    y = conv_bn_relu(y, channels, kernel=3, stride=second)
    return batch_norm(conv(y, expansion * channels, kernel=1, bias=False))


BLOCKS: dict[tuple[str, str], Callable[..., Value]] = {
    ("basic", "paper"): basic,
    ("basic", "torchvision"): basic,
    ("bottleneck", "paper"): bottleneck,
    ("bottleneck", "torchvision"): partial(bottleneck, late=True),
}


@architecture(
    paper="arXiv:1512.03385",
    year=2015,
    resolution=224,
    published=PUBLISHED,
    members=MEMBERS,
    departures=DEPARTURES,
    idea="blocks that add to their input, at no cost, so that depth can be trained",
    ancestors={
        "vgg": "3×3 convolutions in stages; channels double where the extent halves",
        "highway": "paths around layers, here without gates",
        "batch_normalization": "normalization after every convolution",
        "googlenet": "1×1 reductions, and global average pooling before the classifier",
    },
)
def resnet(
    x: Value,
    *,
    block: str,
    repeats: tuple[int, ...],
    shortcut: Literal["A", "B", "none"] = "B",
    variant: Literal["paper", "torchvision"] = "paper",
    channels: tuple[Dim, ...] = CHANNELS,
    expansion: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """ResNet: blocks learn a residual beside a shortcut, so depth trains."""
    widths = [maps * width for maps in channels]
    branch = partial(BLOCKS[block, variant], expansion=expansion)
    x = stages(stem(x, widths[0]), widths, repeats, branch, shortcut)
    return head(x, classes)
