"""Two networks side by side: the differences of parts add up to that of the totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import N, alpha, symbol
from costmodel.analysis.cost import METRICS
from costmodel.analysis.cost.difference import Change, Difference
from costmodel.errors import CostModelError
from costmodel.network.build import conv, image, network, relu, scope
from costmodel.testing import networks


r = symbol("r")
FIRST = {"stage1": 3, "stage2": 4, "stage3": 6, "stage4": 3}
"""Blocks a stage of ResNet-50."""


def parts_of(found: Difference, by: str, depth: int = 2) -> tuple[Change, ...]:
    return found.by_operator() if by == "operator" else found.by_scope(depth)


def added(changes: tuple[Change, ...], metric: str) -> sympy.Expr:
    return sympy.expand(sympy.Add(*(change.delta(metric) for change in changes)))


@given(networks(most=6), networks(most=6), st.sampled_from([*METRICS]))
def test_differences_of_parts_add_up_to_the_difference_of_totals(
    one: cm.Network, other: cm.Network, metric: str
) -> None:
    found = cm.diff(one, other)
    gap = sympy.sympify(cm.cost(other).metric(metric)) - cm.cost(one).metric(metric)
    assert found.delta(metric) == sympy.expand(gap)
    for by in ("operator", "scope"):
        assert added(parts_of(found, by), metric) == sympy.expand(gap)


@given(networks(most=6), networks(most=6), st.sampled_from(["operator", "scope"]))
def test_the_other_way_round_every_sign_turns(
    one: cm.Network, other: cm.Network, by: str
) -> None:
    there, back = (
        parts_of(cm.diff(*pair), by) for pair in ((one, other), (other, one))
    )
    assert {c.name for c in there} == {c.name for c in back}
    turned = {change.name: change for change in back}
    for change in there:
        assert change.delta("macs") == -turned[change.name].delta("macs")
        assert (change.before is None) == (turned[change.name].after is None)
        assert change.before or change.after


@given(networks(most=6))
def test_a_network_does_not_differ_from_itself(net: cm.Network) -> None:
    found = cm.diff(net, cm.cost(net))
    assert found.table() == ()
    assert (found.parameters, found.macs, found.activations) == (0, 0, 0)


def test_squeeze_and_excitation_adds_two_squares_over_r_a_block() -> None:
    plain = cm.load("resnet50", width=alpha)
    gated = cm.load("se_resnet50", width=alpha, reduction=r)
    found = cm.diff(plain, gated)
    changed = {c.name: c for c in found.by_scope() if c.delta("parameters") != 0}
    assert [*changed] == [
        f"{stage}.block{i}" for stage, n in FIRST.items() for i in range(1, n + 1)
    ]
    for name, change in changed.items():
        channels = 128 * alpha * 2 ** int(name[5])  # four times 64, 128, 256, 512
        assert change.delta("parameters") == 2 * channels * sympy.floor(channels / r)
        assert cm.relax(change.delta("parameters")) == 2 * channels**2 / r
        assert change.delta("macs") == N * change.delta("parameters")
    squares = sum(n * (256 * 2**i) ** 2 for i, n in enumerate(FIRST.values()))
    assert cm.relax(found.parameters) == 2 * squares * alpha**2 / r


def test_the_table_merges_neighbours_and_shows_the_total() -> None:
    found = cm.diff(cm.load("resnet50"), cm.load("se_resnet50"))
    titles = [line.title for line in found.table()]
    assert titles == [f"{stage}.block1 ×{n}" for stage, n in FIRST.items()]
    lines = str(found).splitlines()
    assert lines[0] == "resnet50 → se_resnet50"
    assert lines[2].split() == ["stage1.block1", "×3", "8192", "8192*N", "272*N"]
    assert lines[-1].split()[:3] == ["total", "2514944", "2514944*N"]


def test_what_only_one_network_has_is_listed_where_it_stands() -> None:
    def build(*blocks: str) -> cm.Network:
        x = image()
        for name in blocks:
            with scope(name):
                x = relu(conv(x, 8, kernel=3))
        return network(x, name="_".join(blocks))

    found = cm.diff(build("a", "b", "d"), build("a", "c", "d", "e"))
    names = [change.name for change in found.by_scope()]
    assert names == ["input", "a", "b", "c", "d", "e"]
    only = {line.name: line.only_in for line in found.table()}
    assert only == {"b": "a_b_d", "c": "a_c_d_e", "e": "a_c_d_e"}


def test_operators_tell_what_kind_of_layer_differs() -> None:
    found = cm.diff(
        cm.load("resnet50", resolution=224, batch=1),
        cm.load("resnet50", variant="torchvision", resolution=224, batch=1),
    )
    deltas = {c.name: c.delta("macs") for c in found.by_operator() if c.delta("macs")}
    assert deltas == {"conv": 4089184256 - 3857973248}
    assert found.names == ("first", "second")


def test_parts_are_scopes_at_any_depth_or_operators() -> None:
    net = cm.load("resnet18", resolution=224, batch=1)
    total = cm.cost(net).macs
    for depth in (1, 2, 3):
        assert sum(cm.parts(net, by="scope", depth=depth).values()) == total
    stages = cm.parts(net, by="scope")
    assert [*stages] == [
        "input",
        "stem",
        "stage1",
        "stage2",
        "stage3",
        "stage4",
        "head",
    ]
    assert cm.parts(cm.cost(net)) == cm.parts(net, "macs", by="operator")


NET = network(conv(image(), 8, kernel=3))


@pytest.mark.parametrize(
    ("problem", "ask"),
    [
        ("diff: needs a costmodel.Network or its cost, got the text 'resnet50'",
         lambda: cm.diff("resnet50", NET)),
        ("parts: needs a costmodel.Network or its cost, got NoneType",
         lambda: cm.parts(None)),
        ('parts: by \'stage\' is neither "scope" nor "operator"',
         lambda: cm.parts(NET, by="stage")),
        ("parts: depth 0 is not an integer ≥ 1",
         lambda: cm.parts(NET, by="scope", depth=0)),
        ('unknown metric "flops"', lambda: cm.parts(NET, "flops")),
        ('unknown metric "flops"', lambda: cm.diff(NET, NET).delta("flops")),
        ('two different symbols are named "H"',
         lambda: cm.diff(NET, network(conv(image(3, sympy.Symbol("H")), 8, kernel=3)))),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said(problem: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(CostModelError) as caught:
        ask()
    assert str(caught.value).startswith(problem)
