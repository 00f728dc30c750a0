"""The committed measurements: what the page says of them is what is computed today."""

from __future__ import annotations

import re

import pytest

from costmodel.runtime.profile import profiles
from costmodel.runtime.profile.shipped import validation
from tests.runtime import table
from tests.runtime.held_out import names


LISTS = ("torchvision, for development", "timm, blind", "both")

STATED = {
    "intel-xeon-avx512-1-thread-float32": {
        "torchvision, for development": 0.04,
        "timm, blind": 0.05,
        "both": 0.05,
        "registered architectures": 0.05,
        "transfer: batches 1 to 8, sides 128 to 320": 0.05,
    },
    "amd-epyc-avx2-1-thread-float32": {"timm, others": 0.08},
    "intel-xeon-amx-1-thread-float32": dict.fromkeys(LISTS, 0.08),
    "intel-xeon-amx-2-threads-float32": dict.fromkeys(LISTS, 0.1),
}
"""Mean errors that the page states, rounded up to whole percents."""

SURE = {
    "intel-xeon-avx512-1-thread-float32": (0.8, 0.95),
    "amd-epyc-avx2-1-thread-float32": (0.7, 0.9),
    "intel-xeon-amx-1-thread-float32": (0.7, 0.9),
    "intel-xeon-amx-2-threads-float32": (0.5, 0.9),
}
"""The least share of any set that is within a tenth, and the least rank correlation."""

SETS = [(machine, which) for machine in table.MACHINES for which in machine.available]


@pytest.mark.parametrize(("machine", "which"), SETS)
def test_predictions_are_as_good_as_stated(machine: table.Machine, which: str) -> None:
    found = table.judged(machine, which)
    ours = next(iter(found["summaries"].values()))
    within, tau = SURE[machine.profile]
    assert ours["mape"] <= STATED[machine.profile][which]
    assert ours["within"] >= within
    assert ours["tau"] >= tau
    baselines = [s for name, s in found["summaries"].items() if "costmodel" not in name]
    assert all(ours["mape"] < other["mape"] for other in baselines)


def test_the_page_has_these_tables() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    again = table.written(page, list(table.lines()))
    numbers = re.compile(r"[-+]?\d+\.?\d*")
    # The last digit of a fit may be another one on another processor.
    for said, ours in zip(page.split(), again.split(), strict=True):
        assert numbers.sub("", said) == numbers.sub("", ours)
        for one, other in zip(numbers.findall(said), numbers.findall(ours)):
            assert float(one) == pytest.approx(float(other), abs=0.3, rel=0.01)


@pytest.mark.parametrize("machine", table.MACHINES, ids=lambda known: known.profile)
def test_what_the_package_says_of_itself_is_what_comes_out(
    machine: table.Machine,
) -> None:
    said, ours = validation(machine.profile), table.shipped(machine)
    assert said is not None
    assert said["sets"].keys() == ours["sets"].keys()
    for which, found in ours["sets"].items():
        rows = said["sets"][which]["rows"]
        assert [row["name"] for row in rows] == [row["name"] for row in found["rows"]]
        for one, other in zip(rows, found["rows"], strict=True):
            assert one["seconds"] == other["seconds"]
            assert one["predicted"] == pytest.approx(other["predicted"], rel=0.01)


def test_every_shipped_profile_is_judged() -> None:
    assert {machine.profile for machine in table.MACHINES} == profiles().keys()


def test_what_is_blind_is_in_no_other_list() -> None:
    development, blind = names("torchvision_development"), names("timm_blind")
    assert (len(set(development)), len(set(blind))) == (26, 30)
    assert not set(development) & set(blind)
    assert len(set(names("transfer"))) == 8
