"""Sums of many counts, added as integers and turned into one expression at the end.

A count of a network is a sum of coefficients times products of extents, and a network
has few distinct extents: adding thousands of terms is adding integers in a dictionary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cmp_to_key, lru_cache
from typing import TypeAlias

import sympy

from costmodel.algebra.extent import Extent, extent_of, normal, resolve
from costmodel.algebra.monomial import ONE, Monomial
from costmodel.algebra.polynomial import Polynomial, terms_of
from costmodel.algebra.symbols import Dim, as_dim, expand, plain


Count: TypeAlias = Dim | Polynomial
"""A number, an expression, or a polynomial that still has to become one."""


def product(factor: Count, extents: Iterable[Extent]) -> Count:
    """Return a count times extents; known ones are multiplied in.

    >>> from costmodel.algebra.symbols import H
    >>> product(3, (Extent(H, 1, 2), Extent(7))).terms
    {(Extent(base=H, offset=1, stride=2),): 21}
    """
    extents = tuple(extents)
    if not extents:
        return factor
    known, monomial = _known_apart(extents)
    if known != 1:
        factor = factor * known
    if not (monomial and factor):
        return factor
    if isinstance(factor, Polynomial):
        return factor * Polynomial({monomial: 1})
    return Polynomial({monomial: factor})


@lru_cache(maxsize=65536)
def _known_apart(extents: tuple[Extent, ...]) -> tuple[int, Monomial]:
    """Return the product of those extents that are numbers, and the others."""
    known = math.prod(e.base for e in extents if type(e.base) is int)
    return known, Monomial(e for e in extents if type(e.base) is not int)


def polynomial(formula: Dim) -> Polynomial:
    """Return an expression as a polynomial with numbers for coefficients.

    Opaque symbols become their extents, a floor of a quotient the extent that equals
    it, and any other factor an extent of its own.

    >>> from costmodel.algebra.symbols import H, N
    >>> found = polynomial(N * (256 * Extent(H, 1, 2).atom + 2))
    >>> found == product(256, (Extent(N), Extent(H, 1, 2))) + product(2, (Extent(N),))
    True
    """
    if type(formula) is int:
        return Polynomial({ONE: formula} if formula else {})
    terms: dict[Monomial, Dim] = {}
    for term in sympy.Add.make_args(expand(formula)):
        coefficient, rest = term.as_coeff_Mul()
        monomial = _monomial(rest)
        terms[monomial] = terms.get(monomial, 0) + as_dim(coefficient)
    return Polynomial({m: c for m, c in terms.items() if c})


@lru_cache(maxsize=4096)
def _monomial(expression: sympy.Expr) -> Monomial:
    extents: list[Extent] = []
    for factor in sympy.Mul.make_args(expression):
        base, power = factor.as_base_exp()
        if power.is_Integer and power > 0:
            extents += [_factor(base)] * int(power)
        else:
            extents.append(_factor(factor))
    return Monomial(e for e in extents if e.base != 1)


def _factor(factor: sympy.Expr) -> Extent:
    """Return a factor of a product as an extent."""
    if isinstance(factor, sympy.floor):
        numerator, divisor = sympy.together(factor.args[0]).as_numer_denom()
        if numerator.is_integer and divisor.is_Integer:
            return normal(as_dim(expand(numerator)), 0, int(divisor))
    return extent_of(factor) or Extent(factor)


Repeated: TypeAlias = Iterable[tuple[int, Count]]
"""Counts, each with its multiplicity."""


def added(counts: Repeated, times: Dim = 1, *, once: Repeated = ()) -> Dim:
    """Return the sum of counts, each so many times, as one expanded expression.

    Every term is multiplied by ``times``, the batch; those of ``once`` are not.

    >>> from costmodel.algebra.symbols import H, N, W
    >>> area = product(9, (Extent(H, 1, 2), Extent(W)))
    >>> added([(2, area), (1, area * 4), (3, 5)])
    54*W*floor(H/2 + 1/2) + 15
    >>> added([(1, 8)], N, once=[(2, 5)])
    8*N + 10
    """
    parts = [(*_apart(each), factor) for each, factor in ((counts, times), (once, 1))]
    is_known = all(not symbolic and not any(numbers) for numbers, symbolic, _ in parts)
    if is_known and type(times) is int:
        return sum(factor * numbers[ONE] for numbers, _, factor in parts)
    whole = _sum_of((numbers, factor) for numbers, _, factor in parts)
    terms = [
        expand(resolve(sympy.Add(*found)) * _sum_of([({monomial: 1}, factor)]))
        for _, symbolic, factor in parts
        for monomial, found in symbolic.items()
    ]
    return as_dim(sympy.Add(whole, *terms)) if terms else plain(whole)


def _apart(
    counts: Repeated,
) -> tuple[dict[Monomial, int], dict[Monomial, list[sympy.Expr]]]:
    """Return coefficients by their product of extents: numbers added up, and others."""
    numbers: dict[Monomial, int] = {ONE: 0}
    symbolic: dict[Monomial, list[sympy.Expr]] = {}
    for repeats, count in counts:
        if type(count) is int:
            numbers[ONE] += repeats * count
            continue
        for monomial, coefficient in terms_of(count).items():
            if type(coefficient) is int:
                numbers[monomial] = numbers.get(monomial, 0) + repeats * coefficient
            else:
                symbolic.setdefault(monomial, []).append(repeats * coefficient)
    return numbers, symbolic


@lru_cache(maxsize=4096)
def _expanded(
    monomial: Monomial, times: Dim
) -> tuple[tuple[Dim, tuple[sympy.Expr, ...]], ...]:
    """Return extents times the batch, multiplied out: a number and factors per term."""
    values = [sympy.sympify(extent.value) for extent in monomial]
    whole = sympy.Mul(times, *values)
    if any(value.is_Add for value in values):
        whole = expand(whole)
    parts = (term.as_coeff_Mul() for term in sympy.Add.make_args(whole))
    return tuple((plain(number), sympy.Mul.make_args(rest)) for number, rest in parts)


def _sum_of(parts: Iterable[tuple[Mapping[Monomial, int], Dim]]) -> sympy.Expr:
    """Return Σ number · Π extents · times as sympy would write it.

    The products are in sympy's normal form already, and commute. Sorted in sympy's
    order they form its sum, without the cost of its own simplification.
    """
    found: dict[tuple[sympy.Expr, ...], Dim] = {}
    for numbers, times in parts:
        for monomial, number in numbers.items():
            for part, factors in _expanded(monomial, times) if number else ():
                found[factors] = found.get(factors, 0) + number * part
    constant = found.pop(_NONE, 0)
    terms = [_term(number, factors) for factors, number in found.items() if number]
    terms.sort(key=cmp_to_key(sympy.Basic.compare))
    if constant:
        terms.insert(0, sympy.sympify(constant))
    return sympy.Add._from_args(terms, is_commutative=True)  # noqa: SLF001


def _term(number: Dim, factors: tuple[sympy.Expr, ...]) -> sympy.Expr:
    """Return a number times factors: the number first, the factors in their order."""
    given = factors if number == 1 else (sympy.sympify(number), *factors)
    return sympy.Mul._from_args(given, is_commutative=True)  # noqa: SLF001


_NONE = (sympy.S.One,)
"""The factors of a term that is a number."""
