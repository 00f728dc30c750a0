"""LeNet-5. LeCun, Bottou, Bengio, Haffner 1998, Proceedings of the IEEE, section II.B."""

from __future__ import annotations

from typing import Literal

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Value,
    activation,
    avg_pool,
    conv,
    flatten,
    linear,
    radial_basis,
    subsample,
    table_conv,
)
from costmodel.network.registry import architecture


# Table I: the feature maps of S2 that each of the 16 of C3 reads.
C3 = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip

PUBLISHED = """
    variant  resolution  layer   parameters  connections  source
    paper    32          C1      156         122,304      section II.B
    paper    32          S2      12          5,880        section II.B
    paper    32          C3      1,516       151,600      section II.B
    paper    32          S4      32          2,000        section II.B
    paper    32          C5      48,120      48,120       section II.B
    paper    32          F6      10,164      10,164       section II.B
    paper    32          output  -           840          section II.B
    paper    32          -       60,000      340,908      section II.B
"""


@architecture(
    paper="Proc. IEEE 86(11), 1998",
    year=1998,
    resolution=32,
    input_channels=1,
    published=PUBLISHED,
    departures=[
        "The paper prints 60,000 trainable parameters; the 840 codes of the output "
        "layer are fixed, and are buffers here."
    ],
    idea="local filters with shared weights, and pooling, all learned together",
)
def lenet5(
    x: Value, *, variant: Literal["paper", "modern"] = "paper", classes: Dim = 10
) -> Value:
    """LeNet-5: convolution and subsampling in turn, trained end to end on digits."""
    if variant == "modern":
        return modern(x, classes=classes)
    x = conv(x, 6, kernel=5, padding=0, name="C1")
    x = activation(subsample(x, name="S2"), "scaled_tanh")
    x = table_conv(x, C3, kernel=5, name="C3")
    x = activation(subsample(x, name="S4"), "scaled_tanh")
    x = conv(x, 120, kernel=5, padding=0, name="C5")
    x = flatten(activation(x, "scaled_tanh"))
    x = activation(linear(x, 84, name="F6"), "scaled_tanh")
    return radial_basis(x, classes, name="output")


def modern(x: Value, *, classes: Dim) -> Value:
    """Build what textbooks call LeNet-5: full C3, mean pooling, a linear output."""
    x = activation(conv(x, 6, kernel=5, padding=0, name="C1"), "tanh")
    x = avg_pool(x, 2, name="S2")
    x = activation(conv(x, 16, kernel=5, padding=0, name="C3"), "tanh")
    x = avg_pool(x, 2, name="S4")
    x = activation(conv(x, 120, kernel=5, padding=0, name="C5"), "tanh")
    x = activation(linear(flatten(x), 84, name="F6"), "tanh")
    return linear(x, classes, name="output")
