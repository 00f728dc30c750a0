"""Random networks to calibrate on: the habits of published ones, none of their tables.

Each is drawn from a seed and a number, and the same for both everywhere. Stages halve
the map and widen it; blocks are of one family, with a guest now and then. Widths are
odd as often as not, so that no width of a paper is favoured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from costmodel.algebra.symbols import as_int
from costmodel.analysis.cost import cost
from costmodel.network import build
from costmodel.network.build import Value
from costmodel.network.graph import Network
from costmodel.runtime import blocks


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn network, all its sizes numbers, and what it was drawn from."""

    name: str
    network: Network
    family: str
    seed: int
    index: int

    @property
    def digest(self) -> str:
        """What tells whether two versions of this file draw the same network."""
        text = self.network.to_json().encode()
        return hashlib.sha256(text).hexdigest()[:16]


MOST_MACS = 3_000_000_000
"""Multiply–accumulates of a batch from which a network is drawn again, smaller."""

Block = Callable[[Random, Value, int, int], Value]
"""A block: from random numbers, its input, channels and stride."""

FAMILIES: dict[str, tuple[Block, ...]] = {
    "plain": (blocks.plain,),
    "residual": (blocks.basic, blocks.bottleneck),
    "inverted": (blocks.inverted,),
    "dense": (blocks.dense,),
    "branches": (blocks.branches,),
    "grouped": (blocks.grouped,),
    "token_mlp": (blocks.token_mlp,),
    "shuffle": (blocks.shuffle,),
    "separable": (blocks.separable, blocks.mixed),
    "many_branches": (blocks.many_branches, blocks.splits),
    "classic": (blocks.plain, blocks.branches),
    "gates": (blocks.selective, blocks.bottleneck),
}
"""Blocks by family; networks go through the families in turn."""


def drawn(seed: int, index: int) -> Drawn:
    """Draw the network of this number.

    >>> one, again = drawn(0, 3), drawn(0, 3)
    >>> one.name, one.digest == again.digest
    ('dense-3', True)
    """
    family = list(FAMILIES)[index % len(FAMILIES)]
    name = f"{family}-{index}"
    for attempt in range(100):
        random = Random(f"{seed}/{index}/{attempt}")  # noqa: S311 - no secret
        net = _network(random, family, name, narrower=attempt)
        if as_int(cost(net).macs) <= MOST_MACS:
            break
    return Drawn(name, net, family, seed, index)


def anchor() -> Network:
    """Return the small fixed network that tells how fast a machine is right now."""
    x = build.conv_bn_relu(build.image(3, 96, 96), 32, kernel=3, stride=2)
    for stride, channels in ((1, 64), (2, 128), (2, 256)):
        y = build.depthwise_bn_relu(x, kernel=3, stride=stride)
        x = build.conv_bn_relu(y, channels, kernel=1)
    x = build.add(x, build.conv_bn_relu(x, 256, kernel=3))
    return build.network(build.linear(build.global_average_pool(x), 100), name="anchor")


def _network(random: Random, family: str, name: str, narrower: int) -> Network:
    """Draw stem, stages and head; narrower at every further attempt."""
    batch = random.choices([1, 2, 4, 8], [8, 1, 1, 1])[0]
    side = _side(random, batch)
    x = build.image(3, side, side)
    with build.scope("stem"):
        x = _stem(random, x, family, side)
    base = max(8.0, random.uniform(16, 96) * 0.85**narrower)
    growth = random.uniform(1.4, 2.2)
    for stage in range(random.choice([2, 3, 3, 4])):
        channels = blocks.width(random, base * growth**stage)
        for number in range(random.randint(1, 3)):
            stride = 2 if number == 0 and (stage or random.random() < 0.5) else 1
            block = _block(random, family)
            with build.scope(f"stage{stage + 1}.block{number + 1}"):
                x = block(random, x, channels, stride if blocks.side(x) > 4 else 1)
    with build.scope("head"):
        x = _head(random, x)
    return build.network(x, name=name.replace("-", "_"), batch=batch)


def _side(random: Random, batch: int) -> int:
    """Draw the side of the image: smaller ones now and then, and in batches."""
    low, high = random.choices([(160, 288), (96, 160), (32, 96)], [7, 2, 1])[0]
    return random.randint(low, high) // (2 if batch > 2 and high > 100 else 1)


def _block(random: Random, family: str) -> Block:
    if random.random() < 0.15:
        return random.choice(blocks.ALL)
    return random.choice(FAMILIES[family])


def _stem(random: Random, x: Value, family: str, side: int) -> Value:
    """Draw how an image becomes maps: strided once or twice, or cut into patches."""
    channels = blocks.width(random, random.uniform(16, 72))
    if family == "token_mlp" or (side > 96 and random.random() < 0.1):
        patch = random.choice([2, 4, 4])
        return build.conv(x, channels, patch, stride=patch, padding=0)
    if side > 96 and random.random() < 0.12:
        x = blocks.act(random, build.conv(x, channels, random.choice([9, 11]), stride=4))
        if random.random() < 0.5:
            x = build.local_response_norm(x)
        return build.max_pool(x, 3, 2)
    kernel = random.choice([3, 3, 3, 5, 7, 7])
    stride = 1 if side < 64 else 2
    norm = partial(blocks.conv_norm_act, random)
    x = norm(x, channels, kernel, stride)
    if random.random() < 0.2:
        x = norm(x, channels, 3, 1)
    return build.max_pool(x, 3, 2, 1) if side > 128 and random.random() < 0.6 else x


def _head(random: Random, x: Value) -> Value:
    """Draw a classifier: pooled to a point, or a few positions and wide layers."""
    if random.random() < 0.3:
        x = blocks.conv_norm_act(random, x, blocks.width(random, 2 * x.channels), 1)
    classes = random.choice([10, 100, 365, 1000, 1000, random.randint(50, 2000)])
    if random.random() < 0.2:
        size = random.choice([2, 3, 4, 6, 7])
        x = build.flatten(build.adaptive_avg_pool(x, size))
        if random.random() < 0.4:
            x = build.softmax(x)
        hidden = random.choice([256, 512, 1024, 2048, 4096])
        x = build.dropout(build.relu(build.linear(x, hidden)))
        x = build.relu(build.linear(x, random.choice([256, 1000, 2048, 4096])))
        return build.linear(x, classes)
    if random.random() < 0.15 and blocks.side(x) > 1:
        return build.flatten(build.global_average_pool(build.conv(x, classes, 1)))
    x = blocks.mean(x) if random.random() < 0.25 else build.global_average_pool(x)
    if random.random() < 0.2:
        x = blocks.act(random, build.linear(x, random.choice([512, 1280, 2048])))
    return build.linear(build.dropout(x, 20), classes)
