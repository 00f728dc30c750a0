"""What the explorer reads: formulas that are right at the network's own setting."""

from __future__ import annotations

from dataclasses import replace

import sympy

from costmodel.algebra.symbols import N
from costmodel.cli.report_subjects import registered_subject
from costmodel.reports import Subject
from costmodel.reports.pages import explorer
from tests.network.test_constraints import EVEN, constrained


def halved(*, high: int, wide: int) -> Subject:
    """Return a network of a user's own that asks for even sides."""
    net = constrained(EVEN)
    bound = net.bind(N=1, H=high, W=wide)
    return replace(registered_subject("lenet5", "none"), symbolic=net, bound=bound)


def test_a_network_that_fits_few_sizes_offers_only_these() -> None:
    subject = halved(high=32, wide=32)
    assert subject.symbolic.constraints
    assert explorer._sizes(subject) == list(range(2, 65, 2))


def test_a_network_that_is_not_square_keeps_its_sides() -> None:
    subject = halved(high=32, wide=64)
    assert [option.symbol for option in explorer.options(subject)] == ["N"]
    for key, _, formula in explorer._formulas(subject):
        assert set(map(str, sympy.sympify(formula).free_symbols)) <= {"N"}, key
        if key == "macs":
            assert sympy.sympify(formula).subs(N, 1) == subject.cost.macs
