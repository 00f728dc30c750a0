"""Textbook claims: the rule that turns evidence into a verdict, and every claim."""

from __future__ import annotations

import pytest
import sympy

import costmodel as cm
from costmodel.algebra.symbols import Dim, Rational
from costmodel.analysis.evidence import claims
from costmodel.analysis.evidence.claims import Claim, Decision, Evidence, Ruling, judge
from costmodel.errors import CostModelError
from costmodel.network.registry import architectures
from costmodel.zoo.claims.inception import example


def ruling(*computed: Dim, recorded: Decision = "holds") -> Ruling:
    """Rule on a claim that several numbers are 100."""
    evidence = tuple(Evidence("a number", 100, number) for number in computed)
    claim = Claim("it", "is 100", "here", (), "", recorded, "", lambda: evidence)
    (found,) = judge([claim])
    return found


@pytest.mark.parametrize(
    ("verdict", "computed"),
    [
        ("holds", (100, 100)),
        ("approximately", (100, 90)),
        ("approximately", (110, 109)),
        ("depends", (100, 89)),
        ("depends", (110, 111)),
        ("does not hold", (89, 111)),
    ],
)
def test_a_verdict_follows_from_the_evidence(
    verdict: str, computed: tuple[int, ...]
) -> None:
    assert verdict == ruling(*computed).verdict


def test_a_verdict_other_than_the_recorded_one_is_wrong() -> None:
    assert ruling(100, recorded="holds").is_wrong is False
    assert ruling(100, recorded="depends").is_wrong is True


@pytest.mark.parametrize(
    ("is_met", "claimed", "computed", "relation"),
    [
        (True, "12M", 12_999_999, "="),
        (False, "12M", 13_000_000, "="),
        (True, "33", Rational(100, 3), "="),
        (False, 33, Rational(100, 3), "="),
        (True, 1, Rational(9, 10), "<"),
        (False, 1, 1, "<"),
        (True, 1, Rational(11, 10), ">"),
        (False, 1, 1, ">"),
        (True, cm.H**2 - 1, (cm.H - 1) * (cm.H + 1), "="),
        (False, cm.H**2, cm.H**2 + 1, "="),
    ],
)
def test_evidence_is_met_to_the_last_printed_digit_or_exactly(
    *, is_met: bool, claimed: Dim | str, computed: Dim, relation: str
) -> None:
    evidence = Evidence("a number", claimed, computed, relation)  # type: ignore[arg-type]
    assert is_met == evidence.is_met


def test_formulas_that_differ_are_not_near() -> None:
    assert not Evidence("a formula", cm.H, cm.H + 1).is_near


@pytest.mark.parametrize("name", claims.claims())
def test_every_claim_amounts_to_its_recorded_verdict(name: str) -> None:
    (found,) = judge([claims.claims()[name]])
    assert found.claim.verdict == found.verdict
    for item in found.evidence:
        assert isinstance(item.computed, (int, sympy.Expr))
        assert not sympy.sympify(item.computed).has(sympy.Float)


def test_claims_are_about_families_that_are_there() -> None:
    families = {a.family for a in architectures().values()}
    for claim in claims.claims().values():
        assert claim.about
        assert set(claim.about) <= families
        assert claim.says.endswith(".")
        assert claim.source
        assert claim.convention


def test_a_claim_that_does_not_simply_hold_says_why() -> None:
    for claim in claims.claims().values():
        if claim.verdict in ("depends", "does not hold"):
            assert claim.because


def test_the_lectures_358m_count_one_term_twice() -> None:
    three_by_three = 28 * 28 * 9 * 64 * 192
    assert three_by_three == 86_704_128
    assert example(naive=False) == 271_351_808
    assert example(naive=False) + three_by_three == 358_055_936


def test_a_claim_without_evidence_is_an_error() -> None:
    with pytest.raises(CostModelError, match=r'^claim "it" has no evidence$'):
        ruling()


def test_a_claim_is_registered_once_and_with_a_known_verdict() -> None:
    def alexnet_has_8_layers() -> list[Evidence]:
        return []

    says = {"says": "It has.", "source": "here", "about": ["alexnet"]}
    with pytest.raises(CostModelError, match=r"is registered twice$"):
        claims.claim(**says, verdict="holds")(alexnet_has_8_layers)  # type: ignore[arg-type]
    alexnet_has_8_layers.__name__ = "another"
    with pytest.raises(CostModelError, match=r'^claim "another": verdict "maybe"; kno'):
        claims.claim(**says, verdict="maybe")(alexnet_has_8_layers)  # type: ignore[arg-type]
