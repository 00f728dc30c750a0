"""MobileNet. Howard et al. 2017, arXiv:1704.04861, Table 1."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    conv_bn_relu,
    depthwise_bn_relu,
    global_average_pool,
    linear,
    scope,
)
from costmodel.network.registry import architecture


#         stride  channels              each row: 3×3 depthwise, then 1×1
BODY = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
        *[(1, 512)] * 5, (2, 1024), (1, 1024)]  # fmt: skip

# width and resolution are the paper's α and 224·ρ.
PUBLISHED = """
    convolution  width  resolution  layers  macs      parameters  top1   source
    separable    1      224         28      569M      4.2M        70.6   Tables 4 and 6
    full         1      224         -       4866M[3]  29.3M       71.7   Table 4
    separable    3/4    224         -       325M      2.6M        68.4   Table 6
    separable    1/2    224         -       149M      1.3M        63.7   Table 6
    separable    1/4    224         -       41M       0.5M        50.6   Table 6
    separable    1      192         -       418M      4.2M        69.1   Table 7
    separable    1      160         -       290M      4.2M        67.2   Table 7
    separable    1      128         -       186M      4.2M        64.4   Table 7
    separable    1/2    160         -       76M       1.32M[2]    60.2   Table 8
"""

DEPARTURES = [
    "Table 1 prints stride 2 on the last depthwise layer, but its 7×7 in and 7×7 out "
    "need stride 1.",
    "Table 8 counts the weights of convolutions and of the classifier alone, 1.32M; "
    "with batch normalization's scales and shifts and the bias they are 1.33M.",
    "4,866.3M are the convolutions alone; the classifier is another 1.0M, as in 569M.",
]


@architecture(
    paper="arXiv:1704.04861",
    year=2017,
    resolution=224,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="a depthwise and a pointwise layer in place of every full convolution",
    ancestors={
        "separable_convolution": "filtering each channel apart from mixing them",
        "batch_normalization": "normalization after every convolution",
    },
)
def mobilenet_v1(
    x: Value,
    *,
    convolution: Literal["separable", "full"] = "separable",
    channels: tuple[Dim, ...] = tuple(channels for _, channels in BODY),
    width: Dim = 1,
    classes: Dim = 1000,
) -> Value:
    """MobileNet v1: depthwise separable convolutions throughout, thinned by α."""
    with scope("stem"):
        x = conv_bn_relu(x, 32 * width, kernel=3, stride=2)
    for number, ((stride, _), maps) in enumerate(zip(BODY, channels), start=1):
        with scope(f"block{number}"):
            if convolution == "full":  # Table 4's comparison
                x = conv_bn_relu(x, maps * width, kernel=3, stride=stride)
            else:
                x = depthwise_bn_relu(x, kernel=3, stride=stride)
                x = conv_bn_relu(x, maps * width, kernel=1)
    with scope("head"):
        return linear(global_average_pool(x), classes)
