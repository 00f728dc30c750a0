"""Modules as users write them, small ones, for the tests of tracing."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn


class Code(nn.Module):
    """Modules, parameters and buffers, and what is done with them."""

    def __init__(self, run: Callable[[Any, torch.Tensor], Any], **parts: Any) -> None:
        """Keep the parts under their names."""
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> Any:
        """Run the code."""
        return self.run(self, x)


def conv(before: int, after: int, **options: Any) -> nn.Conv2d:
    """Return a 3×3 convolution that keeps the size."""
    return nn.Conv2d(before, after, 3, padding=1, **options)


class UNet(nn.Module):
    """Encoder and decoder with connections between them (Ronneberger et al. 2015)."""

    def __init__(self, join: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
        """Make four levels; ``join`` fits what comes up to what it is joined with."""
        super().__init__()
        widths = [4, 8, 16, 32, 64]
        pairs = list(pairwise(widths))
        self.stem, self.join = conv(3, 4), join
        self.down = nn.ModuleList(conv(a, b) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.mix = nn.ModuleList(conv(2 * a, a) for a, _ in pairs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Go down by halves, and up again."""
        kept = [self.stem(x)]
        for down in self.down:
            kept.append(torch.relu(down(F.max_pool2d(kept[-1], 2))))
        x = kept.pop()
        for up, mix in zip(reversed(self.up), reversed(self.mix), strict=True):
            x = mix(torch.cat(self.join(kept.pop(), up(x)), 1))
        return x


def as_they_are(kept: torch.Tensor, x: torch.Tensor) -> Any:
    """Join maps that have to be equal in size."""
    return kept, x


def padded(kept: torch.Tensor, x: torch.Tensor) -> Any:
    """Pad what came up to the size of what was kept."""
    down, right = kept.shape[2] - x.shape[2], kept.shape[3] - x.shape[3]
    sides = [right // 2, right - right // 2, down // 2, down - down // 2]
    return kept, F.pad(x, sides)


def resized(kept: torch.Tensor, x: torch.Tensor) -> Any:
    """Interpolate what came up to the size of what was kept."""
    return kept, F.interpolate(x, size=kept.shape[-2:], mode="bilinear")


def cropped(kept: torch.Tensor, x: torch.Tensor) -> Any:
    """Crop what was kept to the size of what came up."""
    return kept[:, :, : x.shape[2], : x.shape[3]], x


class Tokens(nn.Module):
    """A small vision transformer, with a class token and positions or without."""

    def __init__(self, *, positions: bool) -> None:
        """Make two blocks of four heads."""
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 8, stride=8)
        if positions:
            self.token = nn.Parameter(torch.zeros(1, 1, 32))
            self.place = nn.Parameter(torch.zeros(1, 17, 32))
        self.positions = positions
        self.blocks = nn.ModuleList(TokenBlock() for _ in range(2))
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify by the class token, or by the mean."""
        x = self.patch(x).flatten(2).transpose(1, 2)
        if self.positions:
            token = self.token.expand(x.shape[0], -1, -1)
            x = torch.cat([token, x], dim=1) + self.place
        for block in self.blocks:
            x = block(x)
        result: torch.Tensor = self.head(x[:, 0] if self.positions else x.mean(1))
        return result


class TokenBlock(nn.Module):
    """Attention and two layers, each beside an identity."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.before, self.between = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        layers = nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend, then mix."""
        y = self.before(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        result: torch.Tensor = x + self.layers(self.between(x))
        return result


def shuffled(self: Any, x: torch.Tensor) -> torch.Tensor:
    """Shuffle channels as ShuffleNet's code does."""
    n, c, h, w = self.conv(x).shape
    parts = self.conv(x).view(n, 2, c // 2, h, w).transpose(1, 2).contiguous()
    return parts.view(n, -1, h, w)


def excited(self: Any, x: torch.Tensor) -> torch.Tensor:
    """Multiply channels by a gate of linear layers."""
    x = self.conv(x)
    n, c, _, _ = x.size()
    gate = F.adaptive_avg_pool2d(x, 1).view(n, c)
    gate = torch.sigmoid(self.up(F.relu(self.down(gate)))).view(n, c, 1, 1)
    return x * gate.expand_as(x)


def standardized(self: Any, x: torch.Tensor) -> torch.Tensor:
    """Convolve by weights of mean 0 and deviation 1."""
    weight = self.weight
    mean = weight.mean(dim=(1, 2, 3), keepdim=True)
    deviation = weight.std(dim=(1, 2, 3), keepdim=True)
    return F.conv2d(x, (weight - mean) / (deviation + 1e-5), padding=1)


def padded_same(self: Any, x: torch.Tensor) -> torch.Tensor:
    """Convolve with as much padding as TensorFlow's "same" takes."""
    height, width = x.shape[-2:]
    down = max((math.ceil(height / 2) - 1) * 2 + 3 - height, 0)
    right = max((math.ceil(width / 2) - 1) * 2 + 3 - width, 0)
    sides = [right // 2, right - right // 2, down // 2, down - down // 2]
    return self.conv(F.pad(x, sides))  # type: ignore[no-any-return]


def windowed(self: Any, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Mix the positions of windows of 4 × 4."""
    n, c, h, w = x.shape
    parts = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1)
    parts = parts.reshape(n, (h // 4) * (w // 4), 16, c)
    return parts @ parts.transpose(-2, -1)


class Branching(nn.Module):
    """Does one thing or another, by the numbers in its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input, or minus the input."""
        return x if x.sum() > 0 else -x


class Notebook:
    """An object of a module's that remembers what was run."""

    def __init__(self) -> None:
        """Start empty."""
        self.pages: list[Any] = [{}, [], set(), deque()]
        self.last: Any = None


class Meddling(nn.Module):
    """Changes itself while it runs: hooks, buffers, and what it keeps anywhere."""

    def __init__(self) -> None:
        """Start without any of it."""
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        self.notebook, self.is_hooked, self.gone = Notebook(), False, 1
        self.kept: OrderedDict[str, Any] = OrderedDict(inner={"values": [1]})
        self.count = torch.zeros(2)  # registered nowhere

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, and leave traces everywhere."""
        if not self.is_hooked:
            self.is_hooked = True
            self.layer.register_forward_hook(lambda *_: None)
            self.register_forward_pre_hook(lambda *_: None)
            self.layer.register_full_backward_hook(lambda *_: None)
            self.register_buffer("seen", torch.zeros(1))
            self.add_module("another", nn.ReLU())
            del self.gone
        self.count += 1
        self.count[1].mul_(2)
        first, second, third, fourth = self.notebook.pages
        first[len(first)] = x
        second.append(x)
        third.add(len(third))
        fourth.appendleft(x)
        self.notebook.last = x
        self.kept["inner"]["values"].append(x)
        self.kept.move_to_end("inner")
        self.kept[f"page {len(self.kept)}"] = x
        result: torch.Tensor = self.layer(x)
        return result


class Caching(nn.Module):
    """Keeps what it has computed from its weights, as attention biases are kept."""

    def __init__(self) -> None:
        """Start without anything kept."""
        super().__init__()
        self.bias = nn.Parameter(torch.ones(3, 1, 1))
        self.kept: dict[str, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what is kept, computed the first time."""
        if "bias" not in self.kept:
            self.kept["bias"] = self.bias * 2
        return x + self.kept["bias"]
