"""Conventions against the tools themselves, each run in a process of its own.

``nox -s peers`` installs them; elsewhere the tests of a missing tool are skipped, and
``test_conventions.py`` compares with what they counted when it was written down.
torchvision's own networks are in ``tests/model_zoo/test_peers.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

import costmodel as cm
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.testing.forms import in_forms
from tests.analysis.test_conventions import ours
from tests.bridge.test_laws import bound_networks
from tests.peers.layers import LAYER_COUNTERS
from tests.peers.networks import COUNTED, PYCLS
from tests.peers.process import Peer, missing
from tests.peers.record import input_size
from tests.peers.tools import COUNTERS


HERE = ("fvcore", "torch")
"""Tools that every test run has."""
FIFTY = settings(max_examples=max(50, settings().max_examples))


def start(tool: str) -> Iterator[Peer]:
    """Start a tool, or skip."""
    if package := missing(tool):
        pytest.skip(f"{package} is not installed; nox -s peers installs it")
    with Peer(tool) as peer:
        yield peer


@pytest.fixture(scope="module", params=COUNTERS)
def counter(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Give a tool that counts modules; its modules come and go with the process."""
    yield from start(request.param)


@pytest.fixture(scope="module", params=[t for t in COUNTERS if t not in HERE])
def hooking(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Give a tool that hooks modules or replaces functions."""
    yield from start(request.param)


@pytest.fixture(scope="module", params=LAYER_COUNTERS)
def layer_counter(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Give a tool that counts layers."""
    yield from start(request.param)


def counts_alike(counter: Peer, net: Network) -> None:
    # calflops asks a module's parameters where they are: it cannot count without any.
    assume(counter.tool != "calflops" or cm.cost(net).parameters)
    counted = counter.count(network=net.to_json(), size=input_size(net))
    assert counted == ours(net, counter.tool)


@FIFTY
@given(bound_networks())
def test_a_generated_network_has_the_tools_own_number(
    counter: Peer, net: Network
) -> None:
    counts_alike(counter, net)


@pytest.mark.parametrize("name", COUNTED)
def test_a_network_of_every_operator_has_the_tools_own_number(
    counter: Peer, name: str
) -> None:
    net = COUNTED[name]
    counted = counter.count(network=net.to_json(), size=input_size(net))
    assert counted == ours(net, counter.tool)


@FIFTY
@given(bound_networks().flatmap(in_forms))
def test_a_network_in_any_forms_has_the_tools_own_number(
    counter: Peer, net: Network
) -> None:
    counts_alike(counter, net)


@pytest.fixture(scope="module")
def pycls() -> Iterator[Peer]:
    """Give pycls."""
    yield from start("pycls")


@pytest.mark.parametrize("name", PYCLS)
def test_pycls_prints_the_recorded_numbers_of_its_own_networks(
    pycls: Peer, name: str
) -> None:
    flops, settings_of_it = PYCLS[name]
    assert flops == pycls.count(settings=settings_of_it)


def described(net: Network, node: Node) -> dict[str, Any]:
    """Return a layer as ``tests.peers.layers`` reads it."""
    layer, weights = node.operator, net.weights_of(node)
    of = {
        "input": [net.batch, *net.shapes_into(node)[0].sizes],
        "weight": weights["weight"].shape,
        "bias": "bias" in weights,
    }
    keys = ("stride", "padding", "dilation", "groups")
    return of | {k: v for k, v in layer.attributes.items() if k in keys}


def alone(net: Network, node: Node) -> Network:
    """Return a network of one layer."""
    before = op.Input(net.shapes_into(node)[0])
    layers = [("x", before, ()), ("layer", node.operator, ("x",))]
    return Network.assemble(layers, batch=net.batch)


def check_layers(peer: Peer, net: Network) -> None:
    """Compare every convolution and linear layer that the tool can count."""
    kinds = (op.Conv, op.Linear)
    nodes = [node for node in net.nodes if isinstance(node.operator, kinds)]
    counted = peer.count(layers=[described(net, node) for node in nodes])
    for node, theirs in zip(nodes, counted, strict=True):
        flops = cm.cost(alone(net, node)).flops(peer.tool)
        # XLA keeps its counts in floats of 32 bits.
        rounded = float(np.float32(flops)) if peer.tool == "xla" else flops
        assert theirs in (None, rounded), node


@FIFTY
@given(bound_networks())
def test_the_layers_of_a_generated_network_have_the_tools_own_numbers(
    layer_counter: Peer, net: Network
) -> None:
    assume(any(node.operator.is_layer for node in net.nodes))
    check_layers(layer_counter, net)
