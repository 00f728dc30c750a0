"""Which formula is the largest where: proofs hold, and no change is missed."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.count import polynomial
from costmodel.algebra.extent import Extent
from costmodel.algebra.monomial import ONE, Monomial
from costmodel.algebra.polynomial import Polynomial
from costmodel.algebra.questions import upper_envelope
from costmodel.algebra.questions.largest_where import LeaderInterval, leader_intervals
from costmodel.algebra.questions.upper_envelope import split, undominated
from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import H, N, W, alpha, as_dim, symbol
from costmodel.errors import CostModelError
from costmodel.testing import extents


Strategy = st.SearchStrategy


@st.composite
def floors(draw: st.DrawFn, side: sympy.Symbol) -> sympy.Expr:
    """Draw ⌊(side + offset)/stride⌋, the extent of a map."""
    stride, offset = draw(st.sampled_from([1, 2, 3, 4, 8])), draw(st.integers(-2, 9))
    return sympy.floor((side + offset) / stride)


@st.composite
def formulas(draw: st.DrawFn, *sides: sympy.Symbol) -> Polynomial:
    """Draw a sum of products of extents of the sides, one an axis or none."""
    formula = sympy.Integer(0)
    for _ in range(draw(st.integers(1, 3))):
        count = draw(st.integers(-3, 40).filter(bool))
        factors = [draw(floors(side)) for side in sides if draw(st.booleans())]
        formula += count * sympy.Mul(*factors)
    return polynomial(formula)


def polynomials(*given_: Any) -> list[Polynomial]:
    """Return expressions as polynomials."""
    return [polynomial(as_dim(formula)) for formula in given_]


def value(formula: Polynomial, at: dict[sympy.Symbol, int]) -> int:
    """Return a formula's value by sympy's own arithmetic."""
    return int(sympy.sympify(formula.value).subs(at))


@given(st.lists(formulas(H, W), min_size=1, max_size=5), st.data())
def test_what_is_left_out_is_never_the_largest(
    drawn: list[Polynomial], data: st.DataObject
) -> None:
    least = data.draw(st.integers(1, 12))
    kept = undominated(drawn, {H: least, W: least})
    assert kept == sorted(set(kept))
    for _ in range(5):
        at = {
            H: data.draw(st.integers(least, 40)),
            W: data.draw(st.integers(least, 40)),
        }
        values = [value(formula, at) for formula in drawn]
        assert max(values[i] for i in kept) == max(values)


@given(
    st.lists(formulas(H, H), min_size=1, max_size=4),
    st.integers(1, 6),
    st.lists(st.integers(0, 400), min_size=3, max_size=3),
)
def test_an_interval_names_the_largest_formula(
    drawn: list[Polynomial], least: int, further: list[int]
) -> None:
    found = leader_intervals(drawn, H, least)
    assert found[0].first == least
    assert found[-1].last is None
    assert [part.last + 1 for part in found[:-1]] == [p.first for p in found[1:]]
    points = {part.first for part in found[:20]} | {least + more for more in further}
    points |= {part.last for part in found[:20] if part.last is not None}
    for point in points:
        part = next(p for p in found if p.last is None or point <= p.last)
        values = [value(formula, {H: point}) for formula in drawn]
        assert values.index(max(values)) in part.largest
        # Several share an interval only where each is the largest at some point of it.
        assert len(part.largest) == 1 or part.last is None or part.last > part.first


def test_neighbouring_extents_prove_what_coefficients_do_not() -> None:
    small, large = sympy.floor((H + 1) / 2), sympy.floor((H + 3) / 4)
    # ⌊(H+1)/2⌋ is 2⌊(H+3)/4⌋ or one less: 3/2 of it from H = 5 on, but not at H = 1.
    formulas = polynomials(2 * small, 3 * large)
    assert undominated(formulas, {H: 1}) == [0, 1]
    assert undominated(formulas, {H: 5}) == [0]
    assert undominated(polynomials(small, large), {H: 1}) == [0]


def test_what_is_spare_is_used_once() -> None:
    # 3·H² covers H twice and 1 once, but not H four times.
    assert undominated(polynomials(3 * H**2, 2 * H + 1), {}) == [0]
    assert undominated(polynomials(3 * H**2, 4 * H), {}) == [0, 1]
    assert undominated(polynomials(3 * H**2, 2 * H + 2), {}) == [0, 1]


def test_only_what_is_never_negative_covers_anything() -> None:
    u = sympy.Symbol("u", integer=True)
    assert undominated(polynomials(2 * u, u), {}) == [0, 1]
    assert undominated(polynomials(N + u, 3 * N + u), {}) == [1]
    early = Polynomial({Monomial([Extent(H, -9, 2)]): 1})  # below 0 until H = 9
    assert undominated([2 * early, early], {H: 1}) == [0, 1]
    assert undominated([2 * early, early], {H: 9}) == [0]
    assert undominated(polynomials(2 * N, 2 * N - H), {}) == [0]


def test_extents_behind_windows_without_padding_are_lines() -> None:
    # H − 4 is never below ⌊H/2⌋ − 6, though neither is in normal form.
    valid = Polynomial({Monomial([Extent(H, -4)]): 1})
    pooled = Polynomial({Monomial([Extent(H, -12, 2)]): 1})
    assert undominated([valid, pooled], {H: 12}) == [0]


def test_of_equal_formulas_the_first_is_kept() -> None:
    assert undominated(polynomials(N, 2 * N, 2 * N, H), {}) == [1, 3]
    assert undominated([], {}) == []


def test_multipliers_are_compared_with_themselves_alone() -> None:
    rounded = make_divisible(32, alpha, 8)
    formulas = polynomials(2 * N * alpha, 2 * N, N * alpha + N, N * rounded)
    assert undominated(formulas, {}) == [0, 1, 2, 3]
    assert undominated(polynomials(2 * N * rounded * H, 2 * N * rounded), {}) == [0]


def factors(formula: sympy.Expr) -> tuple[list[str], list[str]]:
    """Return the lines of a formula of one term, and its other factors, as text."""
    (monomial,) = polynomial(formula).terms
    lines, rest = split(monomial)
    return sorted(map(str, lines)), sorted(map(str, rest))


def test_a_monomial_is_split_into_lines() -> None:
    half = sympy.floor(H / 2 + sympy.Rational(1, 2))
    lines = ["N", "⌊(H+1)/2⌋", "⌊(H+1)/2⌋"]
    assert factors(N * alpha * half**2) == (lines, ["alpha"])
    assert factors(sympy.floor((3 * H + 1) / 2)) == (["⌊(3*H+1)/2⌋"], [])
    assert factors(sympy.floor(H * W / 2)) == ([], ["⌊H*W/2⌋"])
    assert factors(sympy.floor(-H / 2)) == ([], ["⌊-H/2⌋"])
    third = Monomial([Extent(H / 2 + sympy.Rational(1, 3))])
    assert split(third) == ((), third)


def test_coefficients_are_exact() -> None:
    assert polynomial(7).terms == {ONE: 7}
    product, side = Monomial([Extent(H), Extent(N)]), Monomial([Extent(H)])
    found = polynomial(H * (2 * N + 3) / 4).terms
    assert found == {product: sympy.Rational(1, 2), side: sympy.Rational(3, 4)}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        # x² passes 5x beyond 5, where they are equal and the first counts
        ([5 * H, H**2], [(1, 5, (0,)), (6, None, (1,))]),
        ([H**2, 5 * H], [(1, 4, (1,)), (5, None, (0,))]),
        # 10⁹ is passed by x only there: found by doubling, not by walking
        ([10**9, H], [(1, 10**9, (0,)), (10**9 + 1, None, (1,))]),
        ([H], [(1, None, (0,))]),
        ([H / 2, H / 3 + 1], [(1, 5, (1,)), (6, None, (0,))]),
    ],
)
def test_changes_are_found_exactly(
    given_: list[Any], expected: list[tuple[int, int | None, tuple[int, ...]]]
) -> None:
    found = leader_intervals(polynomials(*given_), H, 1)
    assert [LeaderInterval(*part) for part in expected] == found


def test_formulas_that_take_turns_for_ever_share_an_interval() -> None:
    even = 2 * sympy.floor(H / 2)  # H, or one less where H is odd
    odd = 2 * sympy.floor((H - 1) / 2) + 1  # H where it is odd, else one less
    found = leader_intervals(polynomials(even, odd), H, 1)
    assert found == [LeaderInterval(1, None, (0, 1))]
    found = leader_intervals(polynomials(even, H - 20), H, 1)
    assert found == [LeaderInterval(1, None, (0,))]


def test_a_formula_in_other_symbols_is_refused() -> None:
    message = r"^crossovers: H\*W is not a product of floors of whole multiples of H$"
    with pytest.raises(CostModelError, match=message):
        leader_intervals(polynomials(H * W), H, 1)
    with pytest.raises(CostModelError, match=r"^crossovers: 2\*\*k is not a product"):
        leader_intervals(polynomials(2 ** symbol("k")), symbol("k"), 1)


@pytest.mark.parametrize("strides", [(1, 10**6), (10**9, 1), (10**6, 10**6 - 1)])
def test_a_large_stride_costs_no_time(strides: tuple[int, int]) -> None:
    # Each point of a common period would be too many to look at.
    over, under = (Extent(H, 0, stride) for stride in strides)
    bound = upper_envelope._least_ratio(over, under, 1)
    assert 0 <= bound <= Fraction(strides[1], strides[0])


@given(st.lists(extents(H), min_size=2, max_size=2), st.integers(1, 12))
def test_the_least_ratio_is_that_of_all_points(lines: list[Extent], least: int) -> None:
    over, under = lines
    period = math.lcm(over.stride, under.stride)
    far = Fraction(under.stride, over.stride)
    at = upper_envelope.at
    points = range(least, least + period)
    ratios = (Fraction(at(over, x), max(at(under, x), 1)) for x in points)
    assert upper_envelope._least_ratio(over, under, least) == min(far, *ratios)
