"""Stages of inverted residuals. Tan et al. 2018, arXiv:1807.11626, section 4.1."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, Literal, TypeAlias

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Rational, as_dim
from costmodel.errors import CostModelError
from costmodel.nas.metrics import all_measured
from costmodel.nas.spaces.catalogue import register
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import LEVELS, Level, Point, check_counts, check_listed
from costmodel.nas.spaces.sums import Group
from costmodel.network.build import (
    Value,
    dropout,
    global_average_pool,
    image,
    linear,
    network,
    scope,
)
from costmodel.network.graph import Network
from costmodel.zoo.mnasnet import conv_bn, mbconv


STAGES = ((24, 2), (40, 2), (80, 2), (112, 1), (192, 2))
"""Channels and stride of each stage; all blocks but the first have stride 1."""

Block: TypeAlias = tuple[int, int, int, int, int | None]
"""Channels, kernel, stride, expansion, and the reduction of a gate."""


@register("mobile")
class Mobile(Choices):
    """Stages whose kernel, expansion, depth, width and gate are chosen.

    Choices are those of MnasNet, by stage; ``per="block"`` chooses kernel, expansion
    and gate for each block, as ProxylessNAS and Once-for-All do. What is chosen for
    blocks beyond a stage's depth does not matter, and is left out at the levels
    "graph" and "function".
    """

    def __init__(
        self,
        stages: Sequence[tuple[int, int]] = STAGES,
        kernels: Sequence[int] = (3, 5, 7),
        expansions: Sequence[int] = (3, 4, 6),
        depths: Sequence[int] = (2, 3, 4),
        widths: Sequence[object] = (1,),
        gates: Sequence[int] = (0,),
        per: Literal["stage", "block"] = "stage",
        resolution: int = 224,
    ) -> None:
        """Make the space. ``gates`` are reductions of squeeze-excitation; 0 has none."""
        if per not in ("stage", "block"):
            raise CostModelError(f'mobile: per {per!r}; allowed are "stage", "block"')
        check_listed(
            "mobile", stages=stages, kernels=kernels, expansions=expansions,
            depths=depths, widths=widths, gates=gates,
        )  # fmt: skip
        check_counts(
            "mobile", kernels=kernels, expansions=expansions, depths=depths,
            resolution=resolution,
        )  # fmt: skip
        check_counts("mobile", 0, gates=gates)
        if any(not Rational(str(width)) > 0 for width in widths):
            raise CostModelError(f"mobile: widths {widths!r} are not all positive")
        widths = tuple(as_dim(Rational(str(width))) for width in widths)
        options = {
            "stages": tuple(map(tuple, stages)), "kernels": tuple(kernels),
            "expansions": tuple(expansions), "depths": tuple(depths),
            "widths": widths, "gates": tuple(gates), "per": per,
            "resolution": resolution,
        }  # fmt: skip
        self.per_stage = 1 if per == "stage" else max(depths)
        self._of_block = {"kernel": kernels, "expansion": expansions, "gate": gates}
        choices: dict[str, Sequence[object]] = {}
        for stage in range(1, len(stages) + 1):
            choices |= {f"depth{stage}": depths, f"width{stage}": widths}
            for block in range(1, self.per_stage + 1):
                suffix = f"{stage}" if per == "stage" else f"{stage}_{block}"
                choices |= {f"{k}{suffix}": v for k, v in self._of_block.items()}
        length = 2 + 3 * self.per_stage
        groups = [
            # A stage reads the width of the one before it; the head reads the last's.
            (*([(stage - 1) * length + 1] if stage else []),
             *range(stage * length, (stage + 1) * length))
            for stage in range(len(stages))
        ]  # fmt: skip
        self._length, self._stages = length, tuple(stages)

        def build(**chosen: Any) -> Network:
            return self._skeleton(list(chosen.values()), resolution)

        super().__init__("mobile", choices, build, groups=groups, options=options)

    def _skeleton(self, chosen: Sequence[Any], resolution: int) -> Network:
        """Build stem, stages, features and classifier."""
        x = self._stem(resolution)
        for number in range(len(self._stages)):
            x = self._stage(x, number, chosen[self._places(number)])
        return network(_head(x), name="mobile", batch=1)

    def _places(self, stage: int) -> slice:
        return slice(stage * self._length, (stage + 1) * self._length)

    def _stage(self, x: Value, number: int, chosen: Sequence[Any]) -> Value:
        """Append a stage."""
        for count, block in enumerate(self._blocks(number, chosen), start=1):
            with scope(f"stage{number + 1}"), scope(f"block{count}"):
                x = mbconv(x, *block)
        return x

    def _blocks(self, number: int, chosen: Sequence[Any]) -> list[Block]:
        """Return a stage's blocks: its depth and width, then each block's choices."""
        depth, width, *layers = chosen
        channels, stride = self._stages[number]
        maps = int(make_divisible(channels, width, 8))
        found: list[Block] = []
        for count in range(depth):
            first = 3 * count % len(layers)
            kernel, expansion, gate = layers[first : first + 3]
            step = 1 if count else stride
            found.append((maps, kernel, step, expansion, gate or None))
        return found

    @staticmethod
    def _stem(resolution: int) -> Value:
        """Start with a convolution and a block of 16 channels."""
        with scope("stem"):
            x = conv_bn(image(3, resolution, resolution), 32, 3, 2, "relu")
            return mbconv(x, 16, 3, 1, 1)

    def _price(
        self, metrics: tuple[str, ...], places: Group, chosen: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Return a stage's cost by itself: stem and head are the first's, the last's."""
        if len(places) == 1:  # a width that two stages share
            return (0,) * len(metrics)
        number = places[-1] // self._length
        names = list(self.choices)
        values = [self.choices[names[p]][c] for p, c in zip(places, chosen)]
        side = -(-self.options["resolution"] // 2)
        for _, stride in self._stages[:number]:
            side = -(-side // stride)
        parts = []
        before = 16
        if number:
            before = make_divisible(self._stages[number - 1][0], values.pop(0), 8)
        else:
            stem = network(self._stem(self.options["resolution"]), batch=1)
            parts.append(all_measured(stem, metrics))
        for block in self._blocks(number, values):
            parts.append(_price_of(before, side, block, metrics))
            before, side = block[0], -(-side // block[2])
        if number == len(self._stages) - 1:
            x = _head(image(before, side, side))
            parts.append(all_measured(network(x, batch=1), metrics))
        return tuple(map(sum, zip(*parts)))

    def text(self, point: Sequence[int]) -> str:
        """Write stages as DEPTHxWIDTH:KERNEL-EXPANSION,…; gates as a third number."""
        values = list(self.values(point).values())
        words = []
        for number in range(len(self._stages)):
            depth, width, *layers = values[self._places(number)]
            blocks = [layers[i : i + 3] for i in range(0, len(layers), 3)][:depth]
            written = ["-".join(map(str, block[: self._shown])) for block in blocks]
            words.append(f"{depth}x{width}:{','.join(written)}")
        return " ".join(words)

    def _read(self, text: str) -> Point:
        """Read what :meth:`text` writes."""
        found: dict[str, str] = {}
        for number, word in enumerate(text.split(), start=1):
            head, _, listed = word.partition(":")
            depth, _, width = head.partition("x")
            found |= {f"depth{number}": depth, f"width{number}": width}
            for count, block in enumerate(listed.split(","), start=1):
                suffix = f"{number}" if self.per_stage == 1 else f"{number}_{count}"
                chosen = zip(self._of_block, block.split("-"))
                found |= {f"{name}{suffix}": value for name, value in chosen}
        firsts = {name: str(values[0]) for name, values in self.choices.items()
                  if not name.startswith(("depth", "width"))}  # fmt: skip
        words = {**firsts, **found}
        return super()._read(
            " ".join(f"{name}={value}" for name, value in words.items())
        )

    @property
    def _shown(self) -> int:
        """How many numbers of a block are written: gates only if there is a choice."""
        return 3 if len(self._of_block["gate"]) > 1 else 2

    def key(self, point: Sequence[int], level: Level = "encoding") -> str:
        """Return text that two points share if and only if they are one at a level."""
        level = self.known_level(level)
        own = self.checked(point)
        return super().key(own if level == "encoding" else self._used(own), level)

    def _used(self, point: Point) -> Point:
        """Return a point with the first value wherever it does not matter."""
        used = list(point)
        for stage in range(len(self._stages)):
            start = stage * self._length
            depth = self.choices[f"depth{stage + 1}"][point[start]]
            for block in range(depth, self.per_stage):
                first = start + 2 + 3 * block
                used[first : first + 3] = [0, 0, 0]
        return tuple(used)

    def is_counted(self, level: Level) -> bool:
        """Say that a formula gives the size at every level."""
        return level in LEVELS

    def _size(self, level: Level) -> int:
        """Return Π over stages of the widths times what all depths may choose."""
        if level == "encoding":
            return super()._size(level)
        one = prod(len(values) for values in self._of_block.values())
        stages = (
            len(self.choices[f"width{stage}"])
            * sum(
                one ** min(depth, self.per_stage)
                for depth in self.choices[f"depth{stage}"]
            )
            for stage in range(1, len(self._stages) + 1)
        )
        return prod(stages)


@lru_cache(maxsize=1 << 16)
def _price_of(
    channels: int, side: int, block: Block, metrics: tuple[str, ...]
) -> tuple[int, ...]:
    """Return the cost of one block by itself."""
    x = mbconv(image(channels, side, side), *block)
    return all_measured(network(x, batch=1), metrics)


def _head(x: Value) -> Value:
    """End with 1,280 features and a classifier."""
    with scope("head"):
        x = conv_bn(x, 1280, 1, 1, "relu")
        return linear(dropout(global_average_pool(x), 20), 1000)
