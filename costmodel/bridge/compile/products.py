"""Modules for products of tensors, stored operands and interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from costmodel.bridge.compile.arrangements import Function, resize


def stored(shape: tuple[int, ...], *, learnable: bool) -> torch.Tensor:
    """Return a stored tensor of random numbers, shared by all samples."""
    data = torch.randn(shape)
    return nn.Parameter(data) if learnable else data


class MatMul(nn.Module):
    """Matrix products; leading axes broadcast."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return …×a×c of …×a×b and …×b×c."""
        return torch.matmul(left, right)


class Attention(nn.Module):
    """Scaled dot-product attention in every head."""

    scale: float | None = None
    is_causal = False

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return …×L×V of …×L×E, …×S×E and …×S×V."""
        return nn.functional.scaled_dot_product_attention(
            query, key, value, mask, scale=self.scale, is_causal=self.is_causal
        )


class Einsum(nn.Module):
    """The product of two tensors by an equation of letters."""

    def __init__(self, equation: str) -> None:
        """Keep the equation."""
        super().__init__()
        self.equation = equation

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return the axes that the equation names."""
        return torch.einsum(self.equation, left, right)


def upsample(mode: str, scale: tuple[int, ...], fixed: Mapping[str, Any]) -> nn.Module:
    """Return the interpolating module; modes include whether corners are aligned."""
    if fixed:
        return Function(
            partial(resize, sizes=[], mode=mode), scale_factor=scale, **fixed
        )
    name, _, corners = mode.replace("nearest_", "nearest-").partition("_")
    return nn.Upsample(None, scale, name, align_corners=True if corners else None)


def without_batch(data: torch.Tensor) -> torch.Tensor:
    """Return a stored operand without a batch axis, for products that align axes."""
    return data.squeeze(0)


def for_every_sample(data: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a stored operand expanded, without a copy, to the batch of another."""
    return data.expand(like.shape[0], *data.shape[1:])
