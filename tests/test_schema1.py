"""Networks that were written under the first schema are read as today's."""

from __future__ import annotations

import json

from costmodel.network.graph import Network


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
