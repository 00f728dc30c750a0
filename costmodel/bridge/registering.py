"""Modules for operators of other packages, registered by their owners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costmodel.errors import CostModelError
from costmodel.network.operators import OPERATORS, Operator


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
