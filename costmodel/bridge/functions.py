"""PyTorch's functions, by the names that operators have for them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from pkgutil import resolve_name
from typing import Any

import torch
from torch import nn

from costmodel.bridge.arrangements import Function, product
from costmodel.errors import CostModelError
from costmodel.network import operators as op


PAIRS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
}
"""Functions of two tensors, or of a tensor and a number."""

REDUCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "sum": torch.sum,
    "mean": torch.mean,
    "max": torch.amax,
    "min": torch.amin,
    "prod": product,
    "norm": torch.linalg.vector_norm,
    "var": partial(torch.var, correction=0),
    "std": partial(torch.std, correction=0),
}
"""Reductions by name."""


def pointwise(layer: op.Pointwise) -> nn.Module:
    """Return the module of a function, as its row names it."""
    row = layer.row
    if not row.torch:
        raise CostModelError(
            f'"{layer.function}" has constants that the network does not keep; '
            "write it as a scalar operator"
        )
    found = named(row.torch)
    if isinstance(found, type):
        module: nn.Module = found(**row.options)
        return module
    return Function(found, **row.options)


def named(name: str) -> Any:
    """Return the module's class, or the function, of that full name."""
    try:
        return resolve_name(name)
    except (ImportError, AttributeError) as error:
        raise CostModelError(f"there is no {name}: {error}") from None


def pointwise_modules() -> dict[type[nn.Module], op.Pointwise]:
    """Return the functions that are modules, by the module's class."""
    rows = {name: named(row.torch) for name, row in op.functions().items() if row.torch}
    return {
        found: op.Pointwise(name)
        for name, found in rows.items()
        if isinstance(found, type)
    }


def scalar(layer: op.Scalar) -> nn.Module:
    """Return the module of a tensor and a number."""
    word, _, name = layer.operation.rpartition("_")
    if layer.operation == "clamp":
        least, most = _numbers(layer, 2)
        return Function(partial(torch.clamp, min=least, max=most))
    (number,) = _numbers(layer, 1)
    if word == "reverse":
        return Function(partial(_reversed, PAIRS[name], number))
    if layer.operation in ("maximum", "minimum"):
        side = "min" if layer.operation == "maximum" else "max"
        return Function(torch.clamp, **{side: number})
    return Function(partial(_beside, _pair(layer.operation), number))


def binary(layer: op.Binary) -> nn.Module:
    """Return the module of two tensors."""
    return Function(_pair(layer.operation))


def reduce(layer: op.Reduce) -> nn.Module:
    """Return the module of a reduction."""
    reduction = REDUCTIONS[layer.operation]
    return Function(reduction, dim=layer.axes, keepdim=layer.keep)


def _pair(operation: str) -> Callable[..., Any]:
    if operation not in PAIRS:
        raise CostModelError(f'"{operation}": nobody said which one')
    return PAIRS[operation]


def _beside(function: Callable[..., Any], number: float, x: torch.Tensor) -> Any:
    return function(x, number)


def _reversed(function: Callable[..., Any], number: float, x: torch.Tensor) -> Any:
    return function(number, x)


def _numbers(layer: op.Scalar, count: int) -> list[int | float]:
    parts = layer.value.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise CostModelError(f"{layer}: a module needs {count} numbers")
    return [int(n) if n.is_integer() else n for n in numbers]
