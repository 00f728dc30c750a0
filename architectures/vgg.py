"""VGG. Simonyan & Zisserman 2014, arXiv:1409.1556, Table 1."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    adaptive_avg_pool,
    batch_norm,
    conv,
    dropout,
    flatten,
    linear,
    max_pool,
    relu,
    scope,
)
from costmodel.network.registry import architecture


CHANNELS: tuple[Dim, ...] = (64, 128, 256, 512, 512)

#          3×3 convolutions per stage, between 2×2 max pools
DEPTHS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2),
          "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # fmt: skip

PUBLISHED = """
    name      variant      resolution  layers  parameters   macs     top1    source
    vgg11     paper        224         11      133M         -        -       Table 2, column A
    vgg13     paper        224         13      133M         -        -       Table 2, column B
    vgg16     paper        224         16      138M         -        -       Table 2, column D
    vgg19     paper        224         19      144M         -        -       Table 2, column E
    vgg11     torchvision  224         -       132,863,336  7.609G   69.020  torchvision 0.28, IMAGENET1K_V1
    vgg13     torchvision  224         -       133,047,848  11.308G  69.928  torchvision 0.28, IMAGENET1K_V1
    vgg16     torchvision  224         -       138,357,544  15.470G  71.592  torchvision 0.28, IMAGENET1K_V1
    vgg19     torchvision  224         -       143,667,240  19.632G  72.376  torchvision 0.28, IMAGENET1K_V1
    vgg11_bn  torchvision  224         -       132,868,840  7.609G   70.370  torchvision 0.28, IMAGENET1K_V1
    vgg13_bn  torchvision  224         -       133,053,736  11.308G  71.586  torchvision 0.28, IMAGENET1K_V1
    vgg16_bn  torchvision  224         -       138,365,992  15.470G  73.360  torchvision 0.28, IMAGENET1K_V1
    vgg19_bn  torchvision  224         -       143,678,248  19.632G  74.218  torchvision 0.28, IMAGENET1K_V1
"""


@architecture(
    paper="arXiv:1409.1556",
    year=2014,
    resolution=224,
    published=PUBLISHED,
    members={
        f"{name}{suffix}": {"depths": depths, "normalized": suffix == "_bn"}
        for suffix in ("", "_bn")
        for name, depths in DEPTHS.items()
    },
    idea="depth: stacks of 3×3 convolutions in place of large kernels",
    ancestors={"alexnet": "ReLU, max pools, and three dense layers with dropout"},
)
def vgg(
    x: Value,
    *,
    depths: tuple[int, ...],
    normalized: bool,
    variant: Literal["paper", "torchvision"] = "paper",
    channels: tuple[Dim, ...] = CHANNELS,
    width: Dim = 1,
    hidden: Dim = 4096,
    classes: Dim = 1000,
) -> Value:
    """VGG: 3×3 convolutions only; channels double where the extent halves."""
    for stage, (repeats, maps) in enumerate(zip(depths, channels), start=1):
        with scope(f"stage{stage}"):
            for _ in range(repeats):
                x = conv(x, maps * width, kernel=3)
                x = relu(batch_norm(x) if normalized else x)
            x = max_pool(x, 2)
    with scope("head"):
        # torchvision fits any input size by pooling to 7×7; at 224 that is a copy.
        x = flatten(adaptive_avg_pool(x, 7) if variant == "torchvision" else x)
        for _ in range(2):
            x = dropout(relu(linear(x, hidden)))
        return linear(x, classes)
