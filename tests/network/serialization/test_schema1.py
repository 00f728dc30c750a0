"""Networks that were written under the first schema are read as today's."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.operators import OPERATORS
from costmodel.network.serialization.json import digest
from costmodel.network.serialization.schema1 import UPGRADES, Document


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


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"kind": "relu"}, op.Pointwise("relu")),
        ({"kind": "scaled_tanh"}, op.Pointwise("scaled_tanh")),
        ({"kind": "pointwise", "function": "gelu"}, op.Pointwise("gelu")),
        ({"kind": "scalar", "operation": "power", "value": "2"},
         op.Arithmetic("power", "2")),
        ({"kind": "last_linear", "features": 5, "bias": False},
         op.Linear(5, bias=False)),
    ],
)  # fmt: skip
def test_functions_and_arithmetic_of_the_first_schema_are_rows_of_tables(
    written: dict[str, object], read: op.Operator
) -> None:
    document = json.loads(PLAIN)
    document["nodes"].append({"name": "x", "operator": written, "inputs": ["conv1"]})
    document["outputs"] = ["x"]
    assert Network.from_json(json.dumps(document))["x"].operator == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"kind": "add"}, op.Arithmetic("add")),
        ({"kind": "multiply"}, op.Arithmetic("multiply")),
        ({"kind": "binary", "operation": "maximum"}, op.Arithmetic("maximum")),
    ],
)
def test_operations_on_two_tensors_of_the_first_schema_are_arithmetic(
    written: dict[str, object], read: op.Operator
) -> None:
    document = json.loads(PLAIN)
    pair = ["conv1", "conv1"]
    document["nodes"].append({"name": "x", "operator": written, "inputs": pair})
    document["outputs"] = ["x"]
    assert Network.from_json(json.dumps(document))["x"].operator == read


FILES = Path(__file__).parent / "networks_v1"
MERGED = {"binary", "pad_axis", "select"}
"""Kinds of which some are one with another kind now: which it was is not kept."""


@pytest.mark.parametrize("path", sorted(FILES.glob("*.json.gz")), ids=lambda p: p.name)
def test_a_network_is_known_by_what_the_first_schema_wrote_of_it(path: Path) -> None:
    text = gzip.decompress(path.read_bytes())
    nodes = json.loads(text).get("nodes")
    if nodes is None or MERGED & {node["operator"]["kind"] for node in nodes}:
        pytest.skip("no network, or it has kinds that are one with others now")
    assert digest(Network.from_json(text)) == hashlib.sha256(text).hexdigest()[:16]
