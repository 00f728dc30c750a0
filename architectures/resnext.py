"""ResNeXt and wide ResNet. Xie et al. 2016, arXiv:1611.05431, Table 1."""

from __future__ import annotations

from functools import partial
from typing import Literal

from architectures.resnet import BOTTLENECK, head, stages, stem
from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, batch_norm, conv, conv_bn_relu
from costmodel.network.registry import Default, architecture


#                       layers, cardinality C, bottleneck width d
MEMBERS = {"resnext50_32x4d": (50, 32, 4), "resnext101_32x4d": (101, 32, 4),
           "resnext101_32x8d": (101, 32, 8), "resnext101_64x4d": (101, 64, 4)}  # fmt: skip

#                    Zagoruyko & Komodakis 2016: one group, k = 2 times as wide
WIDE = {"wide_resnet50_2": 50, "wide_resnet101_2": 101}

PUBLISHED = """
    name              variant      resolution  layers  parameters   macs     top1    source
    resnext50_32x4d   paper        224         50      25.0M        4.2G     -       Table 1
    resnext50_32x4d   paper        224         -       -            4.24G    -       arXiv:1709.01507, Table 2
    resnext101_32x4d  paper        224         101     -            7.99G[1]  -       arXiv:1709.01507, Table 2
    resnext50_32x4d   torchvision  224         -       25,028,904   4.230G   77.618  torchvision 0.28, IMAGENET1K_V1
    resnext101_32x8d  torchvision  224         -       88,791,336   16.414G  79.312  torchvision 0.28, IMAGENET1K_V1
    resnext101_64x4d  torchvision  224         -       83,455,272   15.460G  83.246  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "Not reproduced: convolutions and classifier are 7.97G. That table is 0.25 % above "
    "them for both ResNeXts, and equal for its ResNets.",
]

PUBLISHED_WIDE = """
    name              variant      resolution  parameters   macs     top1    source
    wide_resnet50_2   torchvision  224         68,883,240   11.398G  78.468  torchvision 0.28, IMAGENET1K_V1
    wide_resnet101_2  torchvision  224         126,886,696  22.753G  78.848  torchvision 0.28, IMAGENET1K_V1
"""


@architecture(
    paper="arXiv:1611.05431",
    year=2016,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        name: {
            "repeats": BOTTLENECK[layers],
            "cardinality": Default(cardinality),
            "bottleneck_width": Default(bottleneck_width),
            # torchvision does not have this one.
            **({"variant": "paper"} if name == "resnext101_32x4d" else {}),
        }
        for name, (layers, cardinality, bottleneck_width) in MEMBERS.items()
    },
)
def resnext(
    x: Value,
    *,
    repeats: tuple[int, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    cardinality: Dim = 32,
    bottleneck_width: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """ResNeXt: many narrow paths in one block, as a grouped convolution."""
    del variant  # torchvision's network is the paper's
    inner = cardinality * bottleneck_width
    return aggregated(x, repeats, inner * width, cardinality, width, classes)


@architecture(
    paper="arXiv:1605.07146",
    year=2016,
    resolution=224,
    published=PUBLISHED_WIDE,
    members={name: {"repeats": BOTTLENECK[layers]} for name, layers in WIDE.items()},
)
def wide_resnet(
    x: Value,
    *,
    repeats: tuple[int, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    widening: Dim = 2,
    classes: Dim = 1000,
) -> Value:
    """Wide ResNet: wider bottlenecks instead of more of them."""
    del variant  # the paper's ImageNet network is known as torchvision built it
    return aggregated(x, repeats, 64 * widening, 1, 1, classes)


def aggregated(
    x: Value,
    repeats: tuple[int, ...],
    inner: Dim,
    cardinality: Dim,
    width: Dim,
    classes: Dim,
) -> Value:
    """Build Table 1: the stride is on the 3×3; channels double from stage to stage."""
    widths = [(inner * 2**stage, 256 * width * 2**stage) for stage in range(4)]
    branch = partial(grouped, cardinality=cardinality)
    return head(stages(stem(x, 64 * width), widths, repeats, branch), classes)


def grouped(
    x: Value, widths: tuple[Dim, Dim], stride: int, *, cardinality: Dim
) -> Value:
    """1×1, grouped 3×3, 1×1 (Figure 3c): as many paths as groups."""
    inner, outer = widths
    y = conv_bn_relu(x, inner, kernel=1)
    y = conv_bn_relu(y, inner, kernel=3, stride=stride, groups=cardinality)
    return batch_norm(conv(y, outer, kernel=1, bias=False))
