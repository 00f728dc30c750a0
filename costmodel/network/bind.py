"""Substitution of values for symbols, and errors that say which values are legal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy

from costmodel.algebra.parse import exact
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError, at
from costmodel.network.node import Node
from costmodel.network.operator import Operator


def chosen_values(
    values: object, free: Mapping[str, sympy.Symbol], network: str
) -> dict[sympy.Symbol, Dim]:
    """Return exact values by symbol, given by name or by symbol."""
    if not isinstance(values, Mapping):
        raise CostModelError(f"bind: {values!r} does not map symbols to values")
    chosen: dict[sympy.Symbol, Dim] = {}
    for key, value in values.items():
        if str(key) not in free:
            raise CostModelError(
                f'bind: "{key}" is not a free symbol of "{network}"; '
                f"free are {', '.join(sorted(free)) or 'none'}"
            )
        symbol = free[str(key)]
        chosen[symbol] = _fitting(symbol, exact(value, f"bind: {key}"))
    return chosen


def bound(node: Node, values: Mapping[sympy.Symbol, Dim]) -> Operator:
    """Return a node's operator with symbols replaced; errors name the node."""
    try:
        return node.operator.bind(dict(values))
    except CostModelError as error:
        chosen = ", ".join(f"{name} = {value}" for name, value in values.items())
        message = f"{error}, with {chosen}{_legal_step(node.operator, values)}"
        raise at(node.operator.kind, node.name, message) from None


def check_symbols(symbols: Iterable[sympy.Symbol]) -> None:
    """Refuse two symbols of one name: a value given by name would be ambiguous."""
    named: dict[str, sympy.Symbol] = {}
    for symbol in symbols:
        if named.setdefault(symbol.name, symbol) != symbol:
            raise CostModelError(
                f'two different symbols are named "{symbol.name}"; make both with '
                f'costmodel.symbol("{symbol.name}")'
            )


def check_batch(batch: Dim) -> Dim:
    """Return the batch if it is a positive integer or an expression."""
    batch = as_dim(batch, "batch")
    count = sympy.sympify(batch)
    if count.is_positive is False or count.is_integer is False:
        raise CostModelError(f"batch {batch} is not a positive integer")
    return batch


def _legal_step(operator: Operator, values: Mapping[sympy.Symbol, Dim]) -> str:
    """Return a hint at legal values, if a channel multiplier is the cause."""
    for formula in operator.attributes.values():
        for name, value in values.items():
            if isinstance(formula, sympy.Expr) and isinstance(value, sympy.Rational):
                step = formula.coeff(name)
                if step.is_Integer and formula == step * name and step * value % 1:
                    return f"; {name} has to be a multiple of 1/{step} here"
    return ""


def _fitting(symbol: sympy.Symbol, value: Dim) -> Dim:
    """Return the value if the symbol's assumptions allow it."""
    number = sympy.sympify(value)
    wanted = [word for word in ("positive", "integer") if getattr(symbol, f"is_{word}")]
    if any(getattr(number, f"is_{word}") is False for word in wanted):
        article = f"a {' '.join(wanted)}" + ("" if "integer" in wanted else " number")
        raise CostModelError(f"bind: {symbol} = {value} is not {article}")
    return value
