"""Modules for views, reductions and functions, which ``torch.nn`` does not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import sympy
import torch
from torch import nn

from costmodel.algebra.code.integer_division import Quotient, whole
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError


@dataclass(frozen=True)
class Sizes:
    """Sizes of axes: numbers, or formulas of an image's sides.

    ``places`` maps each symbol to the index of an input and its axis.
    """

    formulas: tuple[Dim, ...]
    places: Mapping[sympy.Symbol, tuple[int, int]]

    def of(self, images: tuple[torch.Tensor, ...]) -> list[int]:
        """Return the sizes for images of that size, in integer arithmetic."""
        values = {s: images[n].shape[a] for s, (n, a) in self.places.items()}
        return [
            size if isinstance(size, int) else evaluated(whole(size), values)
            for size in self.formulas
        ]


def evaluated(formula: sympy.Basic, values: Mapping[sympy.Symbol, int]) -> int:
    """Return a formula of floors in integers; sizes may be PyTorch's own kind."""
    if formula.is_Integer:
        return int(formula)
    if isinstance(formula, sympy.Symbol):
        return values[formula]
    if formula.func not in _ARITHMETIC:
        raise CostModelError(f"the size {formula} cannot be computed by a module")
    parts = [evaluated(part, values) for part in formula.args]
    return _ARITHMETIC[formula.func](parts)


_ARITHMETIC: dict[type, Callable[[list[int]], int]] = {
    sympy.Add: sum,
    sympy.Mul: prod,
    sympy.Pow: lambda parts: pow(*parts),
    sympy.Max: max,
    sympy.Min: min,
    Quotient: lambda parts: parts[0] // parts[1],
}


class Function(nn.Module):
    """A function of one tensor, or of several."""

    def __init__(self, function: Callable[..., torch.Tensor], **fixed: Any) -> None:
        """Keep the function and its keyword arguments."""
        super().__init__()
        self.function, self.fixed = function, fixed

    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        """Call the function."""
        return self.function(*operands, **self.fixed)


class Sized(nn.Module):
    """A function that takes sizes: fixed ones, or computed from the network's input."""

    def __init__(
        self, arrange: Callable[..., torch.Tensor], sizes: Sizes, **fixed: Any
    ) -> None:
        """Keep the function, its constants, and the sizes of the axes but the batch."""
        super().__init__()
        self.arrange, self.sizes, self.fixed = arrange, sizes, fixed

    def forward(self, x: torch.Tensor, *images: torch.Tensor) -> torch.Tensor:
        """Call the function with the sizes computed from the images."""
        return self.arrange(x, self.sizes.of(images), **self.fixed)


class Made(nn.Module):
    """A tensor of sizes computed from the network's input.

    One number fills it, or it is a stored tensor, perhaps with its axes in another
    order, repeated. If nobody recorded which, zeros are in its place.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        has_batch: bool,
        fill: float = 0,
        dims: tuple[int, ...] | None = None,
    ) -> None:
        """Keep the sizes of the axes but the batch, and how it is made."""
        super().__init__()
        self.sizes, self.has_batch, self.fill, self.dims = sizes, has_batch, fill, dims

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        """Return it for a batch of images, behind the stored tensor if there is one."""
        images = given if self.dims is None else given[1:]
        batch = images[0].shape[0] if self.has_batch else 1
        sizes = (batch, *self.sizes.of(images))
        if self.dims is None:
            return images[0].new_full(sizes, self.fill)
        stored = given[0][0]
        if self.dims:
            stored = stored.reshape(
                (*(1,) * (len(self.dims) - stored.dim()), *stored.shape)
            )
            stored = stored.permute(self.dims)
        if stored.numel() == prod(sizes[1:]):
            stored = stored.reshape(sizes[1:])
        return stored.expand(sizes)


def reshape(x: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Return the elements with another shape."""
    return x.reshape(x.shape[0], *sizes)


def expand(x: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Return sizes of 1 repeated; missing axes are inserted after the batch."""
    return _with_axes(x, len(sizes)).expand(x.shape[0], *sizes)


def repeat(x: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Return the tensor repeated along its axes."""
    x = _with_axes(x, len(sizes))
    times = (size // own for size, own in zip(sizes, x.shape[1:], strict=True))
    return x.repeat(1, *times)


def crop(x: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Return the first elements of every axis."""
    return x[(slice(None), *(slice(size) for size in sizes))]


def pad_to(
    x: torch.Tensor, sizes: list[int], before: Any = 0, value: float = 0
) -> torch.Tensor:
    """Return the tensor padded at the end of every axis, or ``half`` in front."""
    pads = []
    for new, old in zip(reversed(sizes), reversed(x.shape[1:]), strict=True):
        more = new - old
        parts = {"half": more // 2, "most": more - more // 2, "all": more}
        front = parts.get(before, 0)
        pads += [front, more - front]
    return nn.functional.pad(x, pads, value=value)


def resize(
    x: torch.Tensor,
    sizes: list[int],
    mode: str,
    scale_factor: tuple[float, ...] | None = None,
    **options: Any,
) -> torch.Tensor:
    """Return a feature map interpolated to a size, or by factors that give it."""
    name, _, corners = mode.replace("nearest_", "nearest-").partition("_")
    given = {"size": sizes[1:]} if scale_factor is None else {
        "scale_factor": list(scale_factor)
    }  # fmt: skip
    corner = True if corners else None
    made: torch.Tensor = nn.functional.interpolate(
        x, mode=name, align_corners=corner, **given, **options
    )
    return made


def adaptive(x: torch.Tensor, sizes: list[int], word: str) -> torch.Tensor:
    """Return means or maxima over windows that adapt to a size."""
    pool = getattr(nn.functional, f"adaptive_{word}_pool{len(sizes) - 1}d")
    pooled: torch.Tensor = pool(x, sizes[1:])
    return pooled


def copy(x: torch.Tensor, dtype: str | None = None) -> torch.Tensor:
    """Return the elements in new memory, perhaps of another type."""
    return x.clone() if dtype is None else x.to(getattr(torch, dtype))


def part(x: torch.Tensor, axis: int, chosen: slice) -> torch.Tensor:
    """Return a part of one axis."""
    return x[(slice(None),) * axis + (chosen,)]


def without_ends(
    x: torch.Tensor, axis: int, start: int, end: int, step: int
) -> torch.Tensor:
    """Return an axis without its first and last elements."""
    return part(x, axis, slice(start, x.shape[axis] - end, step))


def pad(
    x: torch.Tensor, before: tuple[int, ...], after: tuple[int, ...], value: float = 0
) -> torch.Tensor:
    """Return the tensor padded around its first axes after the batch."""
    behind = (0, 0) * (x.dim() - 1 - len(before))
    ends = zip(reversed(before), reversed(after), strict=True)
    pads = (*behind, *(n for both in ends for n in both))
    return nn.functional.pad(x, pads, value=value)


def product(x: torch.Tensor, dim: tuple[int, ...], *, keepdim: bool) -> torch.Tensor:
    """Return the product along axes, the last one first."""
    for axis in sorted(dim, reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


def _with_axes(x: torch.Tensor, axes: int) -> torch.Tensor:
    missing = (1,) * (axes + 1 - x.dim())
    return x.reshape(x.shape[0], *missing, *x.shape[1:])
