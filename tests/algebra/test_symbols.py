"""Symbols, exact numbers, and reading them from text without evaluating code."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.parse import exact, parse
from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import (
    Dim,
    H,
    M,
    N,
    W,
    alpha,
    as_dim,
    exact_div,
    is_equal,
    rho,
    symbol,
)
from costmodel.errors import CostModelError


def test_numbers_longer_than_any_count_are_refused() -> None:
    with pytest.raises(CostModelError, match=r"^side: a number of over 100 digits$"):
        exact("(10**64)**2", "side")
    with pytest.raises(CostModelError, match=r"^side: a number of over 100 digits$"):
        exact(10**100, "side")


def check(expected: object, text: str) -> None:
    actual = parse(text)
    assert expected == actual
    assert type(expected) is type(actual) or isinstance(actual, sympy.Expr)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (32 * M, "32*M"),
        (sympy.Rational(3, 4), "0.75"),
        (sympy.Rational(3, 4), "3/4"),
        (2, "2.0"),
        (8, " 2^3 "),
        (-6, "-(1 + 2)*2"),
        (sympy.Rational(1, 10**7), "1e-7"),
        (alpha**2 * H, "alpha**2*H"),
        (sympy.floor(H / 2), "floor(H/2)"),
        (sympy.ceiling(H / 2), "ceiling(H/2)"),
        (sympy.Max(H, W), "Max(H, W)"),
        (sympy.Min(H, 3), "Min(H, 3)"),
        (24, "make_divisible(32, 3/4, 8)"),  # 32·3/4 = 24
        (3, "common_divisor(6, 9)"),
        (sympy.Rational(1234567890123456789, 10**19), "0.1234567890123456789"),
        (10**20, "100000000000000000000"),
    ],
)
def test_text_is_read_exactly(expected: object, text: str) -> None:
    check(expected, text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "()", "1 +", "1,", "[1]", "{1}", "H.name", "H[0]", "'H'", "b'1'",
        "f'{H}'", "True", "None", "...", "1j", "lambda: 1", "H if H else W",
        "H == W", "not H", "~H", "H @ W", "H // 2", "H % 2", "(H := 1)",
        "[x for x in H]", "*H", "yield", "await H", "__import__('os')",
        "__import__('os').system('true')", "open('x')", "eval('1')", "().__class__",
        "sympy.pi", "sqrt(H)", "exp(H)", "floor()", "floor(1, 2)",
        "floor(H, evaluate=0)", "floor(*H)", "Max()", "Min()",
        "make_divisible(1, 2)", "1/0", "1/(H - H)", "0**-1", "0**(-H)", "1e400",
        "-1e999", "(-1)**(1/2)", "9**9**9", "9**99999999999", "2**(2**H)",
        "((10**64)**64)**64", "H**1000", "(((2*H)**64)**64)**64", "(0 - 1)**alpha",
        "1e-999", "1e-999999999999999999999", "make_divisible(8, 1, 0)",
        "make_divisible(1e300*1e300, 1, 8)", "make_divisible(8, 1, 1/2)", "9" * 5000,
        "1+" * 6000 + "1", "(" * 500 + ")" * 500, "-" * 9000 + "1",
        "((((1e9)**64)**64)**64)**64", "H\x00", "H\nW",
    ],
)  # fmt: skip
def test_what_is_no_exact_number_is_refused(text: str) -> None:
    with pytest.raises(CostModelError):
        parse(text)


@pytest.mark.malformed("formula")
@given(st.text(max_size=30) | st.text("0123456789.*/+-^()eHM ,_floormax", max_size=30))
def test_any_text_is_a_number_or_an_error(text: str) -> None:
    try:
        value = parse(text)
    except CostModelError:
        return
    assert type(value) is int or isinstance(value, sympy.Expr)
    assert not sympy.sympify(value).has(sympy.Float, sympy.zoo, sympy.oo, sympy.nan)


def test_an_error_quotes_the_text() -> None:
    with pytest.raises(
        CostModelError, match=r'^width "9\*\*99": power 99 is too large$'
    ):
        parse("9**99", "width")
    with pytest.raises(CostModelError, match=r'^expression "1/0": division by zero$'):
        parse("1/0")
    with pytest.raises(
        CostModelError, match=r"unknown function sqrt; known are Max, Min"
    ):
        parse("sqrt(H)")


def expressions() -> st.SearchStrategy[Dim]:
    """Draw expressions as networks have them: polynomials over floors."""
    leaves = st.sampled_from([H, W, M, N, alpha, rho]) | st.fractions(
        -9, 9, max_denominator=9
    ).map(lambda f: sympy.Rational(f.numerator, f.denominator))

    def grow(parts: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
        return st.one_of(
            st.builds(lambda a, b: a + b, parts, parts),
            st.builds(lambda a, b: a * b, parts, parts),
            st.builds(lambda a, k: a**k, parts, st.integers(1, 3)),
            st.builds(lambda a, k: sympy.floor(a / k), parts, st.integers(1, 4)),
            st.builds(lambda a, b: sympy.ceiling(a + b / 3), parts, parts),
            st.builds(sympy.Max, parts, parts),
            st.builds(
                lambda c, a: make_divisible(c, a, 8),
                st.integers(1, 64),
                st.sampled_from([alpha, rho]),
            ),
        )

    return st.recursive(leaves, grow, max_leaves=6)


@given(expressions())
def test_what_is_printed_is_read_again(expression: sympy.Expr) -> None:
    # Read left to right, 2*(H + W)*M multiplies the 2 into the sum: equal all the same.
    assert is_equal(expression, parse(str(expression)))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_decimals_are_read_exactly(number: object) -> None:
    expected = Fraction(str(number))
    assert expected == Fraction(str(sympy.sympify(parse(f"{number:f}"))))


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (sympy.Rational(3, 10), 0.3),
        (2, 2.0),
        (sympy.Rational(1, 2), Fraction(1, 2)),
        (7, 7),
    ],
)
def test_exact_takes_a_float_as_it_is_written(expected: object, value: object) -> None:
    assert expected == exact(value)


@pytest.mark.parametrize("value", [True, None, float("nan"), float("inf"), [], 1j])
def test_exact_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(CostModelError, match=r"^width "):
        exact(value, "width")


@pytest.mark.parametrize("value", [0.5, sympy.Float(0.5), "3", True, alpha * 0.5])
def test_a_count_is_never_a_float(value: object) -> None:
    with pytest.raises(CostModelError, match=r"a count is never a float"):
        as_dim(value)


def test_whole_expressions_become_int() -> None:
    assert type(as_dim(sympy.Integer(3))) is int
    assert type(as_dim(H - H + 4)) is int


def test_exact_div_leaves_no_remainder() -> None:
    assert exact_div(64, 32) == 2
    assert exact_div(6 * alpha, 3 * alpha) == 2
    assert exact_div(H, 2) == H / 2
    with pytest.raises(CostModelError, match=r"^3 does not divide 64$"):
        exact_div(64, 3)
    with pytest.raises(CostModelError, match=r"^4\*H does not divide 3\*H$"):
        exact_div(3 * H, 4 * H)
    with pytest.raises(CostModelError, match=r"^0 does not divide 64$"):
        exact_div(64, 0)


def test_equal_is_equal_for_every_value() -> None:
    assert is_equal((H + 1) ** 2, H**2 + 2 * H + 1)
    assert is_equal(4, 4)
    assert not is_equal(H, W)
    assert not is_equal(H, 2)


def test_symbols_know_what_they_stand_for() -> None:
    for side in (N, H, W, M, symbol("C")):
        assert (side.is_positive, side.is_integer) == (True, True)
    for factor in (alpha, rho, symbol("theta"), symbol("phi")):
        assert (factor.is_positive, factor.is_integer) == (True, None)


@pytest.mark.parametrize("name", ["", "a b", "1a", "a.b", "+"])
def test_a_symbol_needs_a_name(name: str) -> None:
    with pytest.raises(CostModelError, match=r"not a name; use letters, digits and _"):
        symbol(name)
