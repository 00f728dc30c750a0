"""Modules for products of tensors, for stored operands and for interpolation."""

from __future__ import annotations

import torch
from torch import nn


def stored(shape: tuple[int, ...], *, learnable: bool) -> torch.Tensor:
    """Return a tensor that is there for every sample alike, its numbers drawn."""
    data = torch.randn(shape)
    return nn.Parameter(data) if learnable else data


class MatMul(nn.Module):
    """Products of matrices; leading axes broadcast."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return …×a×c of …×a×b and …×b×c."""
        return torch.matmul(left, right)


class Attention(nn.Module):
    """Scaled dot-product attention of every head."""

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return …×L×V of …×L×E, …×S×E and …×S×V."""
        return nn.functional.scaled_dot_product_attention(query, key, value, mask)


class Einsum(nn.Module):
    """The product of two tensors in letters."""

    def __init__(self, equation: str) -> None:
        """Keep the equation."""
        super().__init__()
        self.equation = equation

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return the axes that the equation names."""
        return torch.einsum(self.equation, left, right)


def upsample(
    mode: str,
    *,
    size: tuple[int, ...] | None = None,
    scale: tuple[int, ...] | None = None,
) -> nn.Upsample:
    """Return the module that interpolates; our modes say whether corners are kept."""
    name, _, corners = mode.replace("nearest_", "nearest-").partition("_")
    return nn.Upsample(size, scale, name, align_corners=True if corners else None)


def without_batch(data: torch.Tensor) -> torch.Tensor:
    """Return a stored operand's own axes, for products that align them."""
    return data.squeeze(0)


def for_every_sample(data: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a stored operand repeated, in name only, to the batch of another."""
    return data.expand(like.shape[0], *data.shape[1:])
