"""Formulas in numbers of repetitions: exact, and proved on graphs not used for them."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError


NUMBERS = tuple(cm.symbol(f"n{stage}") for stage in range(1, 5))


@given(st.lists(st.integers(-9, 9), min_size=10, max_size=10), st.integers(-2, 3))
def test_a_polynomial_is_found_again(coefficients: list[int], start: int) -> None:
    x, y = sympy.symbols("x y")
    powers = [(i, j) for i in range(4) for j in range(4 - i)]
    expected = sympy.Add(*(
        c * x**i * y**j for c, (i, j) in zip(coefficients, powers, strict=True)
    ))  # fmt: skip

    def value(first: int, second: int) -> sympy.Expr:
        return expected.subs({x: first, y: second}, simultaneous=True)

    assert expected == cm.interpolate(value, [x, y], start=start)


def test_what_is_rounded_is_no_polynomial() -> None:
    n = cm.symbol("n")
    match = "^interpolate: no polynomial of degree 3 or less in n; relax the count"
    with pytest.raises(CostModelError, match=match):
        cm.interpolate(lambda number: number // 2, [n])
    with pytest.raises(
        CostModelError, match=r"^interpolate: name at least one symbol, not \[\]$"
    ):
        cm.interpolate(lambda: 1, [])


@pytest.mark.parametrize("metric", ["parameters", "macs", "activations"])
def test_the_depth_of_a_resnet_is_a_formula(metric: str) -> None:
    def count(*repeats: int) -> Dim:
        return cm.cost(cm.load("resnet50", repeats=repeats)).metric(metric)

    law = sympy.sympify(cm.interpolate(count, NUMBERS))
    assert sympy.Poly(law, *NUMBERS).total_degree() == 1
    for repeats in ((3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3), (7, 1, 2, 9)):
        at = law.subs(dict(zip(NUMBERS, repeats, strict=True)))
        assert sympy.expand(at - count(*repeats)) == 0


def test_resnet_152_follows_from_networks_of_at_most_16_blocks() -> None:
    law = cm.interpolate(
        lambda *repeats: cm.cost(cm.load("resnet50", repeats=repeats)).parameters,
        NUMBERS,
    )
    n1, n2, n3, n4 = NUMBERS
    assert law == 70400 * n1 + 280064 * n2 + 1117184 * n3 + 4462592 * n4 + 4134696
    assert law.subs(dict(zip(NUMBERS, (3, 8, 36, 3), strict=True))) == 60_192_808


def test_a_dense_block_costs_a_square_in_its_layers() -> None:
    def count(*blocks: int) -> Dim:
        growth_rate = {"growth_rate": cm.symbol("k")}
        return cm.relax(
            cm.cost(cm.load("densenet121", blocks=blocks, **growth_rate)).parameters
        )

    law = sympy.sympify(cm.interpolate(count, NUMBERS))
    assert sympy.Poly(law, *NUMBERS).total_degree() == 2
    assert sympy.Poly(law, cm.symbol("k")).degree() == 2
    at = {**dict(zip(NUMBERS, (6, 12, 24, 16), strict=True)), cm.symbol("k"): 32}
    assert law.subs(at) == 7_978_856
