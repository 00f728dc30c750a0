"""ZFNet. Zeiler & Fergus 2013, arXiv:1311.2901, Figure 3."""

from __future__ import annotations

from functools import partial

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    conv,
    dropout,
    flatten,
    linear,
    local_response_norm,
    max_pool,
    relu,
)
from costmodel.network.registry import architecture


CHANNELS: tuple[Dim, ...] = (96, 256, 384, 384, 256)

# The last row is section 5.1's network with more channels in layers 3 to 5.
PUBLISHED = """
    channels              resolution  layers  parameters   source
    96,256,384,384,256    224         8       -            Figure 3
    96,256,384,384,256    224         -       62,357,608   osmr/imgclsmob, ZFNet
    96,256,512,1024,512   224         -       107,627,624  osmr/imgclsmob, ZFNet-b
"""


@architecture(
    paper="arXiv:1311.2901",
    year=2013,
    resolution=224,
    published=PUBLISHED,
    departures=[
        "Figure 3 prints no padding: its sizes 224, 110, 55, 26, 13 and 6 need a pixel "
        "of it in layer 1, none in layer 2, and pools that round up."
    ],
    idea="AlexNet with a finer first layer, found by visualising feature maps",
    ancestors={"alexnet": "the network, but for kernels, strides and its two towers"},
)
def zfnet(
    x: Value,
    *,
    channels: tuple[Dim, ...] = CHANNELS,
    width: Dim = 1,
    hidden: Dim = 4096,
    classes: Dim = 1000,
) -> Value:
    """ZFNet: 7×7 at stride 2 where AlexNet had 11×11 at 4, and one tower."""
    first, second, *others = (maps * width for maps in channels)
    pool = partial(max_pool, kernel=3, stride=2, ceil_mode=True)
    x = relu(conv(x, first, kernel=7, stride=2, padding=1, name="layer1"))
    x = local_response_norm(pool(x))
    x = relu(conv(x, second, kernel=5, stride=2, padding=0, name="layer2"))
    x = local_response_norm(pool(x))
    for number, maps in enumerate(others, start=3):
        x = relu(conv(x, maps, kernel=3, name=f"layer{number}"))
    x = flatten(pool(x))
    x = dropout(relu(linear(x, hidden, name="layer6")))
    x = dropout(relu(linear(x, hidden, name="layer7")))
    return linear(x, classes, name="output")
