"""Every architecture: run, its formulas read back; one of each family exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
import torch

import costmodel as cm
from costmodel.bridge import oracles
from costmodel.cli.report_subjects import _recorded
from costmodel.network.graph import parameters_by_name
from costmodel.network.registry import Architecture, architectures, find, load
from costmodel.network.serialization.json import digest
from tests.algebra.test_text import check, every_formula


def executed_at(net: cm.Network, batch: int) -> dict[str, tuple[object, ...]]:
    """Return the shapes of a batch; what is made of stored tensors serves all of it."""
    return {
        node.name: (1 if node.name in net.unbatched else batch, *node.output.sizes)
        for node in net.nodes
    }


@pytest.mark.parametrize("name", cm.architectures())
def test_every_architecture_runs_at_its_resolution(name: str) -> None:
    architecture = cm.architectures()[name]
    side = architecture.resolution
    net = cm.load(name, resolution=side, batch=2)
    module = cm.compile(net, device="meta")
    shapes = oracles.executed_shapes(
        module, (2, architecture.input_channels, side, side)
    )
    assert shapes == executed_at(net, 2)


@pytest.mark.parametrize("name", cm.architectures())
def test_state_dict_is_the_networks_weights_by_name(name: str) -> None:
    net = cm.load(name, resolution=cm.architectures()[name].resolution)
    module = cm.compile(net, device="meta")
    assert oracles.stored_shapes(module) == parameters_by_name(net)


@pytest.mark.parametrize("name", [*architectures()])
def test_every_formula_of_every_architecture_is_read_back(name: str) -> None:
    options = {
        key: option.symbol
        for key, option in architectures()[name].options.items()
        if option.can_be_symbol and not isinstance(option.default, tuple)
    }
    for formula in every_formula(cm.cost(cm.load(name, **options))):
        check(formula)


def smallest_members() -> Mapping[str, Architecture]:
    """Return each family's network of fewest nodes."""
    found: dict[str, Architecture] = {}
    sizes = {name: len(cm.load(name).nodes) for name in cm.architectures()}
    for architecture in sorted(
        cm.architectures().values(), key=lambda a: sizes[a.name], reverse=True
    ):
        found[architecture.family] = architecture
    return found


SMALLEST = smallest_members()


@pytest.mark.parametrize("family", sorted(SMALLEST))
def test_a_network_of_every_family_exports(family: str) -> None:
    architecture = SMALLEST[family]
    side = architecture.resolution
    network = cm.load(architecture.name, resolution=side, batch=1)
    module = cm.compile(network, device="meta").eval()
    sample = torch.zeros(1, architecture.input_channels, side, side, device="meta")
    program = torch.export.export(module, (sample,))
    counted = oracles.flop_counter_macs(program.module(), tuple(sample.shape))
    ours = cm.cost(network).by_operator()
    kinds = ("conv", "table_conv", "linear")
    assert sum(counted.values()) == sum(ours[k].macs for k in kinds if k in ours)
    exported = Counter(tuple(tensor.shape) for tensor in program.state_dict.values())
    assert exported == Counter(parameters_by_name(network).values())


@pytest.mark.parametrize("name", cm.architectures())
def test_every_option_may_be_a_symbol_or_a_word_of_its_choices(name: str) -> None:
    for option in find(name).options.values():
        values = option.choices or (option.default,)
        values += (option.symbol,) if option.can_be_symbol else ()
        for value in values:
            assert load(name, **{option.name: value}).outputs


def test_every_network_has_its_recorded_counts() -> None:
    found = _recorded()["networks"]
    assert found.keys() == cm.architectures().keys()
    for name, chosen in cm.architectures().items():
        bound = load(name, resolution=chosen.resolution, batch=1)
        assert found[name]["network"] == digest(bound), name
        assert all(c["ours"] == c["theirs"] for c in found[name]["checks"]), name
