"""GoogLeNet, the first Inception. Szegedy et al. 2014, arXiv:1409.4842, Table 1."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    adaptive_avg_pool,
    avg_pool,
    concat,
    conv,
    conv_bn_relu,
    dropout,
    flatten,
    global_average_pool,
    linear,
    local_response_norm,
    max_pool,
    relu,
    scope,
)
from costmodel.network.registry import architecture
from costmodel.zoo.inception_blocks import Row, Unit


#        #1×1  #3×3 reduce  #3×3  #5×5 reduce  #5×5  pool proj
TABLE = {"3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
         "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64),
         "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
         "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128),
         "5b": (384, 192, 384, 48, 128, 128)}  # fmt: skip
# The printed K is 1024: conv2 is 112.0K and linear 1000.0K of weights exactly.
PUBLISHED = """
    variant      layer         resolution  layers  parameters  macs    top1    source
    paper        -             224         22      -           1.5G    -       section 5; arXiv:1512.00567, Table 3
    paper        conv1         224         -       2.7Ki[1]    34M[1]  -       Table 1
    paper        conv2         224         -       112Ki       360M    -       Table 1
    paper        inception_3a  224         -       159Ki       128M    -       Table 1
    paper        inception_3b  224         -       380Ki       304M    -       Table 1
    paper        inception_4a  224         -       364Ki[2]    73M     -       Table 1
    paper        inception_4b  224         -       437Ki[2]    88M     -       Table 1
    paper        inception_4c  224         -       463Ki[2]    100M    -       Table 1
    paper        inception_4d  224         -       580Ki[2]    119M    -       Table 1
    paper        inception_4e  224         -       840Ki[2]    170M    -       Table 1
    paper        inception_5a  224         -       1072Ki[3]   54M[3]  -       Table 1
    paper        inception_5b  224         -       1388Ki[2]   71M     -       Table 1
    paper        linear        224         -       1000Ki      1M      -       Table 1
    torchvision  -             224         -       6,624,904   1.498G  69.778  torchvision 0.28, IMAGENET1K_V1
"""


def conv_relu(x: Value, channels: Dim, kernel: int, stride: int = 1) -> Value:
    return relu(conv(x, channels, kernel, stride))


def inception(x: Value, row: Row, unit: Unit, five: int, *, naive: bool) -> Value:
    """Four branches side by side (Figure 2b); naive leaves out the 1×1 reductions."""
    one, reduce3, three, reduce5, fives, projection = row
    first = unit(x, one, 1)
    y, z = (x, x) if naive else (unit(x, reduce3, 1), unit(x, reduce5, 1))
    pooled = max_pool(x, 3, stride=1, padding=1, ceil_mode=True)
    pooled = pooled if naive else unit(pooled, projection, 1)
    return concat(first, unit(y, three, 3), unit(z, fives, five), pooled)


def auxiliary(x: Value, classes: Dim, unit: Unit, variant: str) -> Value:
    """Classify early, to train the lower layers (section 5)."""
    x = adaptive_avg_pool(x, 4) if variant == "torchvision" else avg_pool(x, 5, 3)
    x = relu(linear(flatten(unit(x, 128, 1)), 1024))
    return linear(dropout(x, 70), classes)


@architecture(
    paper="arXiv:1409.4842",
    year=2014,
    resolution=224,
    published=PUBLISHED,
    departures=[
        "2.7K and 34M are bn_inception's separable 7×7; a full one has 9,408 and 118M.",
        "The row's own filters give its printed operations, and other parameters.",
        "The printed filters give 1018K and 51M; both printed figures are 5 % above.",
    ],
    idea="branches of several kernel sizes, affordable behind narrow 1×1 layers",
    ancestors={
        "network_in_network": "1×1 convolutions, and global average pooling",
        "alexnet": "local response normalization, overlapping pools, dropout",
    },
    written={"torchvision": {"relu": "function"}},
)
def googlenet(
    x: Value,
    *,
    variant: Literal["paper", "torchvision"] = "paper",
    aux: bool = False,
    naive: bool = False,
    width: Dim = 1,
    classes: Dim = 1000,
) -> list[Value]:
    """GoogLeNet: branches of several kernel sizes, made cheap by 1×1 reductions."""
    is_paper = variant == "paper"
    # torchvision normalizes batches, and has 3×3 where the paper has 5×5.
    unit, five = (conv_relu, 5) if is_paper else (conv_bn_relu, 3)
    early: list[Value] = []
    with scope("conv1"):
        x = unit(x, 64 * width, 7, 2)
    x = max_pool(x, 3, 2, ceil_mode=True)
    x = local_response_norm(x) if is_paper else x
    with scope("conv2"):
        x = unit(unit(x, 64 * width, 1), 192 * width, 3)
    x = max_pool(local_response_norm(x) if is_paper else x, 3, 2, ceil_mode=True)
    for name, row in TABLE.items():
        with scope(f"inception_{name}"):
            x = inception(x, tuple(f * width for f in row), unit, five, naive=naive)
        if name in ("3b", "4e"):
            x = max_pool(x, 3 if is_paper or name == "3b" else 2, 2, ceil_mode=True)
        if aux and name in ("4a", "4d"):
            with scope(f"aux_{name}"):
                early.append(auxiliary(x, classes, unit, variant))
    return [linear(dropout(global_average_pool(x), 40), classes, name="linear"), *early]
