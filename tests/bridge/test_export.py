"""One network of each family leaves PyTorch's front door as an exported program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
import torch

import costmodel as cm
from costmodel.bridge import oracles
from costmodel.network.graph import parameters_by_name
from costmodel.network.registry import Architecture


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
