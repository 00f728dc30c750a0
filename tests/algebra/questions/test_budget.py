"""Formulas the other way round: the largest legal value within a budget."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.code.numpy_code import exactly
from costmodel.algebra.questions.legal_values import pieces, simplest
from costmodel.algebra.questions.monotone import direction
from costmodel.algebra.rounding import common_divisor, make_divisible
from costmodel.algebra.symbols import H, N, W, alpha, as_dim, rho, symbol
from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes
from costmodel.errors import CostModelError
from costmodel.testing import networks


AT = {N: 1, H: 224, W: 224}
K = symbol("K")


def widened(name: str) -> tuple[cm.Network, sympy.Expr]:
    """Return a network with its width as a symbol, and its MACs."""
    net = cm.load(name, width=alpha)
    return net, cm.cost(net).macs


@st.composite
def counts(draw: st.DrawFn, *, rises: bool = True) -> sympy.Expr:
    """Draw a count of one integer symbol, with floors; it may be made to fall."""
    least = 1 if rises else -50
    terms = [sympy.Integer(draw(st.integers(1, 99)))]
    for _ in range(draw(st.integers(1, 4))):
        extents = [
            sympy.floor((K + draw(st.integers(0, 9))) / draw(st.integers(1, 8)))
            for _ in range(draw(st.integers(1, 2)))
        ]
        factor = draw(st.integers(least, 50))
        terms.append(factor * sympy.Mul(*extents) * K ** draw(st.integers(0, 1)))
    return sympy.expand(sympy.Add(*terms, K))


def brute(formula: sympy.Expr, upto: int) -> list[int]:
    """Return a formula's values from 1 on, all at once by numpy."""
    values: list[int] = cm.lambdify(formula, [K])(np.arange(1, upto + 1)).tolist()
    return values


@given(counts(), st.integers(1, 10**5))
def test_the_largest_is_within_the_budget_and_the_next_is_not(
    formula: sympy.Expr, budget: int
) -> None:
    assume(formula.subs(K, 40) > budget)
    values = brute(formula, 40)
    legal = [k for k in range(1, 41) if _counts_something(formula, k)]
    within = [k for k in legal if values[k - 1] <= budget]
    if not within:
        with pytest.raises(CostModelError, match=r"over the budget .* from the start"):
            cm.largest(formula, K, budget)
        return
    found = cm.largest(formula, K, budget)
    assert found.value == max(within)
    assert found.cost == values[found.value - 1] <= budget < found.beyond_cost
    assert (found.beyond, found.beyond_cost) == (
        found.value + 1,
        formula.subs(K, found.value + 1),
    )


def _counts_something(formula: sympy.Expr, k: int) -> bool:
    """Say whether everything that is rounded down is 1 or more: what is legal."""
    return all(part.args[0].subs(K, k) >= 1 for part in formula.atoms(sympy.floor))


@given(counts(), st.integers(1, 10**5))
def test_the_smallest_reaches_the_goal_and_the_one_below_does_not(
    formula: sympy.Expr, goal: int
) -> None:
    found = cm.smallest(formula, K, goal)
    assert found.cost == formula.subs(K, found.value) >= goal
    if found.beyond is None:
        assert found.value == 1 or not _counts_something(formula, int(found.value) - 1)
    else:
        assert found.beyond == found.value - 1
        assert found.beyond_cost == formula.subs(K, found.beyond) < goal


@given(counts(rises=False), st.integers(-(10**4), 10**4))
def test_what_rises_and_falls_is_tried_value_by_value(
    formula: sympy.Expr, budget: int
) -> None:
    values = brute(formula, 30)
    legal = [k for k in range(1, 31) if _counts_something(formula, k)]
    within = [k for k in legal if values[k - 1] <= budget]
    reaching = [k for k in legal if values[k - 1] >= budget]
    assume(direction(formula, K) is None)
    if within:
        assert cm.largest(formula, K, budget, upto=30).value == max(within)
    if reaching:
        assert cm.smallest(formula, K, budget, upto=30).value == min(reaching)
    points = cm.solutions(formula, {K: range(1, 31)}, budget)
    assert [p[K] for p in points] == [k for k, v in enumerate(values, 1) if v <= budget]


@given(counts(rises=False), st.integers(1, 60))
def test_a_direction_is_a_proof(formula: sympy.Expr, start: int) -> None:
    steps = direction(formula, K)
    here, there = (formula.subs(K, k) for k in (start, start + 1))
    holds = {1: there >= here, -1: there <= here, 0: there == here, None: True}
    assert holds[steps]


def test_directions_of_every_kind_of_part() -> None:
    rises = [3 * K, K**2, sympy.Max(K, 3), sympy.ceiling(K / 2), 2**K, -1 / K,
             make_divisible(16, alpha, 8).subs(alpha, K / 3), -(2**-K)]  # fmt: skip
    assert [direction(formula, K) for formula in rises] == [1] * len(rises)
    assert [direction(-formula, K) for formula in rises] == [-1] * len(rises)
    unknown = [
        K - K**2,
        (K - 5) ** 2,
        K * (K - 7),
        K ** (1 - K),
        (-2) ** K,
        sympy.sin(K),
        common_divisor(K, 12),
        make_divisible(8, alpha, K),
    ]
    assert [direction(formula, K) for formula in unknown] == [None] * len(unknown)
    assert direction(H, K) == 0


def test_the_largest_width_of_mobilenet_v1_within_300_million_macs() -> None:
    net, macs = widened("mobilenet_v1")
    found = cm.largest(macs, alpha, 300e6, at=AT)
    assert found.value == sympy.Rational(23, 32)
    assert found.cost == macs.subs({**AT, alpha: found.value}) == 299724592
    assert found.beyond == sympy.Rational(24, 32)
    assert found.beyond_cost == 325400448
    assert str(found) == "alpha = 23/32: 299724592; at 3/4 it is 325400448"
    # A width between the two gives no whole number of channels.
    with pytest.raises(CostModelError, match="multiple of 1/32"):
        net.bind(alpha=sympy.Rational(47, 64))


NAMES = ["mobilenet_v1", "resnet18", "vgg11", "squeezenet1_0", "shufflenet_v1",
         "se_resnet50", "googlenet"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("metric", ["macs", "parameters"])
def test_no_legal_width_lies_between_the_largest_and_the_next(
    name: str, metric: str
) -> None:
    net, _ = widened(name)
    net = net.bind(N=1, H=224, W=224)
    law = cm.cost(net).metric(metric)
    budget = int(law.subs(alpha, 1)) * 2 // 3
    found = cm.largest(law, alpha, budget, whole=tensor_sizes(net))
    for value, count in ((found.value, found.cost), (found.beyond, found.beyond_cost)):
        assert cm.cost(net.bind(alpha=value)).metric(metric) == count
    between = {
        sympy.Rational(p, q)
        for q in range(1, 65)
        for p in range(q)
        if found.value < sympy.Rational(p, q) < found.beyond
    }
    for width in sorted(between)[:: max(1, len(between) // 8)]:
        with pytest.raises(CostModelError):
            net.bind(alpha=width)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_large", "mnasnet1_0"])
def test_widths_of_one_plateau_are_one_network(name: str) -> None:
    _, macs = widened(name)
    law = macs.subs(AT)
    found = cm.largest(law, alpha, 300_000_000)
    low, high = found.interval
    assert found.cost == law.subs(alpha, found.value) <= 300_000_000 < found.beyond_cost
    assert law.subs(alpha, found.beyond) == found.beyond_cost
    grid = [sympy.Rational(k, 997) for k in range(100, 2000)]
    costs = exactly(law, [alpha])
    for width in grid:
        cost = costs(Fraction(width.p, width.q))
        assert (cost == found.cost) or not low < width < high
        assert (cost <= found.cost) or width >= high
        assert (cost > 300_000_000) or width <= high


def test_a_resolution_is_one_symbol_for_both_sides() -> None:
    net = cm.load("resnet50", batch=1)
    macs = cm.cost(net).macs
    found = cm.largest(macs, H, 4_000_000_000, at={W: H}, whole=tensor_sizes(net))
    assert found.value == 224
    relative = cm.largest(macs, rho, 4_000_000_000, at={H: 224 * rho, W: 224 * rho},
                          whole=tensor_sizes(net))  # fmt: skip
    assert (relative.value, relative.beyond) == (1, sympy.Rational(225, 224))
    assert relative.cost == found.cost


@given(networks(least=2, most=6), st.integers(0, 10**6))
def test_the_largest_input_of_any_network(net: cm.Network, more: int) -> None:
    net = net.bind(N=1, W=net.smallest(W)[0] + 5)
    macs, least = cm.cost(net).macs, net.smallest(H)[0]
    assume(H in sympy.sympify(macs).free_symbols)
    budget = int(macs.subs(H, least)) + more
    found = cm.largest(macs, H, budget, whole=tensor_sizes(net))
    assert cm.cost(net.bind(H=found.value)).macs == found.cost <= budget
    assert cm.cost(net.bind(H=found.beyond)).macs == found.beyond_cost > budget
    assert found.beyond == found.value + 1


def test_what_the_formula_tells_may_allow_more_than_the_network() -> None:
    # AlexNet's towers have 48·α maps each; all its layers' terms are multiples of 32.
    net, macs = widened("alexnet")
    told = cm.largest(macs, alpha, 500e6, at=AT)
    exact = cm.largest(macs, alpha, 500e6, at=AT, whole=tensor_sizes(net))
    assert (told.step, exact.step) == (sympy.Rational(1, 32), sympy.Rational(1, 16))
    assert cm.cost(net.bind(AT | {alpha: exact.value})).macs == exact.cost
    with pytest.raises(CostModelError, match="groups 2 do not divide the 81"):
        net.bind(AT | {alpha: told.value})


def test_formulas_without_sizes_do_not_tell_what_is_legal() -> None:
    net = cm.load("mobilenet_v1", width=alpha, resolution=224)
    at = {N: 1}
    for metric in ("macs", "parameters"):
        law = cm.cost(net).metric(metric)
        with pytest.raises(CostModelError, match=r"give whole=costmodel\.tensor_sizes"):
            cm.largest(law, alpha, 3_000_000, at=at)
        found = cm.largest(law, alpha, 30_000_000, at=at, whole=tensor_sizes(net))
        assert found.step == sympy.Rational(1, 32)


def test_steps_are_the_users_if_given() -> None:
    _, macs = widened("mobilenet_v2")
    found = cm.largest(macs, alpha, "300*10**6", at=AT, step=0.05)
    assert (found.value, found.beyond) == (sympy.Rational(19, 20), 1)
    assert found.interval is None
    net, macs = widened("mobilenet_v1")
    both = cm.largest(macs, alpha, 300e6, at=AT, step="1/48", whole=tensor_sizes(net))
    assert both.value == sympy.Rational(11, 16)  # of 1/48 and 1/32 multiples of 1/16


def test_a_falling_formula_is_asked_by_its_negative() -> None:
    r = symbol("r")
    law = cm.cost(cm.load("se_resnet50", reduction=r)).parameters
    with pytest.raises(CostModelError, match=r"falls as r grows.*smallest\(-formula"):
        cm.largest(law, r, 27_000_000)
    found = cm.smallest(-law, r, -27_000_000)
    assert -found.cost <= 27_000_000 < -found.beyond_cost
    assert found.beyond == found.value - 1
    assert cm.cost(cm.load("se_resnet50", reduction=found.value)).parameters == (
        -found.cost
    )
    assert cm.largest(law, r, 27_000_000, upto=64).value == 64


def test_values_that_a_size_forbids_are_no_answer() -> None:
    r = symbol("r")
    net = cm.load("se_resnet18", reduction=r, resolution=224)
    law = cm.cost(net).parameters
    problem = r"r = 100 would be the answer, but floor\(64/r\) is 0 there"
    with pytest.raises(CostModelError, match=problem):
        cm.largest(law, r, 10**9, upto=100, whole=tensor_sizes(net))


@pytest.mark.parametrize("low", [Fraction(0), Fraction(3, 7), Fraction(2)])
@given(st.fractions(0, 3, max_denominator=50))
def test_the_simplest_fraction_has_the_least_denominator(
    low: Fraction, length: Fraction
) -> None:
    high = low + length
    found = simplest(low, high)
    if length == 0:
        assert found == low
        return
    assert low < found < high
    smaller = [
        Fraction(p, q)
        for q in range(1, found.denominator)
        for p in range(int(low * q), int(high * q) + 2)
        if low < Fraction(p, q) < high
    ]
    assert smaller == []
    joined, ends = pieces([low, high]).since(2).plateau(0, lambda _: 1)
    assert joined.denominator <= found.denominator
    assert ends == (low, high)


def test_solutions_are_every_point_within_the_budget_in_order() -> None:
    _, macs = widened("mobilenet_v1")
    widths, sides = ["1/4", 0.5, "3/4", 1], range(128, 225, 32)
    found = cm.solutions(macs, {alpha: widths, H: sides}, 15e7, at={N: 1, W: 224})
    exact = [sympy.Rational(str(width)) for width in widths]
    at = {N: 1, W: 224}
    expected = [
        {alpha: as_dim(width), H: side}
        for width in exact
        for side in sides
        if macs.subs({**at, alpha: width, H: side}) <= 150_000_000
    ]
    assert found == expected
    assert 0 < len(found) < 16


@given(st.fractions(Fraction(1, 10), 3, max_denominator=64), st.integers(1, 300))
def test_exact_functions_equal_substitution(width: Fraction, side: int) -> None:
    law = (
        sympy.floor(7 * alpha) * H + 3 * alpha**2 / 7 + 1 / (alpha + H)
        + make_divisible(40, sympy.Max(1, alpha), 8) * sympy.Min(H, 100)
        + sympy.ceiling(H / 7) + common_divisor(H, 12) + 2**H / 3**H
    )  # fmt: skip
    at = {alpha: sympy.Rational(width.numerator, width.denominator), H: side}
    assert exactly(law, [alpha, H])(width, side) == as_dim(law.subs(at))


@pytest.mark.parametrize(
    ("problem", "law"),
    [
        ("sqrt(alpha) has no exact value at alpha = 1/2", sympy.sqrt(alpha)),
        ("1/(2*alpha - 1) has no exact value", 1 / (2 * alpha - 1)),
        ("exp(alpha) has no exact value", sympy.exp(alpha)),
    ],
)
def test_what_has_no_exact_value_is_no_number(problem: str, law: sympy.Expr) -> None:
    with pytest.raises(CostModelError) as caught:
        exactly(law, [alpha])(Fraction(1, 2))
    assert str(caught.value).startswith(problem)


F = 2048 * alpha**2 * H


@pytest.mark.parametrize(
    ("problem", "ask"),
    [
        ("largest: '2*H' is neither an integer", lambda: cm.largest("2*H", H, 1)),
        ("largest: 'alpha' is not a symbol", lambda: cm.largest(F, "alpha", 1)),
        ("largest: the formula does not depend on K; it has H, alpha",
         lambda: cm.largest(F, K, 1)),
        ("largest: the formula does not depend on alpha; use costmodel.symbol",
         lambda: cm.largest(F, sympy.Symbol("alpha"), 1)),
        ("largest: the formula also depends on H; give values in at",
         lambda: cm.largest(F, alpha, 1)),
        ("largest: budget 0.5 is not a whole number",
         lambda: cm.largest(F, alpha, 0.5, at={H: 1})),
        ("largest: budget H is not a whole number",
         lambda: cm.largest(F, alpha, H, at={H: 1})),
        ('largest: budget "lots": ', lambda: cm.largest(F, alpha, "lots", at={H: 1})),
        ("largest: H = 1/2 is not integer",
         lambda: cm.largest(F, alpha, 9, at={H: 0.5})),
        ("largest: H = -3 is not positive",
         lambda: cm.largest(F, alpha, 9, at={H: -3})),
        ('largest: no symbol "Q"; it has H, alpha',
         lambda: cm.largest(F, alpha, 9, at={"Q": 3})),
        ("largest: at [3] does not map", lambda: cm.largest(F, alpha, 9, at=[3])),
        ("largest: alpha is asked for, and has a value in at",
         lambda: cm.largest(F, alpha, 9, at={alpha: 1, H: 1})),
        ("largest: over the budget 1 from the start: 2 at alpha = 1/32",
         lambda: cm.largest(F, alpha, 1, at={H: 1})),
        ("largest: step -1 is not a positive number",
         lambda: cm.largest(F, alpha, 9, at={H: 1}, step=-1)),
        ("largest: upto 0 is not a positive number",
         lambda: cm.largest(F, alpha, 9, at={H: 1}, upto=0)),
        ("largest: a formula without sizes does not tell which alpha are legal",
         lambda: cm.largest(3 * N * alpha, alpha, 9, at={N: 1})),
        ("largest: sqrt(alpha) does not tell which alpha are legal; give step",
         lambda: cm.largest(sympy.sqrt(alpha), alpha, 9)),
        ("largest: the formula is not seen to rise with K; give upto",
         lambda: cm.largest((K - 5) ** 2, K, 9)),
        ("largest: still 7 at K = ", lambda: cm.largest(sympy.Min(7, K), K, 9)),
        ("largest: no alpha goes beyond 900",
         lambda: cm.largest(sympy.Min(7, make_divisible(8, alpha, 8)), alpha, 900)),
        ("largest: floor(alpha*floor(2*alpha)) does not tell",
         lambda: cm.largest(sympy.floor(alpha * sympy.floor(2 * alpha)), alpha, 9)),
        ("largest: floor(10000000*alpha) changes too often up to 1; give step",
         lambda: cm.largest(sympy.floor(10**7 * alpha), alpha, 9)),
        ("largest: no K up to 1 is legal",
         lambda: cm.largest(sympy.floor(K / 2), K, 9, upto=1)),
        ("largest: no alpha up to 1/9 is legal",
         lambda: cm.largest(sympy.floor(2 * alpha), alpha, 9, upto="1/9")),
        ("solutions: H = M is not a number",
         lambda: cm.solutions(F, {H: ["M"], alpha: [1]}, 9)),
        ("solutions: H = 1/2 is not integer",
         lambda: cm.solutions(F, {H: [0.5], alpha: [1]}, 9)),
        ("smallest: no K up to 9 reaches the goal 99",
         lambda: cm.smallest(K, K, 99, upto=9)),
        ("solutions: grid {} maps no symbols", lambda: cm.solutions(F, {}, 9)),
        ("solutions: H is in grid and in at",
         lambda: cm.solutions(F, {H: [1]}, 9, at={H: 1, alpha: 1})),
        ("solutions: the formula also depends on alpha",
         lambda: cm.solutions(F, {H: [1]}, 9)),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said(problem: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(CostModelError) as caught:
        ask()
    assert str(caught.value).startswith(problem)


def test_budgets_beyond_what_a_machine_word_holds() -> None:
    assert cm.largest(K, K, 2**63).value == 2**63
    assert cm.smallest(K, K, 2**64 - 1).value == 2**64 - 1


def test_symbols_that_a_formula_does_not_have_need_no_value() -> None:
    parameters = cm.cost(cm.load("mobilenet_v1", width=alpha)).parameters
    with_sizes, without = (
        cm.largest(parameters, alpha, 10**6, at=at, step="1/32") for at in (AT, None)
    )
    assert with_sizes == without


def test_a_size_by_name_is_the_symbol_of_that_name() -> None:
    named, meant = ({"H": 28}, {H: 28})
    assert cm.largest(F, alpha, 10**6, at=named) == cm.largest(
        F, alpha, 10**6, at=meant
    )
    assert cm.largest(F, alpha, 10**6, at=named).value == sympy.Rational(133, 32)
