"""Questions to formulas of seconds: fractions where counts are whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.code.numpy_code import exactly
from costmodel.algebra.parse import parse
from costmodel.algebra.symbols import Dim, H, N, W, alpha, as_dim
from costmodel.runtime.kernels.routine_choice import at_least


SECONDS = (
    sympy.Rational(3, 10**12) * N * H * W * alpha**2
    + sympy.Rational(7, 10**10) * N * sympy.floor(H / 2) * alpha
    + sympy.Rational(1, 10**5)
)
"""An exact formula as a prediction gives it: decimals times counts."""

AT = {N: 1, H: 224, W: 224}

MICROSECONDS = st.integers(1, 10**6).map(lambda n: sympy.Rational(n, 10**12))


@dataclass(frozen=True)
class Wrapped:
    """What gives sympy its formula, and says what has to come out whole."""

    formula: sympy.Expr
    whole: tuple[Dim, ...] = ()

    def _sympy_(self) -> sympy.Expr:
        return self.formula


def test_a_budget_of_seconds_is_a_fraction() -> None:
    found = cm.largest(SECONDS, alpha, 1e-4, at=AT, step=Fraction(1, 32))
    law = exactly(SECONDS.subs(AT), [alpha])
    expected = max(
        k for k in range(1, 999) if law(Fraction(k, 32)) <= Fraction(1, 10**4)
    )
    assert expected == found.value * 32
    assert found.cost <= sympy.Rational(1, 10**4) < found.beyond_cost


@given(st.integers(1, 10**6))
def test_largest_and_smallest_seconds_invert_the_formula(budget: int) -> None:
    limit = Fraction(budget, 10**8) + Fraction(1, 10**5)
    law = SECONDS.subs({N: 1, W: 3, alpha: 1})
    reached = cm.smallest(law, H, limit)
    value = exactly(law, [H])
    assert value(reached.value) >= as_dim(limit)
    assert reached.value == 1 or value(reached.value - 1) < as_dim(limit)


def test_solutions_take_a_budget_of_seconds() -> None:
    found = cm.solutions(SECONDS, {alpha: [0.5, 1, 2]}, 1.05e-5, at=AT)
    assert [point[alpha] for point in found] == [sympy.Rational(1, 2), 1]


def test_a_budget_of_what_is_counted_stays_a_whole_number() -> None:
    with pytest.raises(cm.CostModelError, match=r"budget 0\.5 is not a whole number"):
        cm.largest(9 * H, H, 0.5)


def test_a_budget_of_seconds_is_a_number() -> None:
    with pytest.raises(cm.CostModelError, match="budget H is not a number"):
        cm.largest(SECONDS, W, H, at={N: 1, H: 2, alpha: 1})


def test_seconds_do_not_tell_which_widths_are_legal() -> None:
    with pytest.raises(cm.CostModelError, match="a formula in fractions does not tell"):
        cm.largest(SECONDS, alpha, 1e-4, at=AT)


def test_what_has_a_formula_is_asked_as_its_formula() -> None:
    wrapped = Wrapped(SECONDS, (32 * alpha, 8 * alpha))
    expected = cm.largest(SECONDS, alpha, 1e-4, at=AT, whole=wrapped.whole)
    assert expected == cm.largest(wrapped, alpha, 1e-4, at=AT)
    assert cm.elasticity(SECONDS, H) == cm.elasticity(wrapped, H)
    assert cm.relax(SECONDS) == cm.relax(wrapped)
    assert cm.share(SECONDS) == cm.share(wrapped)
    assert cm.dominant(SECONDS, alpha, at=AT) == cm.dominant(wrapped, alpha, at=AT)
    assert sympy.diff(SECONDS, alpha) == sympy.sympify(wrapped).diff(alpha)


@given(st.integers(1, 64), st.integers(1, 512), st.integers(1, 512))
def test_seconds_are_no_whole_numbers_when_evaluated(n: int, h: int, w: int) -> None:
    law = SECONDS.subs(alpha, 1)
    expected = float(exactly(law, [N, H, W])(n, h, w))
    actual = cm.lambdify(law, [N, H, W])(n, np.array([h, h]), w)
    assert actual == pytest.approx([expected, expected], rel=1e-12)


@given(st.lists(st.tuples(MICROSECONDS, MICROSECONDS, st.integers(2, 512)), min_size=1),
       st.integers(1, 64), st.integers(1, 512))  # fmt: skip
def test_neither_are_they_where_routines_change(
    parts: list[tuple[sympy.Rational, sympy.Rational, int]], n: int, h: int
) -> None:
    law = sympy.Add(
        *((a * N * H + b) * (1 - at_least(H, least)) for a, b, least in parts)
    )
    expected = pytest.approx(float(exactly(law, [N, H])(n, h)), rel=1e-12, abs=0)
    assert cm.lambdify(law, [N, H])(n, h) == expected


def test_counts_that_are_divided_stay_whole_when_evaluated() -> None:
    numbers = cm.lambdify(H * (H + 1) / 2, [H])(np.array([2, 3, 4]))
    assert numbers.tolist() == [3, 6, 10]
    assert numbers.dtype.kind == "i"


def test_seconds_read_back_as_they_are_written() -> None:
    assert parse(str(SECONDS)) == SECONDS


def test_a_limit_writes_seconds_as_decimals() -> None:
    found = cm.smallest(H / sympy.Integer(10**6), H, 3e-6)
    assert str(found) == "H = 3: 3e-06; at 2 it is 2e-06"
