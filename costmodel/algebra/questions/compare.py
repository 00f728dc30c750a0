"""Comparison of formulas: shares of a whole, dominant parts, and crossovers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import sympy

from costmodel.algebra.checks import bound, formula_of, symbol_of, values_of
from costmodel.algebra.questions.asymptotics import smooth
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Region:
    """An interval on which one part is the largest; oo is no upper bound."""

    low: sympy.Expr
    high: sympy.Expr
    part: Any
    """The part's name, or the term itself."""

    def __str__(self) -> str:
        """Write the bounds and the part."""
        return f"{self.low} to {self.high}: {self.part}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two formulas: one over the other, and where they are equal."""

    ratio: Dim
    """The first over the second, exact and simplified."""
    crossovers: tuple[sympy.Expr, ...]
    """The positive values at which one passes the other, in order, exactly."""


def share(parts: Dim | Mapping[str, Dim]) -> dict[Any, Dim]:
    """Return each part's share of the whole, as an exact formula.

    share_i = f_i / Σ f. The parts are a formula's terms, or formulas by name, such as
    ``costmodel.parts(net, by="operator")``; the shares add up to 1.

    **Units**: none, a fraction of 1.
    **Errors**: the parts add up to 0.

    >>> from costmodel.algebra.symbols import N, alpha
    >>> share(3 * N * alpha**2 + N * alpha)
    {3*N*alpha**2: 3*alpha/(3*alpha + 1), N*alpha: 1/(3*alpha + 1)}
    """
    found = _parts("share", parts)
    whole = expand(sympy.Add(*found.values()))
    if whole == 0:
        raise CostModelError("share: the parts add up to 0")
    shared = sympy.gcd_terms(whole).as_independent(sympy.Add)[0] if whole.is_Add else 1
    rest = expand(whole / shared)
    return {
        key: as_dim(sympy.cancel(expand(part / shared) / rest)) if part else 0
        for key, part in found.items()
    }


def dominant(
    parts: Dim | Mapping[str, Dim],
    symbol: sympy.Symbol,
    *,
    at: Mapping[Any, object] | None = None,
) -> tuple[Region, ...]:
    """Return the intervals, from 0 on, on which each part is the largest.

    The bounds are exact, roots of the differences of two parts. ``at`` gives the other
    symbols' values. A rounded count may cross another one many times, so roundings of
    the symbol are relaxed; all others stay.

    **Units**: bounds in those of the symbol.
    **Errors**: a part is no quotient of polynomials in the symbol.

    >>> from costmodel.algebra.symbols import H, alpha
    >>> law = 3 * alpha**2 * H**2 + 5 * alpha * H**2
    >>> for region in dominant(law, alpha, at={H: 7}):
    ...     print(region)
    0 to 5/3: 245*alpha
    5/3 to oo: 147*alpha**2
    """
    found = _parts("dominant", parts)
    values = values_of("dominant", at, found.values())
    x = symbol_of("dominant", symbol, found.values())
    laws = {
        key: smooth(bound("dominant", part, values, x), x)
        for key, part in found.items()
    }
    if not isinstance(parts, Mapping):
        laws = _parts("dominant", sympy.Add(*laws.values()))
    return tuple(_regions(laws, x, sympy.S.Zero, sympy.oo))


def _regions(
    laws: Mapping[Any, sympy.Expr], x: sympy.Symbol, low: sympy.Expr, high: sympy.Expr
) -> Iterator[Region]:
    """Give the regions between two values: each ends where another part overtakes."""
    if low == high:
        return
    middle, leader = _leader(laws, x, low, high)
    crossings = {
        root
        for law in set(laws.values())
        for root in _crossings("dominant", laws[leader] - law, x)
        if low < root < high
    }
    start = max((root for root in crossings if root < middle), default=low)
    end = min((root for root in crossings if root > middle), default=high)
    yield from _regions(laws, x, low, start)
    yield Region(start, end, leader)
    yield from _regions(laws, x, end, high)


def _leader(
    laws: Mapping[Any, sympy.Expr], x: sympy.Symbol, low: sympy.Expr, high: sympy.Expr
) -> tuple[sympy.Rational, Any]:
    """Return a fraction between two values, and the part that is largest there."""
    for number in count(1):
        middle = _between(low, high, number)
        values = {law: law.subs(x, middle) for law in set(laws.values())}
        first = max(laws, key=lambda key: values[laws[key]])
        if [*values.values()].count(values[laws[first]]) == 1:
            return middle, first
    raise AssertionError  # pragma: no cover - different laws are equal at few values


def compare(
    first: Dim,
    second: Dim,
    symbol: sympy.Symbol | None = None,
    *,
    at: Mapping[Any, object] | None = None,
) -> Comparison:
    """Return one formula over another, and the values of a symbol where they cross.

    Crossovers are the positive roots of f − g at which its sign changes, exact: roots
    of polynomials are no floats. Where other symbols are left without a value in
    ``at``, they are formulas in these, for equations of degree 2 or less. Roundings
    that the symbol stands in are relaxed there; the ratio has all of them.

    **Units**: none for the ratio; the symbol's for crossovers.
    **Errors**: the second formula is 0; the equation cannot be solved.

    >>> from costmodel.algebra.symbols import H, N, alpha
    >>> compare(8 * N * alpha**2 * H, 2 * N * alpha * H + 3 * N * H, alpha)
    Comparison(ratio=8*alpha**2/(2*alpha + 3), crossovers=(3/4,))
    """
    one, other = formula_of("compare", first), formula_of("compare", second)
    values = values_of("compare", at, [one, other])
    one, other = (f.subs(values, simultaneous=True) for f in (one, other))
    if expand(other) == 0:
        raise CostModelError("compare: the second formula is 0")
    ratio = as_dim(sympy.cancel(one / other))
    if symbol is None:
        return Comparison(ratio, ())
    x = symbol_of("compare", symbol, [one, other])
    return Comparison(ratio, _crossings("compare", smooth(one - other, x), x))


def _parts(query: str, parts: object) -> dict[Any, sympy.Expr]:
    """Return parts by name; a formula's are its terms."""
    if isinstance(parts, Mapping):
        return {key: formula_of(query, part) for key, part in parts.items()}
    formula = expand(formula_of(query, parts))
    return {as_dim(term): term for term in formula.as_ordered_terms()}


def _crossings(
    query: str, difference: sympy.Expr, x: sympy.Symbol
) -> tuple[sympy.Expr, ...]:
    """Return the positive roots at which a difference changes its sign, in order.

    With symbols beside x the signs are not known, and every root is one.
    """
    roots = tuple(dict.fromkeys(_roots(query, difference, x)))
    if difference.free_symbols != {x}:
        return roots
    roots = tuple(sorted(roots))
    ends = [sympy.S.Zero, *roots, sympy.oo]
    signs = [
        sympy.sign(difference.subs(x, _between(low, high, 1)))
        for low, high in pairwise(ends)
    ]
    return tuple(root for root, (a, b) in zip(roots, pairwise(signs)) if a != b)


def _roots(query: str, difference: sympy.Expr, x: sympy.Symbol) -> Iterator[sympy.Expr]:
    """Give positive roots, once for every side that a Max or Min may take there."""
    turns = [t for t in difference.atoms(sympy.Max, sympy.Min) if x in t.free_symbols]
    for turn in turns[:1]:
        for side in turn.args:
            for root in _roots(query, difference.xreplace({turn: side}), x):
                if (turn - side).subs(x, root).is_zero is not False:
                    yield root
    if turns:
        return
    numerator = sympy.fraction(sympy.together(difference))[0]
    try:
        polynomial = sympy.Poly(numerator, x)
    except sympy.PolynomialError:
        raise CostModelError(
            f"{query}: {difference} is not a quotient of polynomials in {x}"
        ) from None
    if polynomial.free_symbols_in_domain:
        yield from _symbolic(query, polynomial)
    elif not polynomial.is_zero:
        found = sympy.real_roots(polynomial, multiple=False)
        yield from (root for root, _ in found if root > 0)


def _symbolic(query: str, polynomial: sympy.Poly) -> Iterator[sympy.Expr]:
    """Give the roots by formula, those left out that are known not to be positive."""
    (least,) = min(polynomial.monoms())
    x = polynomial.gen
    reduced = sympy.Poly(expand(polynomial.as_expr() / x**least), x)
    if reduced.degree() > 2:
        names = ", ".join(sorted(map(str, polynomial.free_symbols_in_domain)))
        raise CostModelError(
            f"{query}: of degree {reduced.degree()} in {x}; give {names} in at"
        )
    for root, times in sympy.roots(reduced).items():
        if times % 2 and root.is_positive is not False:
            yield root


def _between(low: sympy.Expr, high: sympy.Expr, number: int) -> sympy.Rational:
    """Return one of many fractions between two numbers."""
    if high == sympy.oo:
        return sympy.ceiling(low) + number
    digits = 20
    while True:
        inside = (low * number + high) / (number + 1)
        middle = sympy.Rational(str(sympy.N(inside, digits)))
        if low < middle < high:
            return middle
        digits *= 2
