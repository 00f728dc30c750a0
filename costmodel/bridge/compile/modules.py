"""Modules for operators that ``torch.nn`` does not have."""

from __future__ import annotations

from functools import cache
from typing import Self

import torch
from torch import nn


def subclass(module: nn.Module) -> nn.Module:
    """Return a module of PyTorch's as one of another class, which does the same.

    Counters that hook PyTorch's own classes do not see it; the function that it calls
    is called by name.
    """
    module.__class__ = _subclass(type(module).__name__)
    return module


@cache
def _subclass(name: str) -> type[nn.Module]:
    return type(f"{name}Subclass", (getattr(nn, name),), {"__module__": __name__})


def __getattr__(name: str) -> type[nn.Module]:
    """Return a subclass by its name, as pickle asks for it."""
    base = name.removesuffix("Subclass")
    if base == name or not hasattr(nn, base):
        raise AttributeError(name)
    return _subclass(base)


def in_its_mode(module: nn.Module, *_mode: bool) -> nn.Module:
    """Return a module as it is, in place of its ``train``."""
    return module


class TableConv2d(nn.Module):
    """One convolution per output channel, over the input channels of its row."""

    def __init__(
        self, table: tuple[tuple[int, ...], ...], kernel: tuple[int, int]
    ) -> None:
        """Make one convolution per row."""
        super().__init__()
        self.table = table
        self.maps = nn.ModuleList(nn.Conv2d(len(row), 1, kernel) for row in table)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × rows × height × width``: one channel per row."""
        rows = zip(self.maps, self.table, strict=True)
        return torch.cat([conv(x[:, list(row)]) for conv, row in rows], dim=1)


class Subsample2d(nn.Module):
    """A window's sum, times a coefficient, plus a bias, for each channel."""

    def __init__(self, channels: int, kernel: tuple[int, int]) -> None:
        """Initialise to the mean of the window."""
        super().__init__()
        self.kernel, self.area = kernel, kernel[0] * kernel[1]
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.area))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × channels`` windows of ``batch × channels × h × w``."""
        total = nn.functional.avg_pool2d(x, self.kernel) * self.area
        return total * self.weight[:, None, None] + self.bias[:, None, None]


class RadialBasis(nn.Module):
    """Squared distances to codes of ±1, which are not learned."""

    weight: torch.Tensor

    def __init__(self, inputs: int, features: int) -> None:
        """Draw random codes; LeNet-5's are hand-made images of digits."""
        super().__init__()
        codes = torch.randint(0, 2, (features, inputs)) * 2.0 - 1.0
        self.register_buffer("weight", codes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return distances ``batch × features`` of vectors ``batch × inputs``."""
        return (x[:, None, :] - self.weight).square().sum(dim=2)


class ScaledTanh(nn.Module):
    """1.7159·tanh(2x/3), LeNet-5's squashing function."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Squash every element."""
        return 1.7159 * torch.tanh(x * (2 / 3))


class Zeros(nn.Module):
    """Zeros of so many channels, at strided positions."""

    def __init__(self, channels: int, stride: tuple[int, ...]) -> None:
        """Keep both."""
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × channels × positions``, of the input's dtype and device."""
        steps = (slice(None, None, step) for step in self.stride)
        positions = x[:, :1, *steps]
        return torch.zeros_like(positions).expand(
            -1, self.channels, *positions.shape[2:]
        )


class PadChannels(nn.Module):
    """Channels of zeros before the first and after the last."""

    def __init__(self, before: int, after: int) -> None:
        """Keep both numbers."""
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input with more channels, with or without spatial axes."""
        behind = (0, 0) * (x.dim() - 2)
        return nn.functional.pad(x, (*behind, self.before, self.after))


class SelectChannels(nn.Module):
    """A slice of the channels."""

    def __init__(self, start: int, channels: int) -> None:
        """Keep the first channel and their number."""
        super().__init__()
        self.start, self.channels = start, channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input with fewer channels, with or without spatial axes."""
        return x[:, self.start : self.start + self.channels]


class ChannelShuffle(nn.Module):
    """Channels interleaved across groups."""

    def __init__(self, groups: int) -> None:
        """Keep the number of groups."""
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the channels with the first of every group before the second ones."""
        grouped = x.unflatten(1, (self.groups, -1))
        return grouped.transpose(1, 2).flatten(1, 2)


class Borrowing(nn.Module):
    """A layer some of whose weights are given at each call; it stores the others."""

    def __init__(self, layer: nn.Module, borrowed: tuple[str, ...]) -> None:
        """Keep the layer, the names of what it is given, and the other tensors."""
        super().__init__()
        self.layer, self.borrowed = (layer,), borrowed  # a tuple is no submodule
        for name, value in layer.named_parameters():
            if name not in borrowed:
                self.register_parameter(name, value)
        for name, value in layer.named_buffers():
            if name not in borrowed:
                self.register_buffer(name, value)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as PyTorch's
        """Set the mode, of the layer too."""
        self.layer[0].train(mode)
        super().train(mode)
        return self

    def forward(self, x: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        """Run the layer with these weights, which may have other axes."""
        layer, own = self.layer[0], dict(self.named_parameters())
        for name, value in zip(self.borrowed, given, strict=True):
            own[name] = value.reshape(getattr(layer, name).shape)
        made: torch.Tensor = torch.func.functional_call(
            layer, {**own, **dict(self.named_buffers())}, (x,)
        )
        return made
