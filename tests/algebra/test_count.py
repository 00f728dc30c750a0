"""Sums of counts as integers in a dictionary, against sympy's own sums."""

from __future__ import annotations

from typing import Any

import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.count import added, product
from costmodel.algebra.symbols import H, N, W, alpha
from costmodel.testing import extents


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, Any, Any]:
    """Draw a number of repeats, a count of a layer, and the count as sympy has it."""
    sides = draw(st.lists(st.sampled_from([H, W]), max_size=3))
    shape = [draw(extents(side)) for side in sides]
    factor = draw(st.sampled_from([-3, 0, 1, 2, 64, alpha, 2 * alpha + 1]))
    whole = sympy.Mul(factor, *(extent.value for extent in shape))
    return draw(st.integers(1, 5)), product(factor, shape), whole


@given(st.lists(counts(), max_size=6), st.sampled_from([1, 7, N, 2 * N]))
def test_a_sum_is_what_sympy_writes(
    drawn: list[tuple[int, Any, Any]], times: Any
) -> None:
    total = added([(repeats, count) for repeats, count, _ in drawn], times)
    wholes = (repeats * whole for repeats, _, whole in drawn)
    assert total == sympy.expand(times * sympy.Add(*wholes))
    if isinstance(total, sympy.Expr) and total.args:  # and no symbol or number
        assert total == total.func(*total.args)
