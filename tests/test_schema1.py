"""Networks that were written under the first schema are read as today's."""

from __future__ import annotations

import json

import pytest

from costmodel.network.graph import Network
from costmodel.network.operators import OPERATORS
from costmodel.network.schema1 import UPGRADES, Document


PLAIN = """{
 "schema": "costmodel.network/1",
 "name": "plain",
 "batch": "N",
 "symbols": {"N": {"positive": true, "integer": true}},
 "nodes": [
  {"name": "input", "operator": {"kind": "input", "channels": 3, "spatial": [8, 8]},
   "inputs": []},
  {"name": "conv1", "operator": {"kind": "conv", "channels": 4, "kernel": [3, 3],
   "stride": [2, 2], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "bias": true,
   "padding_mode": "zeros"}, "inputs": ["input"]}
 ],
 "outputs": ["conv1"]
}"""
"""A document as the first schema wrote it, in full."""


def test_a_network_of_the_first_schema_is_read_and_written_in_the_second() -> None:
    net = Network.from_json(PLAIN)

    assert str(net["conv1"].output) == "4×4×4"
    assert json.loads(net.to_json())["schema"] == "costmodel.network/2"
    assert net == Network.from_json(net.to_json())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"kind": "conv1d", "channels": 8, "kernel": 3, "stride": "s", "bias": True},
            {
                "kind": "conv",
                "channels": 8,
                "kernel": [3],
                "stride": ["s"],
                "bias": True,
            },
        ),
        (
            {"kind": "upsample", "scale": [2, 2], "mode": "nearest"},
            {"kind": "resize", "scale": [2, 2], "mode": "nearest"},
        ),
    ],
)
def test_kinds_of_the_first_schema_become_todays(
    before: Document, after: Document
) -> None:
    assert after == UPGRADES[before["kind"]](before)
    assert after["kind"] in OPERATORS
