"""PyTorch's functions, by the names in operators' tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from costmodel.algebra.code.constants import read_constants
from costmodel.bridge.compile.arrangements import Function, product
from costmodel.errors import CostModelError
from costmodel.network import operators as op


def _indexed(
    function: Callable[..., Any],
    x: torch.Tensor,
    dim: tuple[int, ...],
    *,
    keepdim: bool,
) -> torch.Tensor:
    """Return extremes, found with their places one axis after the other."""
    for axis in sorted(dim, reverse=True):
        x = function(x, dim=axis, keepdim=keepdim).values
    return x


REDUCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "sum": torch.sum,
    "mean": torch.mean,
    "max": torch.amax,
    "min": torch.amin,
    "max_indexed": partial(_indexed, torch.max),
    "min_indexed": partial(_indexed, torch.min),
    "prod": product,
    "norm": torch.linalg.vector_norm,
    "var": partial(torch.var, correction=0),
    "std": partial(torch.std, correction=0),
}
"""Reductions by name."""


def pointwise(layer: op.Pointwise) -> nn.Module:
    """Return the module of a function, which its row names."""
    row, given = layer.row, read_constants(layer.constants)
    missing = [n for n, d in row.constants.items() if given.get(n, d) is d is ...]
    if not row.torch or missing:
        raise CostModelError(
            f'"{layer.function}" has constants that the network does not keep; '
            "write it as a scalar operator"
        )
    found = named(row.torch)
    if isinstance(found, type):
        module: nn.Module = found(**row.options)
        return module
    return Function(found, **row.options)


@cache
def named(name: str) -> Any:
    """Return the module's class, or the function, of that full name."""
    try:
        return resolve_name(name)
    except (ImportError, AttributeError) as error:
        raise CostModelError(f"there is no {name}: {error}") from None


def pointwise_modules() -> Mapping[type[nn.Module], op.Pointwise]:
    """Return the functions that are modules, by the module's class."""
    # Tracing calls this for every module: the cache is renewed only with more rows.
    return _modules(len(op.functions()))


@lru_cache(maxsize=1)
def _modules(_rows: int) -> Mapping[type[nn.Module], op.Pointwise]:
    rows = {name: named(row.torch) for name, row in op.functions().items() if row.torch}
    return MappingProxyType(
        {
            found: op.Pointwise(name)
            for name, found in rows.items()
            if isinstance(found, type)
        }
    )


def arithmetic(layer: op.Arithmetic) -> nn.Module:
    """Return the module of two tensors, or of a tensor and a number."""
    if not layer.row.torch:
        raise CostModelError(f'"{layer.operation}": nobody said which one')
    function = named(layer.row.torch)
    if layer.value is None:
        return Function(function)
    unknown = layer.value == "..."
    numbers = [1] if unknown else _numbers(layer, layer.row.numbers)
    if layer.operation == "clamp":
        return Function(torch.clamp, min=numbers[0], max=numbers[1])
    if layer.operation in ("maximum", "minimum"):
        side = "min" if layer.operation == "maximum" else "max"
        return Function(torch.clamp, **{side: numbers[0]})
    is_reversed = layer.operation.startswith("reverse_")
    beside = _reversed if is_reversed else _beside
    return Function(partial(beside, function, numbers[0]))


class _Gated(torch.autograd.Function):
    """The product with a sigmoid, which keeps its operands as ``F.glu`` does."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """Return x·σ(gate)."""
        ctx.save_for_backward(x, gate)
        return x * torch.sigmoid(gate)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Return the gradients of both."""
        x, gate = ctx.saved_tensors
        share = torch.sigmoid(gate)
        needs = zip(ctx.needs_input_grad, (1, x * (1 - share)), strict=True)
        return tuple(gradients[0] * share * by if need else None for need, by in needs)


def gated(x: torch.Tensor, gate: torch.Tensor | float) -> torch.Tensor:
    """Return the product with the sigmoid of a gate, which may be a number."""
    if not isinstance(gate, torch.Tensor):
        return x / (1 + math.exp(-gate))
    made: torch.Tensor = _Gated.apply(*torch.broadcast_tensors(x, gate))
    return made


def reduce(layer: op.Reduce) -> nn.Module:
    """Return the module of a reduction."""
    reduction = REDUCTIONS[layer.operation]
    return Function(reduction, dim=layer.axes, keepdim=layer.keep)


def _beside(function: Callable[..., Any], number: float, x: torch.Tensor) -> Any:
    return function(x, number)


def _reversed(function: Callable[..., Any], number: float, x: torch.Tensor) -> Any:
    return function(number, x)


def _numbers(layer: op.Arithmetic, count: int) -> list[int | float]:
    parts = (layer.value or "").split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise CostModelError(f"{layer}: a module needs {count} numbers")
    return [int(n) if n.is_integer() else n for n in numbers]
