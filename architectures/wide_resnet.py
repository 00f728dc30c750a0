"""Wide ResNet. Zagoruyko & Komodakis 2016, arXiv:1605.07146, Tables 1 and 4."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import Value, conv_bn_relu, scope
from costmodel.network.registry import Default, architecture
from costmodel.zoo.preact_resnet import basic as basic_wide
from costmodel.zoo.preact_resnet import preactivated
from costmodel.zoo.residual import doubled, head, stages, stem
from costmodel.zoo.resnet import BASIC, BOTTLENECK, basic
from costmodel.zoo.resnext import grouped


MEMBERS: dict[str, dict[str, Any]] = {
    **{f"wide_resnet{d}_2": {"block": "basic", "repeats": Default(r), "variant": "paper"}
       for d, r in BASIC.items()},
    **{f"wide_resnet{d}_2": {"block": "bottleneck", "repeats": Default(BOTTLENECK[d])}
       for d in (50, 101)},
}  # fmt: skip

PUBLISHED = """
    name              variant      widening  resolution  parameters   macs     top1    source
    wide_resnet18_2   paper        3/2       224         25.9M        -        -       Table 7
    wide_resnet18_2   paper        2         224         45.6M        -        -       Table 7
    wide_resnet18_2   paper        3         224         101.8M       -        -       Table 7
    wide_resnet34_2   paper        3/2       224         48.6M        -        -       Table 7
    wide_resnet34_2   paper        2         224         86.0M        -        -       Table 7
    wide_resnet50_2   paper        2         224         68.9M        -        -       Table 8
    wide_resnet50_2   torchvision  2         224         68,883,240   11.398G  78.468  torchvision 0.28, IMAGENET1K_V1
    wide_resnet101_2  torchvision  2         224         126,886,696  22.753G  78.848  torchvision 0.28, IMAGENET1K_V1
"""

PUBLISHED_CIFAR = """
    name                     n  widening  resolution  layers  parameters  source
    wide_resnet40_4_cifar    6  1         32          -       0.6M        Table 4
    wide_resnet40_4_cifar    6  2         32          -       2.2M        Table 4
    wide_resnet40_4_cifar    6  4         32          40[1]   8.9M        Table 4
    wide_resnet40_4_cifar    6  8         32          -       35.7M       Table 4
    wide_resnet28_10_cifar   4  2         32          -       1.5M        Table 2
    wide_resnet28_10_cifar   4  10        32          28[1]   36.5M       Table 4
    wide_resnet28_10_cifar   4  12        32          -       52.5M       Table 4
    wide_resnet16_8_cifar    3  8         32          -       17.2M       Table 4
    wide_resnet16_8_cifar    3  10        32          -       26.8M       Table 4
    wide_resnet16_8_cifar    2  8         32          16[1]   11.0M       Table 4
    wide_resnet16_8_cifar    2  10        32          -       17.1M       Table 4
    wide_resnet40_4_cifar    6  8         32          -       35,748,314  osmr/imgclsmob, pytorch/README
    wide_resnet28_10_cifar   4  10        32          -       36,479,194  osmr/imgclsmob, pytorch/README
    wide_resnet16_8_cifar    2  10        32          -       17,116,634  osmr/imgclsmob, pytorch/README
"""

DEPARTURES = [
    "The paper counts all convolutions, with the three projections and without the "
    "classifier: 6n+4 for k > 1. The longest path has 6n+2 layers."
]


@architecture(
    paper="arXiv:1605.07146",
    year=2016,
    resolution=224,
    published=PUBLISHED,
    members=MEMBERS,
    idea="width in exchange for depth: few layers of k times the channels",
    ancestors={"resnet": "blocks, stages and depths, which stay"},
)
def wide_resnet(
    x: Value,
    *,
    block: str,
    repeats: tuple[int, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    widening: Dim = 2,
    classes: Dim = 1000,
) -> Value:
    """Wide ResNet: wider blocks instead of more of them."""
    del variant  # the paper's bottlenecks are known as torchvision built them
    x = stem(x, 64)
    if block == "basic":
        widths = [64 * widening * 2**stage for stage in range(4)]
        return head(stages(x, widths, repeats, basic), classes)
    # Only the 3×3 is wider: a block's output keeps its channels.
    branch = partial(grouped, cardinality=1)
    return head(stages(x, doubled(64 * widening, 256), repeats, branch), classes)


@architecture(
    paper="arXiv:1605.07146",
    year=2016,
    resolution=32,
    published=PUBLISHED_CIFAR,
    departures=DEPARTURES,
    members={
        f"wide_resnet{6 * n + 4}_{k}_cifar": {"n": Default(n), "widening": Default(k)}
        for n, k in ((2, 8), (4, 10), (6, 4))
    },
    idea="sixteen wide layers in place of a thousand thin ones",
    ancestors={
        "preact_resnet_cifar": "three stages of n blocks, activated before convolution",
        "wide_resnet": "all channels of the stages times k",
    },
)
def wide_resnet_cifar(
    x: Value, *, n: int = 4, widening: Dim = 10, classes: Dim = 10
) -> Value:
    """Wide ResNet for CIFAR-10: n blocks per stage, k times as wide (Table 1)."""
    with scope("stem"):
        x = conv_bn_relu(x, 16, kernel=3)
    widths = [16 * widening * 2**stage for stage in range(3)]
    return head(preactivated(x, widths, [n] * 3, basic_wide), classes)
