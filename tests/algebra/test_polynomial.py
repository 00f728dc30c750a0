"""Sizes: polynomials of extents that stay what the numbers are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.count import polynomial
from costmodel.algebra.extent import Extent
from costmodel.algebra.monomial import ONE, Monomial
from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import H, W, alpha
from costmodel.errors import CostModelError


Values: TypeAlias = Mapping[sympy.Symbol, int]
Pair: TypeAlias = tuple[Size, Callable[[Values], int]]
"""A size, and the same arithmetic on plain numbers."""


def leaf(start: Size) -> Pair:
    return start, start.at


def rounded(pair: Pair, divisor: int, *, rest: bool) -> Pair:
    one, number = pair
    if rest:
        return one % divisor, lambda values: number(values) % divisor
    return one // divisor, lambda values: number(values) // divisor


def joined(left: Pair, right: Pair, sign: str) -> Pair:
    (one, first), (other, second) = left, right
    if sign == "+":
        return one + other, lambda values: first(values) + second(values)
    if sign == "-":
        return one - other, lambda values: first(values) - second(values)
    return one * other, lambda values: first(values) * second(values)


LEAVES = st.one_of(st.integers(-9, 9), st.sampled_from([H, W])).map(size).map(leaf)
PAIRS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(joined, inner, inner, st.sampled_from("+-*")),
        st.builds(rounded, inner, st.integers(1, 8), rest=st.booleans()),
    ),
    max_leaves=6,
)
SIDES = st.integers(1, 300)


@given(PAIRS, SIDES, SIDES)
def test_a_size_is_at_every_input_what_the_numbers_are(
    pair: Pair, height: int, width: int
) -> None:
    found, number = pair
    values = {H: height, W: width}
    expected = number(values)
    assert found.at(values) == expected
    assert int(sympy.sympify(found.value).subs(values)) == expected
    assert size(found.extent).at(values) == expected


@given(PAIRS)
def test_a_size_is_read_back_from_its_formula_and_from_its_extent(pair: Pair) -> None:
    found, _ = pair
    assert size(found.value) == found
    assert size(found.extent) == found


@given(st.integers(-40, 40), st.integers(1, 16), st.integers(-9, 9))
def test_one_extent_and_a_number_are_one_extent(
    offset: int, stride: int, more: int
) -> None:
    extent = Extent(H, offset, stride)
    assert (size(extent) + more).extent == Extent(H, offset + more * stride, stride)


@given(PAIRS, PAIRS)
def test_a_product_divides_exactly_by_its_factors(left: Pair, right: Pair) -> None:
    one, other = left[0], right[0]
    quotient = (one * other).divided(other) if other.terms else one
    assert quotient is None or quotient * other == one * other
    if len(other.terms) == 1:
        assert quotient == one


def test_what_does_not_divide_has_no_quotient() -> None:
    assert (size(H) * 2 + 1).divided(size(H)) is None
    assert (size(H) * 3).divided(size(2)) is None


def test_what_has_other_coefficients_than_whole_numbers_is_not_divided() -> None:
    message = r"^H\*alpha is not a size: a factor is not whole$"
    with pytest.raises(CostModelError, match=message):
        (size(H) * alpha) // 2


def test_what_is_not_whole_is_no_size() -> None:
    message = r"^alpha is not a size: not a whole number of positions$"
    with pytest.raises(CostModelError, match=message):
        size(alpha * H)


@given(PAIRS, PAIRS)
def test_equal_polynomials_are_one_key(left: Pair, right: Pair) -> None:
    one, other = left[0], right[0]
    assert one + other == other + one
    assert hash(one * other) == hash(other * one)
    assert (one - one).terms == {}
    assert (one * 0).terms == {}


def test_a_copied_monomial_is_the_same_one() -> None:
    (product,) = (size(H) * size(W)).terms
    assert copy.deepcopy(product) is product
    assert pickle.loads(pickle.dumps(product)) is product  # noqa: S301


def test_an_expression_is_read_as_it_is_added() -> None:
    half = Extent(H, 5, 2)
    found = polynomial(alpha * half.atom * 3 + 2)
    assert found.terms == {Monomial([Extent(alpha), half]): 3, ONE: 2}
    assert found.value == 3 * alpha * half.value + 2
