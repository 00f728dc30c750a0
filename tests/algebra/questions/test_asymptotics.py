"""Questions to a formula: its smooth law, its leading terms, its values on grids."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.code.numpy_code import lambdify
from costmodel.algebra.parse import parse
from costmodel.algebra.questions.asymptotics import elasticity, leading, relax, smooth
from costmodel.algebra.rounding import common_divisor, make_divisible
from costmodel.algebra.symbols import Dim, H, M, N, W, alpha, as_dim, is_equal, symbol
from costmodel.errors import CostModelError


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, sympy.Rational) else value


def check(expression: Dim, values: dict[sympy.Symbol, list[Any]]) -> None:
    """Compare a numpy function with exact substitution, point by point."""
    function: Callable[..., Any] = lambdify(expression, list(values))
    points = list(zip(*values.values()))
    expected = [
        as_dim(sympy.sympify(expression).subs(dict(zip(values, point))))
        for point in points
    ]
    arrays = [np.array([plain(v) for v in column]) for column in values.values()]
    actual = function(*arrays)
    assert actual.shape == (len(points),)
    if all(array.dtype == np.int64 for array in arrays):
        assert actual.dtype == np.int64
        assert expected == actual.tolist()
    else:
        np.testing.assert_allclose(actual, [float(e) for e in expected], rtol=1e-12)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("H/2", "floor(H/2)"),
        ("H/2 + 1/2", "ceiling((H + 1)/2)"),
        ("144*H*alpha", "9*floor(H/2)*make_divisible(32, alpha, 8)"),
        ("H/4", "floor(floor(H/2)/2)"),
        ("7", "7"),
    ],
)
def test_relaxing_drops_roundings(expected: str, text: str) -> None:
    assert parse(expected) == relax(parse(text))


@given(st.integers(1, 10**6), st.integers(1, 64), st.integers(-9, 9))
def test_relaxing_changes_a_floor_by_less_than_one(n: int, s: int, c: int) -> None:
    formula = sympy.floor((H + c) / sympy.Integer(s))
    gap = sympy.sympify(relax(formula)).subs(H, n) - formula.subs(H, n)
    assert 0 <= gap < 1


@pytest.mark.parametrize(
    ("expected", "text", "symbols"),
    [
        ("3*alpha**2*M**2", "3*alpha**2*M**2 + 5*alpha*M**2 + 7", [alpha, M]),
        ("3*alpha**2*M**2", "3*alpha**2*M**2 + 5*alpha*M**2 + 7", [alpha]),
        ("3*alpha**2*M**2 + 5*alpha*M**2", "3*alpha**2*M**2 + 5*alpha*M**2 + 7", [M]),
        ("H*W/4 + H**2", "floor(H/2)*floor(W/2) + H**2 + H", [H, W]),
        ("7", "7", [H]),
    ],
)
def test_leading_keeps_the_terms_of_highest_degree(
    expected: str, text: str, symbols: list[sympy.Symbol]
) -> None:
    assert is_equal(parse(expected), leading(parse(text), *symbols))


def test_leading_says_what_it_cannot_do() -> None:
    with pytest.raises(CostModelError, match=r"^leading: name at least one symbol"):
        leading(H)
    with pytest.raises(
        CostModelError, match=r"^leading: 1/H is not a polynomial in H$"
    ):
        leading(1 / H, H)


def test_roundings_of_other_symbols_stay() -> None:
    formula = sympy.floor(H / 2) * make_divisible(32, alpha, 8) * sympy.ceiling(W / 3)
    halves = sympy.ceiling(W / 3)
    assert smooth(formula, H) == H / 2 * make_divisible(32, alpha, 8) * halves
    assert smooth(formula, H, alpha) == 16 * H * alpha * halves
    assert smooth(formula, M) == formula


@given(st.integers(1, 10**6), st.integers(1, 9), st.integers(0, 9))
def test_the_elasticity_of_a_monomial_is_its_exponent(c: int, p: int, q: int) -> None:
    monomial = c * alpha**p * H**q * sympy.floor((W + 3) / 4)
    assert elasticity(monomial, alpha) == p
    assert elasticity(monomial * H, H) == q + 1


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(st.integers(1, 10**4), min_size=3, max_size=3), st.integers(1, 99))
def test_elasticities_add_over_products_and_average_over_sums(
    numbers: list[int], width: int
) -> None:
    a, b, c = numbers
    one, other = a * alpha**2 + b * alpha, sympy.Integer(c) + 3 * alpha**3
    slopes = [sympy.sympify(elasticity(f, alpha)) for f in (one, other)]
    product = elasticity(sympy.expand(one * other), alpha)
    assert sympy.cancel(product - sum(slopes)) == 0
    mean = (one * slopes[0] + other * slopes[1]) / (one + other)
    assert sympy.cancel(elasticity(one + other, alpha) - mean) == 0
    # One percent more width, and so many percent more cost: to first order.
    at = sympy.Rational(width, 10)
    little = sympy.Rational(1, 10**9)
    growth = (one.subs(alpha, at * (1 + little)) / one.subs(alpha, at) - 1) / little
    assert abs(float(growth - slopes[0].subs(alpha, at))) < 1e-6


def test_macs_are_proportional_to_the_batch_and_nearly_quadratic_in_width() -> None:
    macs = cm.cost(cm.load("mobilenet_v1", width=alpha)).macs
    assert elasticity(macs, N) == 1
    slope = sympy.sympify(elasticity(macs, alpha)).subs({H: 224, W: 224, alpha: 1})
    assert slope == sympy.Rational(2 * 539492352 + 29248000, 539492352 + 29248000)


def test_roundings_of_the_symbol_have_the_slope_of_what_they_round() -> None:
    assert elasticity(sympy.floor(H / 2) * sympy.floor(W / 2), H) == 1
    assert elasticity(make_divisible(32, alpha, 8) ** 2, alpha) == 2


def test_the_slope_of_a_maximum_turns_where_it_does() -> None:
    slope = sympy.sympify(elasticity(sympy.Max(1, alpha), alpha))
    values = [slope.subs(alpha, at) for at in (sympy.Rational(1, 2), 2)]
    assert values == [0, 1]


@given(
    st.lists(st.tuples(st.integers(1, 10**4), st.integers(1, 10**4)), min_size=1),
    st.integers(-9, 9),
    st.integers(1, 9),
)
def test_integers_on_a_grid_equal_exact_substitution(
    grid: list[tuple[int, int]], offset: int, stride: int
) -> None:
    height = sympy.floor((H + offset) / sympy.Integer(stride))
    width = sympy.ceiling((2 * W + offset) / sympy.Integer(stride))
    formula = 27 * height * width + 5 * H * common_divisor(W, 12) + 1
    check(formula, {H: [h for h, _ in grid], W: [w for _, w in grid]})


@given(
    st.lists(st.fractions("0.1", 2, max_denominator=100), min_size=1),
    st.integers(1, 64),
)
def test_rounded_channels_on_a_grid_equal_exact_substitution(
    widths: list[Any], channels: int
) -> None:
    values = [sympy.Rational(w.numerator, w.denominator) for w in widths]
    rounded = make_divisible(8 * channels, alpha, 8)
    check(3 * rounded**2 + rounded, {alpha: values})


def test_integers_above_the_range_of_floats_are_exact() -> None:
    # 3·(2⁵⁵ + 1) and ⌊(2⁵⁵ + 1)/2⌋ need more than the 53 bits of a float.
    check(3 * H, {H: [2**55 + 1]})
    check(sympy.floor(H / 2), {H: [2**55 + 1]})
    check(sympy.floor((H + 1) / 3) * 2, {H: [2**55 + 1, 2**55 + 2]})


def test_common_parts_of_floors_stay_integers() -> None:
    # ⌊H/2 + 1/2⌋ and ⌊H/2 + 3/2⌋ share H/2, which is no integer.
    one, two = sympy.floor((H + 1) / 2), sympy.floor((H + 3) / 2)
    check(one * two + common_divisor(two, 3), {H: [1, 2, 3, 99]})
    check(one + 2 * two, {H: [2**55 + 1, 2**55 + 2]})
    check(sympy.ceiling(H / 2) + sympy.floor(H / 2 + W), {H: [7, 8], W: [1, 2]})


def test_nested_floors_are_evaluated_inside_out() -> None:
    inner = sympy.floor((H + 1) / 2)
    check(sympy.floor((inner + 2) / 3) + sympy.ceiling(inner / 5), {H: [1, 2, 3, 99]})


def test_a_constant_takes_the_shape_of_the_arguments() -> None:
    check(sympy.Integer(7), {H: [1, 2, 3]})
    assert lambdify(7, [H, W])(np.ones((2, 1)), np.ones(3)).shape == (2, 3)


def test_several_formulas_give_several_results() -> None:
    both = lambdify([H + 1, 5], [H])(np.array([1, 2]))
    assert [values.tolist() for values in both] == [[2, 3], [5, 5]]


def test_plain_numbers_give_plain_numbers() -> None:
    assert lambdify(sympy.floor(H / 2) + W, [H, W])(7, 2**60) == 3 + 2**60
    assert lambdify([H, 2], [H])(7) == [7, 2]


def test_missing_symbols_are_named() -> None:
    match = "^lambdify: the formula also depends on W, alpha$"
    with pytest.raises(CostModelError, match=match):
        lambdify(H * W * alpha + M, [H, M])


def test_integers_of_any_type_stay_exact_on_a_grid() -> None:
    square = lambdify(11010048 * M**2, [M])
    for kind in (np.uint8, np.int32, np.int64):
        assert square(np.array([100], dtype=kind)).tolist() == [110100480000]
    assert square(np.array([10**7])).tolist() == [11010048 * 10**14]  # over 64 bits
    assert square(10**20) == 11010048 * 10**40


def test_a_division_that_comes_out_even_is_exact() -> None:
    groups = symbol("G")
    macs = lambdify(821698560 * 10**9 / groups + 7 * H, [groups, H])
    assert macs(2, 3) == 410849280 * 10**9 + 21


def test_largest_and_smallest_are_vectorised() -> None:
    formula = sympy.Max(H, 3) + sympy.Min(H, W, 5)
    check(formula, {H: [1, 4, 9], W: [2, 7, 7]})


@pytest.mark.parametrize(
    ("problem", "ask"),
    [
        ("relax: 'foo(' is neither", lambda: relax("foo(")),
        ("relax: None is neither", lambda: relax(None)),
        (
            "leading: name at least one symbol, not ('alpha',)",
            lambda: leading(H, "alpha"),
        ),
        ("leading: a symbol stands twice", lambda: leading(H, H, H)),
        ("relax: True is neither", lambda: relax(True)),
        ("relax: the formula 0.5*H is neither", lambda: relax(0.5 * H)),
        ("elasticity: 'alpha' is not a symbol", lambda: elasticity(alpha, "alpha")),
        (
            "elasticity: the formula does not depend on H; it has alpha",
            lambda: elasticity(alpha, H),
        ),
        (
            "elasticity: common_divisor(H, 7) has no slope in H",
            lambda: elasticity(common_divisor(H, 7), H),
        ),
        ("lambdify: a symbol stands twice", lambda: lambdify(H, [H, H])),
        ("lambdify: 'alpha**2' is neither", lambda: lambdify("alpha**2", [alpha])),
    ],
)
def test_what_is_no_question_is_refused(
    problem: str, ask: Callable[[], object]
) -> None:
    with pytest.raises(CostModelError) as caught:
        ask()
    assert str(caught.value).startswith(problem)
