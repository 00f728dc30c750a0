"""What the channels of its image change of every architecture, and what they leave."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import Dim, alpha, symbol
from costmodel.analysis.cost import METRICS
from costmodel.bridge import oracles
from costmodel.errors import CostModelError
from costmodel.network.registry import find, load
from costmodel.network.registry.options import Option
from costmodel.network.serialization.json import digest


C = symbol("C")
NAMES = st.sampled_from(list(cm.architectures()))
NUMBERS = st.sampled_from([1, 3, 4, 7])
FEWER = settings(max_examples=settings().max_examples // 2)
"""For what takes a second a network."""
TRAINING = ("forward", "backward_input", "backward_weight", "bias_additions")


def at_paper(name: str, **options: Any) -> cm.Network:
    return load(name, resolution=find(name).resolution, batch=1, **options)


@cache
def symbolic(name: str) -> cm.Network:
    return at_paper(name, input_channels=C)


def substituted(formula: Dim, channels: int) -> Dim:
    return sympy.sympify(formula).subs(C, channels)


@FEWER
@given(NAMES, NUMBERS)
def test_the_compiled_network_takes_such_an_image(name: str, channels: int) -> None:
    net, side = at_paper(name, input_channels=channels), find(name).resolution
    module = cm.compile(net, device="meta")
    shapes = oracles.executed_shapes(module, (2, channels, side, side))
    assert shapes == {
        node.name: (1 if node.name in net.unbatched else 2, *node.output.sizes)
        for node in net.nodes
    }
    for node in net.nodes:
        if node.inputs == ("input",) and node.operator.kind == "conv":
            leaf = module.get_submodule(node.name)
            assert isinstance(leaf, nn.Conv2d)
            assert channels == leaf.in_channels == leaf.weight.shape[1] * leaf.groups
    assert cm.cost(net).parameters == sum(p.numel() for p in module.parameters())


@given(NAMES, NUMBERS)
def test_a_cost_is_the_formula_at_that_number(name: str, channels: int) -> None:
    net, law = at_paper(name, input_channels=channels), cm.cost(symbolic(name))
    assert symbolic(name).bind(C=channels) == net
    for metric in METRICS:
        found = substituted(law.metric(metric), channels)
        assert cm.cost(net).metric(metric) == found


@given(NAMES, NUMBERS)
def test_so_is_what_training_costs(name: str, channels: int) -> None:
    law = cm.training_cost(symbolic(name))
    numbers = cm.training_cost(at_paper(name, input_channels=channels))
    for part in TRAINING:
        found = substituted(getattr(law, part), channels)
        assert getattr(numbers, part) == found


@given(NAMES, st.sampled_from([1, 3, 4, 7, C]))
def test_no_receptive_field_depends_on_it(name: str, channels: Dim) -> None:
    expected = cm.receptive_field(at_paper(name))
    found = cm.receptive_field(at_paper(name, input_channels=channels))
    assert expected.size == found.size
    assert expected.stride == found.stride
    assert expected.padding == found.padding


@given(NAMES, st.sampled_from([1, 3, 4, 7, C]))
def test_widening_leaves_the_image_alone(name: str, channels: Dim) -> None:
    def widened(net: cm.Network) -> cm.Network | str:
        try:
            return cm.widen(net, alpha)
        except CostModelError as error:
            return str(error)

    found = widened(at_paper(name, input_channels=channels))
    default = widened(at_paper(name))
    if isinstance(default, str) or isinstance(found, str):
        assert default == found
        return
    assert found.inputs[0].output.channels == channels
    bound = widened(symbolic(name))
    assert isinstance(bound, cm.Network)
    assert default == bound.bind(C=find(name).input_channels)


@pytest.mark.parametrize("name", cm.architectures())
def test_the_default_is_the_image_of_the_source(name: str) -> None:
    default = {"lenet5": 1, "extreme_inception": 288}.get(name, 3)
    assert find(name).input_channels == default
    assert digest(load(name)) == digest(load(name, input_channels=default))
    assert (
        Option("input_channels", default, None, is_whole=True)
        == (find(name).options["input_channels"])
    )
