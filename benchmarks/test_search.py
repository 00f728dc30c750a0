"""Costs of networks of a space: looked up one by one, in bulk, and by fvcore."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import costmodel as cm
from costmodel.bridge import oracles


POINTS = 10**6
WALKED = 20_000

pytestmark = pytest.mark.benchmark(group="cells of nasbench201")


def test_cells_one_by_one(benchmark: Any) -> None:
    space, random = cm.space("nasbench201"), Random(0)
    points = [space.sample(random) for _ in range(WALKED)]
    space.costs(points)

    def walk() -> int:
        return sum(space.cost(point)[0] for point in points)

    assert benchmark.pedantic(walk, rounds=3) == space.costs(points)["macs"].sum()
    benchmark.extra_info["configurations"] = WALKED


def test_cells_in_bulk(benchmark: Any) -> None:
    space = cm.space("nasbench201")
    points = np.random.default_rng(0).integers(0, 5, (POINTS, 6))
    space.costs(points)
    result = benchmark.pedantic(space.costs, (points,), rounds=3)
    assert result["macs"].shape == (POINTS,)
    benchmark.extra_info["configurations"] = POINTS


def test_one_cell_by_fvcore(benchmark: Any) -> None:
    space = cm.space("nasbench201")
    module = cm.compile(space.network(space.sample())).eval()
    assert benchmark.pedantic(oracles.fvcore_macs, (module, (1, 3, 32, 32)), rounds=5)
    benchmark.extra_info["configurations"] = 1


def test_all_cells_of_nasbench101(benchmark: Any) -> None:
    def everything() -> int:
        space = cm.space("nasbench101")
        costs: int = space.costs(space.array())["parameters"].max()  # type: ignore[attr-defined]
        return costs

    assert benchmark.pedantic(everything, rounds=2) == 49_979_274
    benchmark.extra_info["configurations"] = 423_624
