"""The explorer of a network of each family, at the network's own setting."""

from __future__ import annotations

import json

import pytest

import costmodel as cm
from costmodel.algebra.code.numpy_code import lambdify
from costmodel.algebra.symbols import H, N, W
from costmodel.cli.report_subjects import registered_subject
from costmodel.network.registry import architectures
from costmodel.reports.pages import explorer
from costmodel.runtime.profile import profiles


FIRST = {a.family: name for name, a in reversed(architectures().items())}
"""A network of each family."""


@pytest.mark.parametrize("name", FIRST.values())
def test_sliders_stand_where_the_network_does(name: str) -> None:
    subject = registered_subject(name, "none")
    for option in explorer.options(subject):
        assert option.value in option.steps
        assert list(option.steps) == sorted(set(option.steps))
        assert 1 < len(option.steps) <= 2 * explorer.MOST_STEPS
    text = explorer.script(subject)
    head = text.partition("costmodel.add(Object.assign(")[2].partition(", {\n")[0]
    assert json.loads(head)["name"] == name
    assert "<" not in head


@pytest.mark.parametrize("name", FIRST.values())
def test_formulas_give_the_networks_own_numbers(name: str) -> None:
    subject = registered_subject(name, "none")
    side = subject.bound.inputs[0].output.sizes[-1]
    own = {N: 1, H: side, W: side, **subject.own}
    free = sorted(subject.symbolic.free_symbols, key=str)
    told = {}
    for key, _, formula in explorer._formulas(subject):
        value = lambdify(formula, free)(*(_plain(own[symbol]) for symbol in free))
        told[key] = pytest.approx(float(value), rel=1e-9)
    assert told["macs"] == subject.cost.macs
    assert told["parameters"] == subject.cost.parameters
    assert told["activations"] == subject.cost.activations
    assert told["peak"] == cm.memory(subject.bound).peak_activation_bytes
    assert (told.keys() >= profiles().keys()) != explorer._has_unknown_groups(
        subject.symbolic
    )
    for device in profiles().keys() & told.keys():
        assert told[device] == float(cm.predict(subject.bound, device).seconds)


def _plain(value: object) -> float:
    return value if isinstance(value, int) else float(value)  # type: ignore[arg-type]
