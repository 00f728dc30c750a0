"""MnasNet. Tan et al. 2018, arXiv:1807.11626, Figure 7."""

from __future__ import annotations

from typing import Any, Literal

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, Rational, floor_div, is_equal
from costmodel.network.build import (
    Value,
    activation,
    add,
    batch_norm,
    conv,
    depthwise,
    dropout,
    global_average_pool,
    linear,
    scope,
)
from costmodel.network.registry import Default, architecture
from costmodel.zoo.blocks import squeeze_excite


#     kernel, channels, layers, stride, expansion, squeeze-excite
A1 = [(3, 16, 1, 1, 1, False), (3, 24, 2, 2, 6, False), (5, 40, 3, 2, 3, True),
      (3, 80, 4, 2, 6, False), (3, 112, 2, 1, 6, True), (5, 160, 3, 2, 6, True),
      (3, 320, 1, 1, 6, False)]  # fmt: skip
B1 = [(3, 16, 1, 1, 1, False), (3, 24, 3, 2, 3, False), (5, 40, 3, 2, 3, False),
      (5, 80, 3, 2, 6, False), (3, 96, 2, 1, 6, False), (5, 192, 4, 2, 6, False),
      (3, 320, 1, 1, 6, False)]  # fmt: skip
SMALL = [(3, 8, 1, 1, 1, False), (3, 16, 1, 2, 3, False), (3, 16, 2, 2, 6, False),
         (5, 32, 4, 2, 6, True), (3, 32, 3, 1, 6, True), (5, 88, 3, 2, 6, True),
         (3, 144, 1, 1, 6, False)]  # fmt: skip
WIDTHS = {"0_5": "1/2", "0_75": "3/4", "1_0": "1", "1_3": "1.3"}  # of B1
MEMBERS: dict[str, dict[str, Any]] = {
    "mnasnet_a1": {"rows": A1, "stem": 32, "variant": "paper"},
    "mnasnet_small": {"rows": SMALL, "stem": 8, "variant": "paper"},
    **{f"mnasnet{name}": {"rows": B1, "stem": 32, "width": Default(Rational(width))}
       for name, width in WIDTHS.items()},
}  # fmt: skip

PUBLISHED = """
    name           variant      width  resolution  parameters  macs       top1    source
    mnasnet_a1     paper        1      224         3.9M        312M       75.2    Table 1
    mnasnet_a1     paper        0.35   224         1.7M        63M[1]     64.1    Table 4
    mnasnet_small  paper        1      224         2.0M        68M        66.0    Table 4
    mnasnet_a1     paper        1.4    224         6.1M        591.5M[1]  77.2    tensorflow/tpu, mnasnet/README
    mnasnet_a1     paper        1      224         3.9M        315.2M[1]  75.2    tensorflow/tpu, mnasnet/README
    mnasnet0_5     torchvision  1/2    224         2,218,512   0.104G     67.734  torchvision 0.28, IMAGENET1K_V1
    mnasnet0_75    torchvision  3/4    224         3,170,208   0.215G     71.180  torchvision 0.28, IMAGENET1K_V1
    mnasnet1_0     torchvision  1      224         4,383,312   0.314G     73.456  torchvision 0.28, IMAGENET1K_V1
    mnasnet1_3     torchvision  1.3    224         6,282,256   0.526G     76.506  torchvision 0.28, IMAGENET1K_V1
"""


def conv_bn(x: Value, channels: Dim, kernel: int, stride: int, kind: str) -> Value:
    y = conv(x, channels, kernel, stride, bias=False)
    return activation(batch_norm(y), kind)


def mbconv(
    x: Value,
    channels: Dim,
    kernel: int,
    stride: int,
    expansion: int,
    reduction: Dim | None = None,
    kind: str = "relu",
) -> Value:
    """MBConv (Figure 7): MobileNet v2's block, gated where a reduction is given."""
    y = x
    if expansion != 1:
        y = conv_bn(y, expansion * x.channels, 1, 1, kind)
    y = depthwise(y, kernel, stride, bias=False)
    y = activation(batch_norm(y), kind)
    if reduction is not None:
        y = squeeze_excite(y, floor_div(x.channels, reduction), kind)
    y = batch_norm(conv(y, channels, kernel=1, bias=False))
    return add(x, y) if stride == 1 and is_equal(x.channels, channels) else y


@architecture(
    paper="arXiv:1807.11626",
    year=2018,
    resolution=224,
    published=PUBLISHED,
    departures=["Not reproduced: 1 to 2 % above convolutions and classifier."],
    members=MEMBERS,
    idea="layers searched for, stage by stage, for accuracy at a measured latency",
    ancestors={
        "mobilenet_v2": "inverted residuals as the searched block",
        "se_resnet": "squeeze and excitation, one of the searched choices",
    },
    written={"torchvision": {"adaptive_avg_pool": "arithmetic"}},
)
def mnasnet(
    x: Value,
    *,
    rows: list[tuple[int, int, int, int, int, bool]],
    stem: int,
    variant: Literal["paper", "torchvision"] = "paper",
    reduction: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """MnasNet: a searched mix of kernels, expansions and gates."""
    del variant  # torchvision's network is B1 as released
    with scope("stem"):
        x = conv_bn(x, make_divisible(stem, width, 8), 3, 2, "relu")
    for stage, (kernel, channels, layers, stride, expansion, gated) in enumerate(
        rows, 1
    ):
        maps = make_divisible(channels, width, 8)
        for number in range(1, layers + 1):
            with scope(f"stage{stage}"), scope(f"block{number}"):
                step = stride if number == 1 else 1
                gate = reduction if gated else None
                x = mbconv(x, maps, kernel, step, expansion, gate)
    with scope("head"):
        x = conv_bn(x, 1280, 1, 1, "relu")
        return linear(dropout(global_average_pool(x), 20), classes)
