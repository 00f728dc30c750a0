"""Formulas side by side: shares, what is largest where, where two are equal."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.rounding import common_divisor, make_divisible
from costmodel.algebra.symbols import H, M, N, W, alpha, symbol
from costmodel.errors import CostModelError
from costmodel.testing import networks


FEWER = settings(max_examples=settings().max_examples // 2)
"""Exact roots, and quotients of polynomials in many symbols, take a while."""


@st.composite
def laws(draw: st.DrawFn) -> sympy.Expr:
    """Draw a count that grows with α: a polynomial of positive terms."""
    powers = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
    return sympy.Add(*(draw(st.integers(1, 10**4)) * alpha**power for power in powers))


@FEWER
@given(networks(most=6), st.sampled_from(["macs", "parameters", "bytes_read"]))
def test_shares_add_up_to_one(net: cm.Network, metric: str) -> None:
    total = sympy.sympify(cm.cost(net).metric(metric))
    if total == 0:
        with pytest.raises(CostModelError, match=r"^share: the parts add up to 0$"):
            cm.share(total)
        return
    for parts in (total, cm.parts(net, metric), cm.parts(net, metric, by="scope")):
        shares = cm.share(parts)
        assert sympy.cancel(sympy.Add(*shares.values())) == 1
    for name, share in cm.share(cm.parts(net, metric)).items():
        part = cm.cost(net).by_operator()[name].metric(metric)
        assert sympy.cancel(share * total - part) == 0


def test_shares_of_a_bound_network_are_fractions() -> None:
    net = cm.load("alexnet", variant="torchvision", resolution=224, batch=1)
    shares = cm.share(cm.parts(net, "parameters", by="operator"))
    assert shares["linear"] == sympy.Rational(58631144, 61100840)
    assert sum(shares.values()) == 1
    assert shares["relu"] == 0


@FEWER
@given(st.dictionaries(st.sampled_from("abcd"), laws(), min_size=1))
def test_the_dominant_part_is_the_largest_of_all_in_its_region(
    parts: dict[str, sympy.Expr],
) -> None:
    if all(alpha not in law.free_symbols for law in parts.values()):
        return
    regions = cm.dominant(parts, alpha)
    assert (regions[0].low, regions[-1].high) == (0, sympy.oo)
    for region, later in pairwise(regions):
        assert region.high == later.low
        one, other = (parts[r.part] for r in (region, later))
        assert abs(sympy.N((one - other).subs(alpha, region.high), 40)) < 1e-25
        assert region.part != later.part
    for region in regions:
        high = region.low + 1 if region.high == sympy.oo else region.high
        for place in (1, 5, 9):
            inside = (place * high + (10 - place) * region.low) / 10
            at = sympy.Rational(str(sympy.N(inside, 30)))
            values = {name: law.subs(alpha, at) for name, law in parts.items()}
            assert values[region.part] == max(values.values())


def test_the_quadratic_term_of_mobilenet_dominates_all_but_the_thinnest() -> None:
    macs = cm.cost(cm.load("mobilenet_v1", width=alpha)).macs
    regions = cm.dominant(macs, alpha, at={N: 1, H: 224, W: 224})
    assert [str(region) for region in regions] == [
        "0 to 57125/1053696: 29248000*alpha",
        "57125/1053696 to oo: 539492352*alpha**2",
    ]


def test_relaxed_parts_keep_their_maximum() -> None:
    parts = {
        "head": 1280 * sympy.Max(1, alpha),
        "body": make_divisible(16, alpha, 8) ** 2,
    }
    regions = cm.dominant(parts, alpha)
    assert [(region.part, region.high) for region in regions] == [
        ("head", 5), ("body", sympy.oo),
    ]  # fmt: skip


@given(laws(), laws())
def test_a_crossover_is_where_the_sign_of_the_difference_changes(
    one: sympy.Expr, other: sympy.Expr
) -> None:
    if alpha not in (one.free_symbols | other.free_symbols):
        return
    found = cm.compare(one, other, alpha)
    ends = [sympy.Rational(0), *found.crossovers]
    signs = []
    for low, high in pairwise([*ends, ends[-1] + 1]):
        at = sympy.Rational(str(sympy.N((low + high) / 2, 40)))
        signs.append(sympy.sign((one - other).subs(alpha, at)))
    assert all(a == -b != 0 for a, b in pairwise(signs)) or one == other
    back = cm.compare(other, one, alpha)
    assert back.crossovers == found.crossovers
    assert sympy.cancel(sympy.sympify(found.ratio) * back.ratio) == 1


@given(networks(most=5))
def test_a_formula_is_once_itself(net: cm.Network) -> None:
    macs = cm.cost(net).macs
    if macs != 0:
        assert cm.compare(macs, macs).ratio == 1
        assert cm.compare(3 * macs, macs).ratio == 3
        assert cm.compare(macs, 7).crossovers == ()


def test_crossovers_may_be_formulas() -> None:
    mobilenet = cm.cost(cm.load("mobilenet_v1", width=alpha)).macs
    resnet = cm.cost(cm.load("resnet50")).macs
    side = {H: 32 * M, W: 32 * M}
    (found,) = cm.compare(mobilenet, resnet, alpha, at=side).crossovers
    assert found.free_symbols == {M}
    for m in (1, 4, 7):
        at = {**side, alpha: found}
        gap = (mobilenet - resnet).subs(at).subs({M: m, N: 1})
        assert abs(sympy.N(gap, 40)) < 1e-20


def test_a_separable_convolution_pays_from_a_few_kernels_on() -> None:
    c, k = symbol("C"), symbol("k")
    full, separable = k**2 * c**2, k**2 * c + c**2
    found = cm.compare(separable, full, c)
    assert sympy.cancel(found.ratio - (1 / c + 1 / k**2)) == 0
    (start,) = found.crossovers
    assert sympy.cancel(start - k**2 / (k**2 - 1)) == 0


def test_exact_crossovers_are_no_floats() -> None:
    (cubic,) = cm.compare(alpha**3 + alpha, 7, alpha).crossovers
    assert cubic.is_algebraic
    assert sympy.Poly(alpha**3 + alpha - 7, alpha).eval(cubic).equals(0)
    (root,) = cm.compare(alpha**2, 2, alpha).crossovers
    assert root == sympy.sqrt(2)
    assert cm.compare((alpha - 1) ** 2 + 1, 1, alpha).crossovers == ()  # they touch


def test_maxima_are_compared_on_both_of_their_sides() -> None:
    peak = sympy.Max(8, 16 * alpha)
    assert cm.compare(peak, 12 * alpha, alpha).crossovers == ()
    assert cm.compare(peak, 4 + 8 * alpha, alpha).crossovers == ()
    assert cm.compare(peak, 20 * alpha, alpha).crossovers == (sympy.Rational(2, 5),)
    assert cm.compare(peak, 10 + alpha, alpha).crossovers == (sympy.Rational(2, 3),)


F = 3 * alpha**2 * H + alpha


@pytest.mark.parametrize(
    ("problem", "ask"),
    [
        ("share: '3*H' is neither", lambda: cm.share("3*H")),
        ("share: None is neither", lambda: cm.share({"a": None})),
        ("share: the parts add up to 0", lambda: cm.share({"a": H, "b": -H})),
        ("dominant: 'alpha' is not a symbol", lambda: cm.dominant(F, "alpha")),
        ("dominant: the formula also depends on H", lambda: cm.dominant(F, alpha)),
        ("dominant: the formula does not depend on W", lambda: cm.dominant(F, W)),
        ("dominant: -sqrt(alpha) + alpha is not a quotient of polynomials in alpha",
         lambda: cm.dominant(alpha + sympy.sqrt(alpha), alpha)),
        ("compare: the second formula is 0", lambda: cm.compare(F, 0)),
        ("compare: the second formula is 0",
         lambda: cm.compare(F, H * (N - 1), at={N: 1})),
        ("compare: 'F' is neither", lambda: cm.compare("F", F)),
        ("compare: the formula does not depend on W", lambda: cm.compare(F, H, W)),
        ("compare: of degree 3 in alpha; give H in at",
         lambda: cm.compare(alpha**3 * H + alpha, 7, alpha)),
        ("compare: common_divisor(H, 7) - 3 is not a quotient",
         lambda: cm.compare(common_divisor(H, 7), 3, H)),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said(problem: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(CostModelError) as caught:
        ask()
    assert str(caught.value).startswith(problem)
