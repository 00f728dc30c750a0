"""Parts of formulas that occur more than once, each computed once.

sympy's own elimination evaluates every part again, and so compares the arguments of
every Max and Min; here none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import sympy

from costmodel.algebra.rounding import FUNCTIONS, Rounding


def named_once(
    formulas: Sequence[sympy.Expr],
) -> tuple[list[tuple[sympy.Symbol, sympy.Expr]], list[sympy.Expr]]:
    """Return names of common parts with what they stand for, and formulas of names.

    What is named comes before what is made of it.

    >>> H = sympy.Symbol("H")
    >>> named_once([H**2 + 1, 2 * H**2])
    ([(x0, H**2)], [x0 + 1, 2*x0])
    """
    shared = set(repeated(formulas))
    taken = {str(symbol) for one in formulas for symbol in one.free_symbols}
    free = (name for name in sympy.numbered_symbols("x") if str(name) not in taken)
    names: list[tuple[sympy.Symbol, sympy.Expr]] = []

    def named(part: sympy.Expr, made: sympy.Expr) -> sympy.Expr:
        if part in shared:
            names.append((next(free), made))
            return names[-1][0]
        return made

    known: dict[sympy.Expr, sympy.Expr] = {}
    return names, [rebuilt(one, named, known) for one in formulas]


def rebuilt(
    formula: sympy.Expr,
    change: Callable[[sympy.Expr, sympy.Expr], sympy.Expr],
    known: dict[sympy.Expr, sympy.Expr] | None = None,
) -> sympy.Expr:
    """Return a formula with each part changed, inner ones first.

    ``change`` is given a part, and what it is with its own parts changed. Equal parts
    are changed once, also those that are ``known``.
    """
    known = {} if known is None else known
    waiting = [formula]
    while waiting:
        part = waiting[-1]
        if part not in known:
            inner = [one for one in part.args if one not in known]
            if inner:
                waiting.extend(reversed(inner))
                continue
            known[part] = change(part, _of(part, known))
        waiting.pop()
    return known[formula]


def _of(part: sympy.Expr, known: dict[sympy.Expr, sympy.Expr]) -> sympy.Expr:
    """Return a part with its own parts replaced; no Max or Min is evaluated."""
    found = [known[one] for one in part.args]
    if all(one is other for one, other in zip(found, part.args)):
        return part
    if isinstance(part, (sympy.Max, sympy.Min)) and len(set(found)) > 1:
        return part.func(*found, evaluate=False)
    return part.func(*found)


def repeated(formulas: Iterable[sympy.Expr]) -> Iterator[sympy.Expr]:
    """Give the subexpressions that occur more than once, but no numbers or symbols."""
    seen: set[sympy.Expr] = set()
    waiting = list(formulas)
    while waiting:
        part = waiting.pop()
        if not part.args:
            continue
        if part in seen:
            yield part
            continue
        seen.add(part)
        waiting.extend(part.args)


def named_functions(formulas: Iterable[sympy.Expr]) -> list[type[Rounding]]:
    """Return the functions of this package that formulas call, in a fixed order."""
    seen: set[sympy.Expr] = set()
    waiting = list(formulas)
    while waiting:
        part = waiting.pop()
        if part not in seen:
            seen.add(part)
            waiting.extend(part.args)
    called = {type(part) for part in seen if isinstance(part, Rounding)}
    return [function for function in FUNCTIONS.values() if function in called]
