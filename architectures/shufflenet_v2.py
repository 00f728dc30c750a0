"""ShuffleNet v2. Ma, Zhang, Zheng, Sun 2018, arXiv:1807.11164, Table 5."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim, exact_div
from costmodel.network.build import (
    Value,
    batch_norm,
    channel_shuffle,
    concat,
    conv_bn_relu,
    depthwise,
    global_average_pool,
    linear,
    max_pool,
    scope,
    split,
)
from costmodel.network.registry import Default, architecture


#                  stages 2, 3 and 4, and the last 1×1
CHANNELS: dict[str, tuple[Dim, ...]] = {
    "x0_5": (48, 96, 192, 1024), "x1_0": (116, 232, 464, 1024),
    "x1_5": (176, 352, 704, 1024), "x2_0": (244, 488, 976, 2048),
}  # fmt: skip
REPEATS = (4, 8, 4)

PUBLISHED = """
    name                variant      resolution  parameters  macs     top1    source
    shufflenet_v2_x0_5  paper        224         1.4M        41M      -       Table 5
    shufflenet_v2_x1_0  paper        224         2.3M        146M[1]  -       Table 5
    shufflenet_v2_x1_5  paper        224         3.5M        299M[1]  -       Table 5
    shufflenet_v2_x2_0  paper        224         7.4M        591M[1]  -       Table 5
    shufflenet_v2_x0_5  torchvision  224         1,366,792   0.040G   60.552  torchvision 0.28, IMAGENET1K_V1
    shufflenet_v2_x1_0  torchvision  224         2,278,604   0.145G   69.362  torchvision 0.28, IMAGENET1K_V1
    shufflenet_v2_x1_5  torchvision  224         3,503,624   0.296G   72.996  torchvision 0.28, IMAGENET1K_V1
    shufflenet_v2_x2_0  torchvision  224         7,393,996   0.583G   76.230  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "Not reproduced: convolutions and classifier, which the authors say they count, are "
    "144.9M, 295.8M and 583.3M, here and in torchvision."
]


def unit(x: Value, channels: Dim, stride: int) -> Value:
    """Figure 3c: one half passes, the other is convolved; 3d (stride 2) convolves both."""
    half = exact_div(channels, 2)
    if stride == 1:
        kept, y = split(x)
    else:
        kept, y = batch_norm(depthwise(x, kernel=3, stride=stride, bias=False)), x
        kept = conv_bn_relu(kept, half, kernel=1)
    y = conv_bn_relu(y, half, kernel=1)
    y = batch_norm(depthwise(y, kernel=3, stride=stride, bias=False))
    return channel_shuffle(concat(kept, conv_bn_relu(y, half, kernel=1)), 2)


@architecture(
    paper="arXiv:1807.11164",
    year=2018,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    members={
        f"shufflenet_v2_{name}": {"channels": Default(channels)}
        for name, channels in CHANNELS.items()
    },
    idea="equal widths and no groups, since memory is moved as well as multiplied",
    ancestors={
        "shufflenet_v1": "depthwise units, and the shuffle",
        "densenet": "feature maps passed on and concatenated, not added",
    },
    written={"torchvision": {"adaptive_avg_pool": "arithmetic"}},
)
def shufflenet_v2(
    x: Value,
    *,
    channels: tuple[Dim, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    stem: Dim = 24,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """ShuffleNet v2: half the channels pass each unit untouched."""
    del variant  # torchvision's network is the paper's
    *stages, last = (maps * width for maps in channels)
    with scope("stem"):
        x = conv_bn_relu(x, stem * width, kernel=3, stride=2)
        x = max_pool(x, kernel=3, stride=2, padding=1)
    for stage, (maps, repeats) in enumerate(zip(stages, REPEATS), start=2):
        for number in range(1, repeats + 1):
            with scope(f"stage{stage}"), scope(f"unit{number}"):
                x = unit(x, maps, 2 if number == 1 else 1)
    with scope("head"):
        x = conv_bn_relu(x, last, kernel=1)
        return linear(global_average_pool(x), classes)
