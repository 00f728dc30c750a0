"""SENet-154. Hu et al. 2017, arXiv:1709.01507, the appendix on SENet-154."""

from __future__ import annotations

from functools import partial
from typing import Any

from costmodel.algebra.symbols import Dim, exact_div, is_equal
from costmodel.network.build import (
    Value,
    batch_norm,
    conv,
    conv_bn_relu,
    dropout,
    global_average_pool,
    linear,
    max_pool,
    require,
    scope,
)
from costmodel.network.registry import architecture
from costmodel.zoo.residual import close, doubled, stack
from costmodel.zoo.resnet import BOTTLENECK
from costmodel.zoo.senet import excited


PUBLISHED = """
    resolution  layers  parameters   macs  source
    224         154     -            -     appendix
    224         -       115,088,984  -     timm 1.0, legacy_senet154
    320         -       146M[1]      42G   arXiv:1905.11946, Table 2
"""

DEPARTURES = [
    "Not reproduced: the released network has 115.1M. With its first 1×1s not halved it "
    "would have 143.8M, and 54.7G multiply-accumulates where 42G is printed."
]


def stem(x: Value, channels: Dim) -> Value:
    """Three 3×3 in place of the 7×7; the released pool has no padding."""
    with scope("stem"):
        x = conv_bn_relu(x, exact_div(channels, 2), kernel=3, stride=2)
        x = conv_bn_relu(x, exact_div(channels, 2), kernel=3)
        x = conv_bn_relu(x, channels, kernel=3)
        return max_pool(x, kernel=3, stride=2, ceil_mode=True)


def block(
    x: Value, widths: Any, stride: int, *, cardinality: Dim, reduction: Dim
) -> Value:
    """1×1 of half the channels, grouped 3×3, 1×1, gated; strided projections are 3×3."""
    inner, outer = widths
    y = conv_bn_relu(x, exact_div(inner, 2), kernel=1)
    y = conv_bn_relu(y, inner, kernel=3, stride=stride, groups=cardinality)
    y = batch_norm(conv(y, outer, kernel=1, bias=False))
    y = excited(y, reduction, bias=True)
    return close(x, y, stride, kernel=3 if stride > 1 else 1)


@architecture(
    paper="arXiv:1709.01507",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="a gated ResNeXt-152, thinned at its widest 1×1s and in its stem",
    ancestors={
        "se_resnext": "gated blocks of many narrow paths",
        "inception_v3": "three 3×3 in place of the first 7×7",
        "dropout": "before the classifier",
    },
)
def senet154(
    x: Value,
    *,
    repeats: tuple[int, ...] = BOTTLENECK[152],
    reduction: Dim = 16,
    cardinality: Dim = 64,
    bottleneck_width: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """SENet-154: a ResNeXt-152 of 64 paths with gates, thinned where it is cheap."""
    inner = cardinality * bottleneck_width * width
    require(
        not is_equal(inner % 2, 1),
        f"cardinality · bottleneck_width = {inner} is odd; its half is needed",
    )
    widths = doubled(inner, 256 * width)
    unit = partial(block, cardinality=cardinality, reduction=reduction)
    x = stack(stem(x, 128 * width), widths, repeats, unit)
    with scope("head"):
        return linear(dropout(global_average_pool(x), 20), classes)
