"""Modules for operators of other packages: found by their entry points, once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from costmodel.entry_points import import_all
from costmodel.errors import CostModelError
from costmodel.network.operators import OPERATORS, Operator


GROUP = "costmodel.torch"
"""The entry-point group under which packages name what registers their modules."""


@lru_cache(maxsize=1)
def discover() -> None:
    """Import what registers modules, when PyTorch is at work and not before."""
    import_all(GROUP)


def register_module(
    operator: type[Operator],
    factory: Callable[..., Any],
    module: type[Any],
    *,
    read: Callable[[Any], Operator],
    positive: Callable[[Any], Any] | None = None,
) -> None:
    """Say which module of PyTorch an operator of another package is.

    ``factory`` makes it of the operator and its input shapes, which ``cm.compile``
    calls; ``read`` returns the operator of such a ``module``, for ``cm.trace``, which
    knows modules by their exact class and does not look inside. ``positive`` returns
    the module's positive linear form, for the gradient oracle, which has no answer
    about a network without it.

    **Errors**: an operator that is not registered, or has a module; a module's class
    that is taken.
    """
    from costmodel.bridge.compile.leaf_table import LEAVES, MODULES
    from costmodel.bridge.oracles.input_gradients import POSITIVE

    if operator not in OPERATORS.values():
        raise CostModelError(f"{operator!r} is no operator that is registered")
    if operator in LEAVES:
        raise CostModelError(f"{operator.kind}: it has a module already")
    if module in MODULES or module in POSITIVE:
        raise CostModelError(f"{module.__name__}: another operator's module already")
    LEAVES[operator], MODULES[module] = factory, read
    if positive is not None:
        POSITIVE[module] = positive


__all__ = ["GROUP", "discover", "register_module"]
