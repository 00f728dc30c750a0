"""A million configurations through one formula, beside one count by fvcore each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import costmodel as cm
from costmodel.bridge import oracles


CONFIGURATIONS = 10**6

pytestmark = pytest.mark.benchmark(group="configurations of mobilenet_v2")


def test_a_million_configurations_of_the_formula(benchmark: Any) -> None:
    macs = cm.cost(cm.load("mobilenet_v2", width=cm.alpha)).macs
    function = cm.lambdify(macs, (cm.alpha, cm.H, cm.W, cm.N))
    random = np.random.default_rng(0)
    alpha = random.integers(1, 8, CONFIGURATIONS) / 4
    side = random.integers(32, 512, CONFIGURATIONS)
    batch = random.integers(1, 256, CONFIGURATIONS)
    result = benchmark.pedantic(function, (alpha, side, side, batch), rounds=3)
    assert result.shape == (CONFIGURATIONS,)
    benchmark.extra_info["configurations"] = CONFIGURATIONS


def test_one_configuration_by_fvcore(benchmark: Any) -> None:
    module = cm.compile(cm.load("mobilenet_v2", resolution=224)).eval()
    assert benchmark.pedantic(oracles.fvcore_macs, (module, (1, 3, 224, 224)), rounds=5)
    benchmark.extra_info["configurations"] = 1
