"""Every operator is known to every pass that has a table of operators."""

from __future__ import annotations

import pytest

from costmodel.algebra.extent import Extent
from costmodel.analysis.conventions import CONVENTIONS, Convention
from costmodel.analysis.memory import autograd_saved
from costmodel.bridge.compile.functions import pointwise_modules
from costmodel.bridge.compile.leaf_table import FUNCTIONS, LEAVES, SIZED
from costmodel.network import operators as op
from costmodel.network.operators import Operator
from costmodel.network.operators.registering import unfit
from costmodel.network.shape import Shape
from costmodel.runtime.kernels import kernel_rules
from costmodel.runtime.kernels.classes import KINDS
from tests.network.test_operators import CASES, FRACTIONAL, Case


KNOWN = sorted(op.OPERATORS.keys() - {"opaque"})
"""Of an opaque operator nothing is known, and every pass says so."""

IN_THE_GRAPH = {op.Input, op.Concat, op.Parameter, op.Derived}
"""Operators without a row of their own: the compiler itself writes them."""

UNMODELLED = {op.Cumulate, op.Unfold}
"""Operators of which no device was measured; predictions say that they guess."""

TOKENS = Shape(8, (Extent(4),))
ATTENTION = (op.Attention(), (TOKENS,) * 3)


def made(kind: str) -> list[tuple[Operator, tuple[Shape, ...]]]:
    """Return operators of a kind, with operands that they take."""
    cases: list[tuple[Operator, tuple[Shape, ...]]] = [ATTENTION]
    cases += [(case.operator, case.inputs) for case in CASES if isinstance(case, Case)]
    cases += [(operator, (x,)) for operator, x, *_ in FRACTIONAL]
    return [case for case in cases if type(case[0]) is op.OPERATORS[kind]]


@pytest.mark.parametrize("kind", KNOWN)
def test_its_facts_are_known(kind: str) -> None:
    assert made(kind)
    for operator, inputs in made(kind):
        output, flow = operator.output(*inputs), operator.flow(*inputs)
        assert len(flow.axes) == 1 + len(output.spatial)
        assert flow.is_known


@pytest.mark.parametrize("kind", KNOWN)
def test_what_it_saves_is_known(kind: str) -> None:
    assert op.rule_for(autograd_saved.RULES, op.OPERATORS[kind]) is not None


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_every_tool_counts_it_or_is_said_not_to(
    convention: Convention, kind: str
) -> None:
    for operator, _ in made(kind):
        assert all(rule in convention.rules for rule in convention.of(operator))


@pytest.mark.parametrize("kind", KNOWN)
def test_it_has_kernels_or_is_said_to_be_guessed(kind: str) -> None:
    of = op.OPERATORS[kind]
    has_none = of.view or issubclass(of, kernel_rules.NONE)
    has_rule = of in kernel_rules.RULES or of in kernel_rules.KIND_OF
    assert [has_none, has_rule, of in UNMODELLED].count(True) == 1 or (
        has_none and has_rule
    )
    assert set(kernel_rules.KIND_OF.values()) <= set(KINDS)


@pytest.mark.parametrize("kind", KNOWN)
def test_it_has_a_module_or_a_function(kind: str) -> None:
    of = op.OPERATORS[kind]
    assert of in {*IN_THE_GRAPH, *LEAVES, *SIZED, *map(type, FUNCTIONS)}


@pytest.mark.parametrize("kind", KNOWN)
def test_it_could_be_another_packages(kind: str) -> None:
    """What is asked of a class that is registered holds of every class of ours."""
    assert not list(unfit(op.OPERATORS[kind]))


def test_names_of_pytorch_are_resolved_once_for_all_modules_that_are_traced() -> None:
    assert pointwise_modules() is pointwise_modules()
