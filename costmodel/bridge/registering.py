"""Registration of PyTorch modules for other packages' operators."""

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
    """Register the PyTorch module of another package's operator.

    ``factory`` makes it from the operator and its input shapes, for ``cm.compile``;
    ``read`` returns the operator of such a ``module``, for ``cm.trace``, which
    recognises modules by their exact class and does not trace into them. ``positive``
    returns the module's positive linear form, for the gradient oracle, which cannot
    check a network without it.

    **Errors**: an operator that is not registered, or has a module; a module's class
    that is taken.
    """
    from costmodel.bridge.compile.leaf_table import LEAVES, MODULES
    from costmodel.bridge.oracles.input_gradients import POSITIVE

    if operator not in OPERATORS.values():
        raise CostModelError(f"{operator!r} is not a registered operator")
    if operator in LEAVES:
        raise CostModelError(f"{operator.kind}: it has a module already")
    if module in MODULES or module in POSITIVE:
        raise CostModelError(f"{module.__name__}: another operator's module already")
    LEAVES[operator], MODULES[module] = factory, read
    if positive is not None:
        POSITIVE[module] = positive
