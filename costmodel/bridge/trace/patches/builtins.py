"""Replacements of ``max``, ``min`` and ``len`` that keep formulas of sizes."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import sympy
import torch

from costmodel.algebra.polynomial import Size, size
from costmodel.bridge.importing.constraints import always
from costmodel.bridge.importing.symbolic_int import Record, SizeInt, formula_of, whole


@contextmanager
def symbolic_builtins(record: Record) -> Iterator[None]:
    """Let ``max``, ``min`` and ``len`` keep formulas while a network's code runs.

    Logarithms of sizes are recorded: they read an integer without asking it.
    """
    # PyTorch imports this on first use, and would keep the replacements for good.
    import_module("torch._dynamo")
    kept = builtins.max, builtins.min, builtins.len

    def length(of: Any) -> int:
        is_known = isinstance(of, torch.Tensor) and of.dim()
        count: int = of.shape[0] if is_known else kept[2](of)
        return count

    def either(plain: Any, *, is_max: bool) -> Any:
        def chosen(*values: Any, **options: Any) -> Any:
            if options or len(values) != 2 or not _any_size(values):
                return plain(*values, **options)
            left, right = (formula_of(v) for v in values)
            return _extreme(left, right, record, is_max=is_max)

        return chosen

    def logarithm(plain: Any) -> Any:
        def called(value: Any, *base: Any) -> Any:
            if isinstance(value, SizeInt):
                record.lose(f"{plain.__name__}() of {value.formula.value}")
            return plain(value, *base)

        return called

    logarithms = {name: getattr(math, name) for name in ("log", "log2", "log10")}
    builtins.max = either(kept[0], is_max=True)
    builtins.min = either(kept[1], is_max=False)
    builtins.len = length
    for name, plain in logarithms.items():
        setattr(math, name, logarithm(plain))
    try:
        yield
    finally:
        builtins.max, builtins.min, builtins.len = kept
        for name, plain in logarithms.items():
            setattr(math, name, plain)


def _extreme(left: Size, right: Size, record: Record, *, is_max: bool) -> int:
    function = sympy.Max if is_max else sympy.Min
    if left == right:
        return whole(left, record)
    bounds = _sign(left - right)
    if bounds is not None:
        return whole(left if (bounds >= 0) == is_max else right, record)
    return whole(size(function(left.value, right.value)), record)


def _sign(difference: Size) -> int | None:
    """Return 1 or −1 if a size is never negative, or never positive; else None."""
    if always(">=", difference):
        return 1
    return -1 if always(">=", -difference) else None


def _any_size(values: tuple[Any, ...]) -> bool:
    return any(isinstance(v, SizeInt) for v in values) and all(
        isinstance(v, int) for v in values
    )
