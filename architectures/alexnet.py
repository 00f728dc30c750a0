"""AlexNet. Krizhevsky, Sutskever, Hinton 2012, NIPS, section 3.5 and Figure 2."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    adaptive_avg_pool,
    conv,
    dropout,
    flatten,
    linear,
    local_response_norm,
    max_pool,
    relu,
    require,
    scope,
)
from costmodel.network.registry import architecture


PUBLISHED = """
    variant      resolution  layer   layers  parameters  macs    activations  top1    source
    paper        227         -       8       60M         -       -         -       abstract
    paper        227         conv1   -       -           -       253440[2] -       Figure 2
    paper        227         conv2   -       -           -       186624    -       Figure 2
    paper        227         conv3   -       -           -       64896     -       Figure 2
    paper        227         conv4   -       -           -       64896     -       Figure 2
    paper        227         conv5   -       -           -       43264     -       Figure 2
    paper        227         fc6     -       -           -       4096      -       Figure 2
    paper        227         fc7     -       -           -       4096      -       Figure 2
    paper        227         fc8     -       -           -       1000      -       Figure 2
    paper        227         -       -       -           -       650000[3] -       abstract
    torchvision  224         -       -       61,100,840  0.714G  -         56.522  torchvision 0.28, IMAGENET1K_V1
"""

DEPARTURES = [
    "The paper prints inputs of 224×224, but 55×55 outputs of an unpadded 11×11/4 "
    "convolution need 227×227, the default here.",
    "Figure 2 prints 253,440 neurons for layer 1, which is 55·48·96; its own text and "
    "figure give 55×55×96 = 290,400.",
    "The abstract rounds: the layers' outputs with 55×55×96 add up to 659,272.",
]


@architecture(
    paper="NIPS 2012",
    year=2012,
    resolution=227,
    published=PUBLISHED,
    departures=DEPARTURES,
    idea="a deep, wide convolutional network, trained on two GPUs",
    ancestors={
        "lenet5": "convolutions and pooling in turn, dense layers at the end",
        "dropout": "half of the dense units left out while training",
    },
)
def alexnet(
    x: Value,
    *,
    variant: Literal["paper", "torchvision"] = "paper",
    towers: Dim = 2,
    width: Dim = 1,
    hidden: Dim = 4096,
    classes: Dim = 1000,
) -> Value:
    """AlexNet: ReLU, dropout and two towers, one per GPU."""
    if variant == "torchvision":
        require(towers == 2, "torchvision's AlexNet has one tower; leave towers out")
        return one_weird_trick(x, width=width, hidden=hidden, classes=classes)
    # A tower reads its own half of the channels, but all in layer 3 and dense layers.
    x = relu(conv(x, 96 * width, kernel=11, stride=4, padding=0, name="conv1"))
    x = max_pool(local_response_norm(x), kernel=3, stride=2)
    x = relu(conv(x, 256 * width, kernel=5, groups=towers, name="conv2"))
    x = max_pool(local_response_norm(x), kernel=3, stride=2)
    x = relu(conv(x, 384 * width, kernel=3, name="conv3"))
    x = relu(conv(x, 384 * width, kernel=3, groups=towers, name="conv4"))
    x = relu(conv(x, 256 * width, kernel=3, groups=towers, name="conv5"))
    x = flatten(max_pool(x, kernel=3, stride=2))
    x = dropout(relu(linear(x, hidden, name="fc6")))
    x = dropout(relu(linear(x, hidden, name="fc7")))
    return linear(x, classes, name="fc8")


def one_weird_trick(x: Value, *, width: Dim, hidden: Dim, classes: Dim) -> Value:
    """Build the one-tower net of Krizhevsky 2014, arXiv:1404.5997, as torchvision."""
    with scope("features"):
        x = relu(conv(x, 64 * width, kernel=11, stride=4, padding=2))
        x = max_pool(x, kernel=3, stride=2)
        x = relu(conv(x, 192 * width, kernel=5))
        x = max_pool(x, kernel=3, stride=2)
        x = relu(conv(x, 384 * width, kernel=3))
        x = relu(conv(x, 256 * width, kernel=3))
        x = relu(conv(x, 256 * width, kernel=3))
        x = max_pool(x, kernel=3, stride=2)
    with scope("classifier"):
        x = flatten(adaptive_avg_pool(x, 6))
        x = relu(linear(dropout(x), hidden))
        x = relu(linear(dropout(x), hidden))
        return linear(x, classes)
