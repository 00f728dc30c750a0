"""Networks that an earlier version wrote: they load, and cost what they did then.

``tests/networks_v1`` has files of schema 1: one network of each family, and others
that together have every operator and every value of an attribute that the schema knew.
Beside them is what the engine of the time said, formulas as values at some points. Both
were written once, by ``tests/differential/old_files.py``, and stay as they are.
The costs of families are compared in ``tests/model_zoo/test_old_networks.py``.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import costmodel as cm
from tests.differential.comparison import Comparison
from tests.differential.formulas import Formulas
from tests.differential.known_differences import reason_of
from tests.differential.observe import essentials, observed


FOLDER = Path(__file__).parent / "networks_v1"
MADE = ("drawn_", "made_")
MAY_DIFFER = ("text of refusal", "answered now")


def read(name: str) -> str:
    return gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()).decode()


SAID: dict[str, dict[str, Any]] = json.loads(read("said"))
FAMILIES = [name for name in SAID if not name.startswith(MADE)]


def differences(record: dict[str, Any], net: cm.Network) -> list[list[str]]:
    """Return what is said otherwise now.

    The words of a refusal may have changed, and what was refused may be answered.
    """
    points, asked = record["points"], record["asked"]
    answers = observed(net, points, asked) if asked else essentials(net)
    comparison = Comparison(record["formulas"], Formulas(points))
    for section, then in record["answers"].items():
        comparison.walk(section, (), then, answers[section])
    return [found for found in comparison.found if not found[0].endswith(MAY_DIFFER)]


def check(name: str) -> None:
    text = read(name)
    assert json.loads(text)["schema"] == "costmodel.network/1"
    found = differences(SAID[name], cm.Network.from_json(text))
    assert [f for f in found if reason_of(name, f) is None] == []


@pytest.mark.parametrize("name", [n for n in SAID if n.startswith(MADE)])
def test_a_network_of_schema_1_costs_what_it_did(name: str) -> None:
    check(name)


@pytest.mark.parametrize("name", SAID)
def test_what_was_read_can_be_written_and_read_again(name: str) -> None:
    net = cm.Network.from_json(read(name))
    again = cm.Network.from_json(net.to_json())
    assert again == net


def test_every_operator_of_schema_1_is_in_a_file() -> None:
    kinds = {
        node["operator"]["kind"]
        for name in SAID
        for node in json.loads(read(name))["nodes"]
    }
    assert len(kinds) == 69


def test_every_family_of_the_time_is_in_a_file() -> None:
    assert len(FAMILIES) == 40


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


def test_a_formula_that_differs_is_found() -> None:
    record = json.loads(json.dumps(SAID["lenet5"]))
    net = cm.Network.from_json(read("lenet5"))
    assert differences(record, net) == []
    record["answers"]["totals"]["macs"] = "=W"
    record["formulas"]["W"] = [["W"], 1, 2, 3, 4]
    assert [found[0] for found in differences(record, net)] == ["totals: value"]
