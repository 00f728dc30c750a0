"""Amounts with units are their numbers, exactly; no unit is taken for another."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.amount import UNITS, Kind, amount
from costmodel.errors import CostModelError


units = st.sampled_from([(kind, unit) for kind in UNITS for unit in UNITS[kind]])


@given(st.integers(0, 10**6), st.integers(0, 4), units)
def test_text_is_the_number_times_its_unit(
    number: int, digits: int, named: tuple[Kind, str]
) -> None:
    kind, unit = named
    exact = sympy.Rational(number, 10**digits)
    text = f"{number // 10**digits}.{number % 10**digits:0{max(digits, 1)}d}"
    if digits == 0:
        text = str(number)
    assert amount(f"{text}{unit}", "limit", kind) == exact * UNITS[kind][unit]
    assert amount(f" {text} {unit} ", "limit", kind) == exact * UNITS[kind][unit]
    assert amount(text, "limit", kind) == exact


@given(units, st.sampled_from(list(UNITS)))
def test_no_unit_is_taken_for_another(named: tuple[Kind, str], kind: Kind) -> None:
    unit = named[1]
    if unit in UNITS[kind]:
        assert amount(f"1{unit}", "limit", kind) == UNITS[kind][unit]
        return
    with pytest.raises(CostModelError, match=f"limit 1{unit}: not a number such as"):
        amount(f"1{unit}", "limit", kind)


@pytest.mark.parametrize(
    "text", ["", "much", "5 apples", "1e999", "--1", "nan", "1/0s"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(CostModelError, match="limit"):
        amount(text, "limit", "seconds")
