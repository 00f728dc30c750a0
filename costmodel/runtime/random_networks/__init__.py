"""Random networks to calibrate a device with: every kind of layer, no paper's sizes.

Widths, kernels, sizes and batches come from a seed. No published network is among
them; the tests of ``costmodel calibrate`` say what share of their layers occurs here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from costmodel.algebra.symbols import as_int
from costmodel.analysis.cost import cost
from costmodel.errors import CostModelError
from costmodel.network import build
from costmodel.network.build import Value, image, network, scope
from costmodel.network.graph import Network
from costmodel.network.serialization.json import digest
from costmodel.runtime.random_networks.blocks import BLOCKS, layer, pooled
from costmodel.runtime.random_networks.choices import Dice, act, norm


SIDES = (32, 48, 64, 96, 128, 160, 176, 192, 208, 224, 240, 256, 288, 320)
"""Sides of inputs, to which up to 9 pixels are added."""

BATCHES = (1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 6, 8)
LARGE_BATCHES = (12, 16, 24, 32)

USUAL = 88
"""Networks of usual batches; one of each family, in larger batches, comes after."""

LEAST_MACS, MOST_MACS = 10_000_000, 5_000_000_000
MOST_BYTES = 2_000_000_000
"""Limits for a batch of up to ``USUAL_BATCH`` samples, and proportionally more where
larger ones are asked for: a network that takes longer tells no more."""

USUAL_BATCH = max(BATCHES)

MOST_WEIGHTS = 40_000_000
"""Weights of a single linear layer."""


def calibration_networks(
    count: int, seed: int = 0, batches: Sequence[int] | None = None
) -> Iterator[Network]:
    """Draw ``count`` networks, the families in turn; all sizes are numbers.

    Batches are small in the first :data:`USUAL` and larger from there on, unless they
    are given.

    >>> nets = list(calibration_networks(2, seed=1))
    >>> [net.name for net in nets]
    ['drawn-1-0-plain', 'drawn-1-1-bottleneck']
    >>> nets == list(calibration_networks(2, seed=1))
    True
    """
    if type(count) is not int or count < 1:
        raise CostModelError(f"calibrate: {count!r} networks; at least 1 is needed")
    for index in range(count):
        yield drawn(index, seed, batches)


def drawn(index: int, seed: int = 0, batches: Sequence[int] | None = None) -> Network:
    """Draw one network; what is too small or too large is drawn again."""
    given = () if batches is None else batches
    if batches is None:
        batches = BATCHES if index < USUAL else LARGE_BATCHES
    if not batches or any(type(batch) is not int or batch < 1 for batch in batches):
        raise CostModelError(f"calibrate: batches {batches!r} are no whole numbers")
    share = max((USUAL_BATCH, *given)) / USUAL_BATCH
    family = list(BLOCKS)[index % len(BLOCKS)]
    attempt = 0
    while True:
        dice = Dice(seed, index, attempt)
        attempt += 1
        try:
            net = _network(dice, family, f"drawn-{seed}-{index}-{family}", batches)
        except CostModelError:
            continue  # a feature map became too small for a window
        totals = cost(net)
        moved = as_int(totals.bytes_read) + as_int(totals.bytes_written)
        fits = as_int(totals.macs) <= share * MOST_MACS and moved <= share * MOST_BYTES
        if fits and as_int(totals.macs) >= LEAST_MACS:
            return net


def identity(net: Network) -> dict[str, str]:
    """Return what tells a drawn network from one of the same name drawn otherwise."""
    return {"network": digest(net)}


def anchor() -> Network:
    """Return a small fixed network: how fast the machine is, round by round."""
    x = image(3, 112, 112)
    for width, stride in ((24, 2), (48, 2), (96, 2), (96, 1)):
        x = build.conv_bn_relu(x, width, kernel=3, stride=stride)
        x = build.conv_bn_relu(build.depthwise_bn_relu(x, kernel=3), width, kernel=1)
    x = build.global_average_pool(build.max_pool(x, 3, 2))
    return network(build.linear(x, 100), name="anchor", batch=1)


def _network(dice: Dice, family: str, name: str, batches: Sequence[int]) -> Network:
    """Draw a stem, some stages of blocks and a head."""
    side = dice.one(SIDES) + dice.between(1, 10) - 1
    batch = dice.one(batches)
    x = _stem(dice, image(3, side, side))
    width = int(x.channels)
    others = list(BLOCKS)
    for number in range(1, dice.between(2, 5) + 1):
        width = dice.channels(width + 1, max(width + 8, 3 * width))
        strides = [dice.one((1, 2, 2, 2)), *[1] * (dice.between(1, 3) - 1)]
        for place, stride in enumerate(strides):
            kind = dice.one(others) if dice.often(0.2) else family
            with scope(f"stage{number}.{kind}{place + 1}"):
                x = BLOCKS[kind](dice, x, min(width, 1400), stride)
    return network(_head(dice, x), name=name, batch=batch)


def _stem(dice: Dice, x: Value) -> Value:
    """Convolve the image by a kernel of any size, and perhaps pool or normalize."""
    kernel, stride = (
        dice.one((2, 3, 3, 3, 4, 5, 7, 7, 9, 11)),
        dice.one((1, 2, 2, 2, 4)),
    )
    x = layer(dice, x, dice.channels(16, 96), max(kernel, stride), stride)
    if dice.often(0.15):
        x = build.local_response_norm(x, dice.one((3, 5, 7)))
    if stride < 4 and dice.often(0.5):
        x = pooled(dice, x, 2)
    return x


def _head(dice: Dice, x: Value) -> Value:
    """Reduce the feature map to a few positions, then apply linear layers."""
    if dice.often(0.4):
        x = layer(dice, x, dice.channels(64, 1600), 1)
    if dice.often(0.3):
        pool = build.adaptive_avg_pool if dice.often(0.6) else build.adaptive_max_pool
        x = build.flatten(pool(x, dice.between(2, 7)))
    else:
        x = build.flatten(build.global_average_pool(norm(dice, x)))
    for _ in range(dice.between(1, 3)):
        most = min(4800, MOST_WEIGHTS // int(x.channels))
        x = build.linear(x, dice.between(10, max(11, most)), bias=dice.often(0.8))
        x = act(dice, x) if dice.often(0.7) else build.dropout(x)
    return build.softmax(x) if dice.often(0.3) else x
