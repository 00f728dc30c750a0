"""ResNeXt. Xie et al. 2016, arXiv:1611.05431, Tables 1 and 7."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, batch_norm, conv, conv_bn_relu, scope
from costmodel.network.registry import Default, architecture
from costmodel.zoo.residual import doubled, head, stages, stem
from costmodel.zoo.resnet import BOTTLENECK


#                       layers, cardinality C, bottleneck width d
MEMBERS = {"resnext50_32x4d": (50, 32, 4), "resnext101_32x4d": (101, 32, 4),
           "resnext101_32x8d": (101, 32, 8), "resnext101_64x4d": (101, 64, 4)}  # fmt: skip

PUBLISHED = """
    name              variant      resolution  layers  parameters   macs     top1    source
    resnext50_32x4d   paper        224         50      25.0M        4.2G     -       Table 1
    resnext50_32x4d   paper        224         -       -            4.24G    -       arXiv:1709.01507, Table 2
    resnext101_32x4d  paper        224         101     -            7.99G[1]  -       arXiv:1709.01507, Table 2
    resnext50_32x4d   torchvision  224         -       25,028,904   4.230G   77.618  torchvision 0.28, IMAGENET1K_V1
    resnext101_32x8d  torchvision  224         -       88,791,336   16.414G  79.312  torchvision 0.28, IMAGENET1K_V1
    resnext101_64x4d  torchvision  224         -       83,455,272   15.460G  83.246  torchvision 0.28, IMAGENET1K_V1
    resnext101_64x4d  paper        320         -       84M          32G      -       arXiv:1905.11946, Table 2
"""

DEPARTURES = [
    "Convolutions and classifier are 7.97G. Every figure of that table comes out with "
    "one more operation for each normalized element, here 7.991G."
]

PUBLISHED_CIFAR = """
    name                    resolution  layers  parameters  source
    resnext29_8x64d_cifar   32          29      34.4M       Table 7
    resnext29_16x64d_cifar  32          29      68.1M       Table 7
    resnext29_16x64d_cifar  32          -       68,155,210  osmr/imgclsmob, pytorch/README
"""

ANCESTORS = {
    "resnet": "shortcuts around bottlenecks, stages that halve and double",
    "googlenet": "split, transform, merge: here with paths that are all alike",
    "alexnet": "grouped convolution, which is all the paths at once",
}


def grouped(
    x: Value, widths: tuple[Dim, Dim], stride: int, *, cardinality: Dim
) -> Value:
    """1×1, grouped 3×3, 1×1 (Figure 3c): as many paths as groups."""
    inner, outer = widths
    y = conv_bn_relu(x, inner, kernel=1)
    y = conv_bn_relu(y, inner, kernel=3, stride=stride, groups=cardinality)
    return batch_norm(conv(y, outer, kernel=1, bias=False))


def preset(layers: int, cardinality: int, bottleneck_width: int) -> dict[str, Any]:
    return {
        "repeats": Default(BOTTLENECK[layers]),
        "cardinality": Default(cardinality),
        "bottleneck_width": Default(bottleneck_width),
    }


@architecture(
    paper="arXiv:1611.05431",
    year=2016,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    # torchvision does not have resnext101_32x4d.
    members={name: preset(*numbers) | ({"variant": "paper"} if numbers == (101, 32, 4) else {})
             for name, numbers in MEMBERS.items()},
    idea="cardinality: at equal cost, more and narrower paths through a bottleneck",
    ancestors=ANCESTORS,
)  # fmt: skip
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
    widths = doubled(cardinality * bottleneck_width * width, 256 * width)
    branch = partial(grouped, cardinality=cardinality)
    return head(stages(stem(x, 64 * width), widths, repeats, branch), classes)


@architecture(
    paper="arXiv:1611.05431",
    year=2016,
    resolution=32,
    published=PUBLISHED_CIFAR,
    members={f"resnext29_{C}x64d_cifar": {"cardinality": Default(C)} for C in (8, 16)},
    idea="many narrow paths on small images, in stages of n blocks",
    ancestors={"resnext": "grouped bottlenecks", "resnet_cifar": "three stages of n blocks, of sides 32, 16 and 8"},
)  # fmt: skip
def resnext_cifar(
    x: Value,
    *,
    n: int = 3,
    cardinality: Dim = 8,
    bottleneck_width: Dim = 64,
    width: Dim = 1,
    classes: Dim = 10,
) -> Value:
    """ResNeXt for CIFAR-10: 9n+2 layers, n = 3 (section 5.3)."""
    widths = doubled(cardinality * bottleneck_width * width, 256 * width, stages=3)
    with scope("stem"):
        x = conv_bn_relu(x, 64 * width, kernel=3)
    branch = partial(grouped, cardinality=cardinality)
    return head(stages(x, widths, [n] * len(widths), branch), classes)
