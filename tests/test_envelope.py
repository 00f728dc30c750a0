"""Which formula is the largest where: proofs hold, and no change is missed."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.envelope import Line, Terms, split, terms, undominated
from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.stretches import Stretch, stretches
from costmodel.algebra.symbols import H, N, W, alpha, symbol
from costmodel.errors import CostModelError


ONE = sympy.S.One
Strategy = st.SearchStrategy


@st.composite
def floors(draw: st.DrawFn, side: sympy.Symbol) -> sympy.Expr:
    """Draw ⌊(side + offset)/stride⌋, the extent of a map."""
    stride, offset = draw(st.sampled_from([1, 2, 3, 4, 8])), draw(st.integers(-2, 9))
    return sympy.floor((side + offset) / stride)


@st.composite
def formulas(draw: st.DrawFn, *sides: sympy.Symbol) -> Terms:
    """Draw a sum of products of extents of the sides, one an axis or none."""
    formula = sympy.Integer(0)
    for _ in range(draw(st.integers(1, 3))):
        count = draw(st.integers(-3, 40).filter(bool))
        factors = [draw(floors(side)) for side in sides if draw(st.booleans())]
        formula += count * sympy.Mul(*factors)
    return {m: count for m, count in terms(formula).items() if count}


def value(formula: Terms, at: dict[sympy.Symbol, int]) -> int:
    """Return a formula's value by sympy's own arithmetic."""
    return int(sum(count * monomial.subs(at) for monomial, count in formula.items()))


@given(st.lists(formulas(H, W), min_size=1, max_size=5), st.data())
def test_what_is_left_out_is_never_the_largest(
    drawn: list[Terms], data: st.DataObject
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
def test_a_stretch_names_the_largest_formula(
    drawn: list[Terms], least: int, further: list[int]
) -> None:
    found = stretches(drawn, H, least)
    assert found[0].first == least
    assert found[-1].last is None
    assert [part.last + 1 for part in found[:-1]] == [p.first for p in found[1:]]
    points = {part.first for part in found[:20]} | {least + more for more in further}
    points |= {part.last for part in found[:20] if part.last is not None}
    for point in points:
        part = next(p for p in found if p.last is None or point <= p.last)
        values = [value(formula, {H: point}) for formula in drawn]
        assert values.index(max(values)) in part.largest
        # Several share a stretch only where each is the largest at some point of it.
        assert len(part.largest) == 1 or part.last is None or part.last > part.first


def test_neighbouring_extents_prove_what_coefficients_do_not() -> None:
    small, large = sympy.floor((H + 1) / 2), sympy.floor((H + 3) / 4)
    # ⌊(H+1)/2⌋ is 2⌊(H+3)/4⌋ or one less: 3/2 of it from H = 5 on, but not at H = 1.
    formulas = [{small: 2}, {large: 3}]
    assert undominated(formulas, {H: 1}) == [0, 1]
    assert undominated(formulas, {H: 5}) == [0]
    assert undominated([{small: 1}, {large: 1}], {H: 1}) == [0]


def test_what_is_spare_is_used_once() -> None:
    # 3·H² covers H twice and 1 once, but not H four times.
    assert undominated([{H**2: 3}, {H: 2, ONE: 1}], {}) == [0]
    assert undominated([{H**2: 3}, {H: 4}], {}) == [0, 1]
    assert undominated([{H**2: 3}, {H: 2, ONE: 2}], {}) == [0, 1]


def test_only_what_is_never_negative_covers_anything() -> None:
    unknown = sympy.Symbol("u", integer=True)
    assert undominated([{unknown: 2}, {unknown: 1}], {}) == [0, 1]
    assert undominated([{N: 1, unknown: 1}, {N: 3, unknown: 1}], {}) == [1]
    early = sympy.floor((H - 9) / 2)  # below 0 until H = 9
    assert undominated([{early: 2}, {early: 1}], {H: 1}) == [0, 1]
    assert undominated([{early: 2}, {early: 1}], {H: 9}) == [0]
    assert undominated([{N: 2}, {N: 2, H: -1}], {}) == [0]


def test_of_equal_formulas_the_first_is_kept() -> None:
    assert undominated([{N: 1}, {N: 2}, {N: 2}, {H: 1}], {}) == [1, 3]
    assert undominated([], {}) == []


def test_multipliers_are_compared_with_themselves_alone() -> None:
    rounded = make_divisible(32, alpha, 8)
    formulas = [{N * alpha: 2}, {N: 2}, {N * alpha: 1, N: 1}, {N * rounded: 1}]
    assert undominated(formulas, {}) == [0, 1, 2, 3]
    assert undominated([{N * rounded * H: 2}, {N * rounded: 2}], {}) == [0]


def test_a_monomial_is_split_into_lines() -> None:
    lines, rest = split(N * alpha * sympy.floor(H / 2 + sympy.Rational(1, 2)) ** 2)
    assert sorted(map(str, lines)) == sorted(
        map(str, [Line(N, 1, 0, 1), Line(H, 1, 1, 2), Line(H, 1, 1, 2)])
    )
    assert rest == alpha
    assert split(sympy.floor(H * W / 2)) == ((), sympy.floor(H * W / 2))
    assert split(sympy.floor(-H / 2)).lines == ()
    assert split(H / 2 + sympy.Rational(1, 3)).lines == ()


def test_terms_are_exact() -> None:
    assert terms(7) == {ONE: 7}
    assert terms(H * (2 * N + 3) / 4) == {H * N: Fraction(1, 2), H: Fraction(3, 4)}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        # x² passes 5x beyond 5, where they are equal and the first counts
        ([{H: 5}, {H**2: 1}], [(1, 5, (0,)), (6, None, (1,))]),
        ([{H**2: 1}, {H: 5}], [(1, 4, (1,)), (5, None, (0,))]),
        # 10⁹ is passed by x only there: found by doubling, not by walking
        ([{ONE: 10**9}, {H: 1}], [(1, 10**9, (0,)), (10**9 + 1, None, (1,))]),
        ([{H: 1}], [(1, None, (0,))]),
        ([{H: Fraction(1, 2)}, {H: Fraction(1, 3), ONE: 1}],
         [(1, 5, (1,)), (6, None, (0,))]),
    ],
)  # fmt: skip
def test_changes_are_found_exactly(
    given_: list[Terms], expected: list[tuple[int, int | None, tuple[int, ...]]]
) -> None:
    assert [Stretch(*part) for part in expected] == stretches(given_, H, 1)


def test_formulas_that_take_turns_for_ever_share_a_stretch() -> None:
    even = {sympy.floor(H / 2): 2}  # H, or one less where H is odd
    odd = {sympy.floor((H - 1) / 2): 2, ONE: 1}  # H where it is odd, else one less
    assert stretches([even, odd], H, 1) == [Stretch(1, None, (0, 1))]
    third = {H: 1, ONE: -20}
    assert stretches([even, third], H, 1) == [Stretch(1, None, (0,))]


def test_a_formula_in_other_symbols_is_refused() -> None:
    message = r"^crossovers: H\*W is no product of floors of whole multiples of H$"
    with pytest.raises(CostModelError, match=message):
        stretches([{H * W: 1}], H, 1)
    with pytest.raises(CostModelError, match=r"^crossovers: 2\*\*k is no product"):
        stretches([{2 ** symbol("k"): 1}], symbol("k"), 1)
