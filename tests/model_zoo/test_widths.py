"""Widths of every architecture: those of its paper, and the widest within a budget."""

from __future__ import annotations

from typing import Any

import pytest
import sympy

import costmodel as cm
from costmodel.algebra.symbols import H, N, W, alpha, is_equal
from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes
from costmodel.network.graph import Network
from costmodel.network.widen import widen
from tests.algebra.questions.test_budget import widened


OTHER_RULES = {
    "regnet": "the width of a group stays, and the number of groups grows",
    "mnasnet": "the last 1×1 has 1280 channels at every width",
    "mobilenet_v2": "the last 1×1 is never thinner than at width 1",
    "mobilenet_v3": "the last layers stay, and the gates round what was rounded",
    "pnasnet5_mobile": "halves of odd channels are rounded after they have grown",
    "amoebanet_a_mobile": "halves of odd channels are rounded after they have grown",
    "amoebanet_a_large": "halves of odd channels are rounded after they have grown",
}
"""Architectures, or families, whose paper multiplies otherwise."""

ROUNDED = ("se_", "senet", "efficientnet")
"""Architectures that round channels: the same rule but for that."""


def members(*, rounded: bool) -> list[str]:
    """Return the architectures of a width that is a plain factor of every count."""
    return [
        name
        for name, known in cm.architectures().items()
        if "width" in known.options
        and not {name, known.family} & OTHER_RULES.keys()
        and name.startswith(ROUNDED) == rounded
    ]


def loaded(name: str, variant: str | None, **options: Any) -> Network:
    chosen = {} if variant is None else {"variant": variant}
    return cm.load(name, **chosen, **options)


def variants(name: str) -> tuple[Any, ...]:
    option = cm.architectures()[name].options.get("variant")
    return (None,) if option is None else option.choices or (None,)


@pytest.mark.parametrize("name", members(rounded=False))
def test_a_loaded_network_is_widened_to_that_of_its_width(name: str) -> None:
    options = {"width": alpha}
    if "hidden" in cm.architectures()[name].options:
        options["hidden"] = 4096 * alpha  # no part of the width, but channels
    for variant in variants(name):
        expected = loaded(name, variant, **options)
        assert expected == widen(loaded(name, variant, width=1), alpha)


@pytest.mark.parametrize("name", members(rounded=True))
def test_where_channels_are_rounded_the_law_is_the_same_but_for_that(name: str) -> None:
    for variant in variants(name):
        at: dict[str, Any] = {"resolution": 224, "batch": 1}
        expected = cm.cost(loaded(name, variant, width=alpha, **at))
        found = cm.cost(widen(loaded(name, variant, width=1, **at), alpha))
        for metric in ("macs", "parameters", "activations"):
            relaxed = cm.relax(getattr(expected, metric))
            assert is_equal(relaxed, getattr(found, metric))


FAMILIES = {
    a.family: name
    for name, a in cm.architectures().items()
    if "width" in a.options and a.options["width"].can_be_symbol
}


@pytest.mark.parametrize("name", FAMILIES.values())
def test_every_family_can_be_asked_for_its_width(name: str) -> None:
    net, _ = widened(name)
    law = sympy.sympify(cm.cost(net).macs)
    side = cm.architectures()[name].resolution
    at = {N: 1, H: side, W: side}
    budget = int(law.subs({**at, alpha: 1}))
    found = cm.largest(law, alpha, budget, at=at, whole=tensor_sizes(net))
    low, _ = found.interval or (found.value, None)
    assert low >= 1 or found.value >= 1  # α = 1 itself is within the budget
    assert found.cost == budget < found.beyond_cost
    assert cm.cost(net.bind(at | {alpha: found.value})).macs == found.cost
