"""A small U-Net: the example of docs/tracing.md."""

# ruff: noqa: INP001 - a file by itself, as users have them
from itertools import pairwise

import torch
from torch import nn


def twice(channels: int, out: int) -> nn.Sequential:
    """Two convolutions of one width."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Halve and double again, and join what was halved with what is doubled."""

    def __init__(self, width: int = 16, depth: int = 4) -> None:
        """Make as many levels as ``depth`` says, each twice as wide."""
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        sides = list(pairwise(widths))
        self.stem = twice(3, width)
        self.down = nn.ModuleList(twice(a, b) for a, b in sides)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in sides[::-1]
        )
        self.merge = nn.ModuleList(twice(2 * a, a) for a, _ in sides[::-1])
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return two numbers a pixel."""
        maps = [self.stem(x)]
        for down in self.down:
            maps.append(down(nn.functional.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), maps.pop()], dim=1))
        return self.head(x)
