"""Conventions against the tools themselves, on networks as torchvision writes them.

A missing tool is skipped, as in ``tests/peers/test_peers.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import costmodel as cm
from costmodel.network.graph import Network
from tests.analysis.test_conventions import COUNTS, ours
from tests.peers.layers import LAYER_COUNTERS
from tests.peers.networks import KNOWN, ORIGINALS, known, original
from tests.peers.process import Peer
from tests.peers.record import input_size
from tests.peers.test_peers import check_layers, start
from tests.peers.tools import COUNTERS
from tests.zoo import torchvision_network


@pytest.fixture(scope="module", params=COUNTERS)
def counter(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Give a tool that counts modules; its modules come and go with the process."""
    yield from start(request.param)


@pytest.fixture(scope="module", params=LAYER_COUNTERS)
def layer_counter(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Give a tool that counts layers."""
    yield from start(request.param)


@pytest.mark.parametrize("name", KNOWN)
def test_torchvisions_network_has_the_tools_own_number(
    counter: Peer, name: str
) -> None:
    net = known(name)
    counted = counter.count(torchvision=name, size=input_size(net))
    assert counted == ours(net, counter.tool)


@pytest.mark.parametrize("name", ORIGINALS)
def test_every_family_of_torchvision_is_written_as_we_say_and_read(
    counter: Peer, name: str
) -> None:
    net = original(name)
    module, size = torchvision_network(name), net.inputs[0].output.sizes
    counted = counter.count(torchvision=name, size=input_size(net))
    assert counted == ours(net, counter.tool)
    assert counted == ours(cm.trace(module, size, batch=1), counter.tool)


@pytest.mark.parametrize("name", KNOWN)
def test_the_layers_of_torchvisions_network_have_the_tools_own_numbers(
    layer_counter: Peer, name: str
) -> None:
    check_layers(layer_counter, known(name))


@pytest.mark.parametrize("name", ORIGINALS)
def test_torchvisions_own_modules_have_the_recorded_numbers(name: str) -> None:
    net = original(name)
    read = cm.trace(torchvision_network(name), net.inputs[0].output.sizes, batch=1)
    theirs = {tool: COUNTS[tool][name]["torchvision"] for tool in COUNTS}
    assert theirs == {tool: ours(net, tool) for tool in COUNTS}
    assert theirs == {tool: ours(read, tool) for tool in COUNTS}
    assert theirs == {
        tool: ours(Network.from_json(read.to_json()), tool) for tool in COUNTS
    }
