"""The explorer of a network of each family, at the network's own setting."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

import costmodel as cm
from costmodel.algebra.code.numpy_code import lambdify
from costmodel.algebra.symbols import Dim, H, N, W
from costmodel.cli.report_subjects import registered_subject
from costmodel.network.registry import architectures
from costmodel.reports.data.subject import Subject
from costmodel.reports.pages import explorer
from costmodel.runtime.profile import profiles


FIRST = {a.family: name for name, a in reversed(architectures().items())}
"""A network of each family."""


@pytest.mark.parametrize("name", FIRST.values())
def test_sliders_stand_where_the_network_does_and_formulas_give_its_numbers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = registered_subject(name, "none")
    formulas = list(explorer._formulas(subject))
    check_numbers(subject, {key: formula for key, _, formula in formulas})
    # They take seconds, and are not made twice.
    monkeypatch.setattr(explorer, "_formulas", lambda _: formulas)
    for option in explorer.options(subject):
        assert option.value in option.steps
        assert list(option.steps) == sorted(set(option.steps))
        assert 1 < len(option.steps) <= 2 * explorer.MOST_STEPS
    text = explorer.script(subject)
    head = text.partition("costmodel.add(Object.assign(")[2].partition(", {\n")[0]
    assert json.loads(head)["name"] == name
    assert "<" not in head


def check_numbers(subject: Subject, formulas: Mapping[str, Dim]) -> None:
    """Compare formulas at the network's own setting with what is counted there."""
    side = subject.bound.inputs[0].output.sizes[-1]
    own = {N: 1, H: side, W: side, **subject.own}
    free = sorted(subject.symbolic.free_symbols, key=str)
    given = (_plain(own[symbol]) for symbol in free)
    values = lambdify([*formulas.values()], free)(*given)
    told = {
        key: pytest.approx(float(value), rel=1e-9)
        for key, value in zip(formulas, values, strict=True)
    }
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
