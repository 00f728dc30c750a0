"""Costs of 200 random cells, looked up, are what fvcore counts of their modules."""

from __future__ import annotations

from random import Random

import pytest

import costmodel as cm
from costmodel.bridge import oracles


@pytest.mark.parametrize("part", range(4))
def test_looked_up_costs_are_fvcores(part: int) -> None:
    space = cm.space("nasbench201", dataset="imagenet16", cells=1)
    random = Random(part)  # noqa: S311
    points = [space.sample(random) for _ in range(50)]
    costs = space.costs(points, ["macs", "flops:fvcore", "parameters"])
    for point, macs, everything, parameters in zip(points, *costs.values()):
        module = cm.compile(space.network(point)).eval()
        counted = oracles.fvcore_macs(module, (1, 3, 16, 16))
        assert counted["conv"] + counted["linear"] == macs
        assert sum(counted.values()) == everything
        assert sum(p.numel() for p in module.parameters()) == parameters
