"""What the explorer reads: formulas that are right at the network's own setting."""

from __future__ import annotations

import json

import pytest

import costmodel as cm
from costmodel.algebra.evaluation import lambdify
from costmodel.algebra.symbols import H, N, W
from costmodel.cli.registered import registered_subject
from costmodel.network.registry import architectures
from costmodel.runtime.profile import profiles
from reports import exploring


FIRST = {a.family: name for name, a in reversed(architectures().items())}
"""A network of each family."""


@pytest.mark.parametrize("name", FIRST.values())
def test_formulas_give_the_networks_own_numbers(name: str) -> None:
    subject = registered_subject(name, "none")
    side = subject.bound.inputs[0].output.sizes[-1]
    own = {N: 1, H: side, W: side, **subject.own}
    free = sorted(subject.symbolic.free_symbols, key=str)
    told = {}
    for key, _, formula in exploring._formulas(subject.symbolic):
        value = lambdify(formula, free)(*(_plain(own[symbol]) for symbol in free))
        told[key] = pytest.approx(float(value), rel=1e-9)
    assert told["macs"] == subject.cost.macs
    assert told["parameters"] == subject.cost.parameters
    assert told["activations"] == subject.cost.activations
    assert told["peak"] == cm.memory(subject.bound).peak_activation_bytes
    assert (told.keys() >= profiles().keys()) != exploring._has_unknown_groups(
        subject.symbolic
    )
    for device in profiles().keys() & told.keys():
        assert told[device] == float(cm.predict(subject.bound, device).seconds)


def _plain(value: object) -> float:
    return value if isinstance(value, int) else float(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FIRST.values())
def test_sliders_stand_where_the_network_does(name: str) -> None:
    subject = registered_subject(name, "none")
    for knob in exploring.knobs(subject):
        assert knob.value in knob.steps
        assert list(knob.steps) == sorted(set(knob.steps))
        assert 1 < len(knob.steps) <= 2 * exploring.MOST_STEPS
    text = exploring.script(subject)
    head = text.partition("costmodel.add(Object.assign(")[2].partition(", {\n")[0]
    assert json.loads(head)["name"] == name
    assert "<" not in head


def test_a_network_that_fits_few_sizes_offers_only_these() -> None:
    found = {}
    for name in architectures():
        subject = registered_subject(name, "none")
        if subject.symbolic.constraints:
            found[name] = exploring._sizes(subject)
    for name, sizes in found.items():
        assert sizes, name
        cm.load(name, resolution=sizes[0])
