"""BN-Inception. Ioffe & Szegedy 2015, arXiv:1502.03167, Figure 5."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    avg_pool,
    concat,
    conv,
    conv_bn_relu,
    max_pool,
    scope,
)
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import Gate, Row, Unit, head


#        #1×1  #3×3 reduce  #3×3  double reduce  double 3×3  pool proj
TABLE = {"3a": (64, 64, 64, 64, 96, 32), "3b": (64, 64, 96, 64, 96, 64),
         "3c": (0, 128, 160, 64, 96, 0), "4a": (224, 64, 96, 96, 128, 128),
         "4b": (192, 96, 128, 96, 128, 128), "4c": (160, 128, 160, 128, 160, 96),
         "4d": (96, 128, 192, 160, 192, 96), "4e": (0, 128, 192, 192, 256, 0),
         "5a": (352, 192, 320, 160, 224, 128), "5b": (352, 192, 320, 192, 224, 128)}  # fmt: skip

CAFFE = {"4c": (160, 128, 160, 128, 160, 128), "4d": (96, 128, 192, 160, 192, 128)}

PUBLISHED = """
    variant  resolution  parameters  macs   top1  source
    paper    224         13.6M[1]    -      -     section 4.2
    paper    224         -           2.0G   74.8  arXiv:1512.00567, Table 3
    caffe    224         -           2.03G  -     arXiv:1709.01507, Table 2
"""

DEPARTURES = [
    "Not reproduced: 11.19M, or 11.29M as in Caffe.",
    "Figure 5 prints 128 channels for the projections of 4c and 4d, but 576 for what these "
    "modules give and 1024 for 4e, which needs 96: so it is here, as in the authors' "
    "TF-slim. Others have 128, and a full 7×7 in front: that is the variant caffe.",
    "Pools that halve are padded as the convolutions beside them are; Caffe's, which "
    "round up instead, fit them at even sizes only.",
]


def inception(x: Value, row: Row, pool: Unit) -> Value:
    """Stack four branches: 1×1, 3×3, twice 3×3, and a pool."""
    one, *_, projection = row
    first, second, third = conv_bn_relu(x, one, 1), *branches(x, row[1:-1])
    pooled = conv_bn_relu(pool(x, 3, 1, padding=1), projection, 1)
    return concat(first, second, third, pooled)


def reduction(x: Value, row: Row) -> Value:
    """Halve the feature map by strided branches beside a pool, which keeps channels."""
    return concat(*branches(x, row[1:-1], 2), max_pool(x, 3, 2, padding=1))


def branches(x: Value, row: Row, stride: int = 1) -> tuple[Value, Value]:
    """3×3, and twice 3×3 in place of 5×5, each behind its 1×1 reduction."""
    reduce, three, double_reduce, double = row
    y = conv_bn_relu(conv_bn_relu(x, reduce, 1), three, 3, stride)
    z = conv_bn_relu(conv_bn_relu(x, double_reduce, 1), double, 3)
    return y, conv_bn_relu(z, double, 3, stride)


def stem(x: Value, width: Dim, *, separable: bool) -> Value:
    """Separate the 7×7 into 8 kernels per channel and a 1×1: 1/3.5 of its cost."""
    if separable:
        x = conv(x, 8 * x.channels, 7, 2, groups=x.channels, bias=False)
    x = conv_bn_relu(x, 64 * width, *((1, 1) if separable else (7, 2)))
    x = conv_bn_relu(max_pool(x, 3, 2, padding=1), 64 * width, 1)
    return max_pool(conv_bn_relu(x, 192 * width, 3), 3, 2, padding=1)


def features(x: Value, variant: str, width: Dim, gate: Gate = lambda y: y) -> Value:
    """Build all that precedes the classifier; a gate follows every module."""
    with scope("stem"):
        x = stem(x, width, separable=variant == "paper")
    for name, printed in (TABLE if variant == "paper" else TABLE | CAFFE).items():
        row = tuple(maps * width for maps in printed)
        with scope(f"inception_{name}"):
            if printed[0] == 0:
                x = gate(reduction(x, row))
            else:
                x = gate(inception(x, row, max_pool if name == "5b" else avg_pool))
    return x


@architecture(
    paper="arXiv:1502.03167",
    year=2015,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="every layer's inputs normalized over the batch; two 3×3 in place of 5×5",
    ancestors={
        "googlenet": "modules of branches behind 1×1 reductions",
        "vgg": "two 3×3 in place of one larger kernel",
        "batch_normalization": "proposed in the same paper",
        "separable_convolution": "the first layer, with 8 kernels per channel",
    },
)
def bn_inception(
    x: Value,
    *,
    variant: Literal["paper", "caffe"] = "paper",
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """BN-Inception: GoogLeNet with normalized layers, and no kernel above 3×3."""
    return head(features(x, variant, width), classes)
