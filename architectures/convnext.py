"""ConvNeXt. Liu, Mao, Wu, Feichtenhofer, Darrell, Xie 2022, arXiv:2201.03545, Table 9."""

from __future__ import annotations

from typing import Any, Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    activation,
    add,
    conv,
    depthwise,
    flatten,
    global_average_pool,
    last_linear,
    layer_norm,
    linear,
    permute,
    scale,
    scope,
)
from costmodel.network.registry import Default, architecture


CHANNELS_LAST, CHANNELS_FIRST = (2, 3, 1), (3, 1, 2)

#                   blocks per stage B, channels C        section 3
TABLE = {"tiny":  ((3, 3, 9, 3),  (96, 192, 384, 768)),
         "small": ((3, 3, 27, 3), (96, 192, 384, 768)),
         "base":  ((3, 3, 27, 3), (128, 256, 512, 1024)),
         "large": ((3, 3, 27, 3), (192, 384, 768, 1536))}  # fmt: skip

MEMBERS: dict[str, dict[str, Any]] = {
    f"convnext_{name}": {"repeats": Default(blocks), "channels": Default(channels)}
    for name, (blocks, channels) in TABLE.items()
}

PUBLISHED = """
    name            variant      resolution  parameters   macs     top1    source
    convnext_tiny   paper        224         29M          4.5G     82.1    Table 1
    convnext_small  paper        224         50M          8.7G     83.1    Table 1
    convnext_base   paper        224         89M          15.4G    83.8    Table 1
    convnext_base   paper        384         89M          45.0G[1] 85.1    Table 1
    convnext_large  paper        224         198M         34.4G    84.3    Table 1
    convnext_large  paper        384         198M         101.0G   85.5    Table 1
    convnext_tiny   paper        224         28.6M        4.5G     -       Table 9
    convnext_tiny   torchvision  224         28,589,128   4.456G   82.520  torchvision 0.28, IMAGENET1K_V1
    convnext_small  torchvision  224         50,223,688   8.684G   83.616  torchvision 0.28, IMAGENET1K_V1
    convnext_base   torchvision  224         88,591,464   15.355G  84.062  torchvision 0.28, IMAGENET1K_V1
    convnext_large  torchvision  224         197,767,336  34.361G  84.414  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "It is 45.12G: 15.35G times (384/224)², but for the classifier, which has no "
    "positions. The authors' own table of models prints 45.0G and, for the same "
    "network at the same size, 47.0G; their larger network's 101.0G comes out."
]


def norm(x: Value) -> Value:
    """Normalize the channels at each position of a feature map (section 2.6)."""
    return permute(layer_norm(permute(x, CHANNELS_LAST)), CHANNELS_FIRST)


def drawn(x: Value, channels: Dim, expansion: Dim) -> Value:
    """d7×7, 1×1, 1×1 (Figure 4, right), with channels first throughout."""
    y = norm(depthwise(x, kernel=7))
    y = activation(conv(y, expansion * channels, kernel=1), "gelu")
    return scale(conv(y, channels, kernel=1))


def released(x: Value, channels: Dim, expansion: Dim) -> Value:
    """Compute the same with channels last, where a 1×1 is a linear layer."""
    y = layer_norm(permute(depthwise(x, kernel=7), CHANNELS_LAST))
    y = activation(last_linear(y, expansion * channels), "gelu")
    return scale(permute(last_linear(y, channels), CHANNELS_FIRST))


@architecture(
    paper="arXiv:2201.03545",
    year=2022,
    resolution=224,
    published=PUBLISHED,
    members=MEMBERS,
    departures=DEPARTURES,
    idea="a ResNet made as a transformer is: patches, depthwise 7×7, wide in the middle",
    ancestors={
        "resnet": "stages of blocks beside identity shortcuts",
        "resnext": "more groups and wider, to the end: as many groups as channels",
        "mobilenet_v2": "blocks that are four times wider in the middle",
        "swin": "a stem of patches, reductions by 2×2 between stages, blocks per stage",
        "layer_normalization": "one normalization per block, over channels",
        "gelu": "one activation per block",
    },
    written={
        "torchvision": {
            f"{place}.layer_norm1": "subclass"
            for place in ("stem", *(f"stage{n}.reduction" for n in (2, 3, 4)), "head")
        }
    },
)
def convnext(
    x: Value,
    *,
    repeats: tuple[int, ...],
    variant: Literal["paper", "torchvision"] = "paper",
    channels: tuple[Dim, ...],
    expansion: Dim = 4,
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """ConvNeXt: a ResNet modernized towards transformers, of convolutions alone."""
    widths = [maps * width for maps in channels]
    block = drawn if variant == "paper" else released
    with scope("stem"):
        x = norm(conv(x, widths[0], kernel=4, stride=4, padding=0))
    for stage, (maps, count) in enumerate(zip(widths, repeats, strict=True), start=1):
        with scope(f"stage{stage}"):
            if stage > 1:
                with scope("reduction"):
                    x = conv(norm(x), maps, kernel=2, stride=2, padding=0)
            for number in range(1, count + 1):
                with scope(f"block{number}"):
                    x = add(x, block(x, maps, expansion))
    with scope("head"):
        x = global_average_pool(x)
        x = layer_norm(flatten(x)) if variant == "paper" else flatten(norm(x))
        return linear(x, classes)
