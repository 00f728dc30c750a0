"""ShuffleNet. Zhang, Zhou, Lin, Sun 2017, arXiv:1707.01083, Table 1."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim, exact_div, floor_div
from costmodel.network.build import (
    Value,
    add,
    avg_pool,
    batch_norm,
    channel_shuffle,
    concat,
    conv,
    conv_bn_relu,
    depthwise,
    global_average_pool,
    linear,
    max_pool,
    relu,
    scope,
)
from costmodel.network.registry import architecture
from costmodel.zoo.blocks import squeeze_excite


#          channels of stages 2, 3 and 4, by groups: about the same cost for each
CHANNELS = {1: (144, 288, 576), 2: (200, 400, 800), 3: (240, 480, 960),
            4: (272, 544, 1088), 8: (384, 768, 1536)}  # fmt: skip
REPEATS = (4, 8, 4)

# The release keeps 24 channels in the stem at width 1.5, and has 16 at 1/2 in 8 groups.
PUBLISHED = """
    groups  stem  width  excited  resolution  parameters  macs     source
    1       24    1      False    224         -           143M     Table 1
    2       24    1      False    224         -           140M     Table 1
    3       24    1      False    224         -           137M     Table 1
    4       24    1      False    224         -           133M[1]  Table 1
    8       24    1      False    224         -           137M[1]  Table 1
    8       24    1      False    224         -           140M[2]  Table 5
    3       24    2      False    224         -           524M     Table 5
    3       24    2      True     224         -           527M     Table 5
    3       24    1      False    224         1.8M        140M[2]  arXiv:1709.01507, Table 3
    3       24    1      True     224         2.4M        142M[2]  arXiv:1709.01507, Table 3
    3       24    1/2    False    224         0.7M        38M      megvii-model/ShuffleNet-Series, README
    3       24    1      False    224         1.9M        138M     megvii-model/ShuffleNet-Series, README
    3       16    1.5    False    224         3.4M        292M     megvii-model/ShuffleNet-Series, README
    3       24    2      False    224         5.4M        524M     megvii-model/ShuffleNet-Series, README
    8       32    1/2    False    224         1.0M        40M      megvii-model/ShuffleNet-Series, README
    8       24    1      False    224         2.4M        138M     megvii-model/ShuffleNet-Series, README
    8       16    1.5    False    224         4.3M        290M     megvii-model/ShuffleNet-Series, README
    8       24    2      False    224         6.5M        522M     megvii-model/ShuffleNet-Series, README
    1       24    1/4    False    224         209,746     -        osmr/imgclsmob, ShuffleNet x0.25 (g=1)
    3       24    1/4    False    224         305,902     -        osmr/imgclsmob, ShuffleNet x0.25 (g=3)
"""

DEPARTURES = [
    "Table 1 counts convolutions alone, 133.3M and 136.8M; the classifier adds 1.09M and "
    "1.54M. The other rows agree within their last digit either way.",
    "Table 2 prints one complexity of 140M for all groups at width 1, where Table 1 has "
    "133M to 143M; later tables repeat it. The gates add 0.6M.",
]


def unit(
    x: Value, channels: Dim, stride: int, groups: int, entry: int, *, excited: bool
) -> Value:
    """Figure 2b, 2c at stride 2: grouped 1×1, shuffle, 3×3 depthwise, grouped 1×1."""
    y = conv_bn_relu(x, exact_div(channels, 4), kernel=1, groups=entry)
    y = channel_shuffle(y, groups) if groups != 1 else y
    y = batch_norm(depthwise(y, kernel=3, stride=stride, bias=False))
    maps = channels if stride == 1 else channels - x.channels
    y = batch_norm(conv(y, maps, kernel=1, groups=groups, bias=False))
    if excited:
        y = squeeze_excite(y, floor_div(maps, 16), bias=False)
    if stride == 1:
        return relu(add(x, y))
    return relu(concat(avg_pool(x, kernel=3, stride=2, padding=1), y))


@architecture(
    paper="arXiv:1707.01083",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="1×1 convolutions in groups as well, mixed by shuffling the channels",
    ancestors={
        "resnext": "grouped convolutions, here also for the 1×1 layers",
        "mobilenet_v1": "depthwise 3×3 convolutions",
        "resnet": "bottlenecks with shortcuts",
        "se_resnet": "gates, in the version that has them",
    },
)
def shufflenet_v1(
    x: Value,
    *,
    groups: Literal[1, 2, 3, 4, 8] = 3,
    stem: Dim = 24,
    excited: bool = False,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """ShuffleNet v1: grouped 1×1 convolutions, and channels shuffled between them."""
    with scope("stem"):
        x = conv_bn_relu(x, stem * width, kernel=3, stride=2)
        x = max_pool(x, kernel=3, stride=2, padding=1)
    for stage, (maps, repeats) in enumerate(zip(CHANNELS[groups], REPEATS), start=2):
        for number in range(1, repeats + 1):
            # The first 1×1 has too few channels to be grouped.
            entry = 1 if stage == 2 and number == 1 else groups
            stride = 2 if number == 1 else 1
            with scope(f"stage{stage}"), scope(f"unit{number}"):
                x = unit(x, maps * width, stride, groups, entry, excited=excited)
    with scope("head"):
        return linear(global_average_pool(x), classes)
