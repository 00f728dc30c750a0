"""Baselines, totals and fits by class: laws, and PyTorch's own formula."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import N
from costmodel.errors import CostModelError
from costmodel.network.build import conv, image, network
from costmodel.network.graph import Network
from costmodel.runtime.kernels import kernels
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate.baselines import (
    BASELINES,
    DATASHEETS,
    ELSEWHERE,
    Case,
    Datasheet,
    Roofline,
)
from costmodel.runtime.validate.class_regression import ByClass
from costmodel.runtime.validate.features import Totals, totals
from costmodel.testing import input_sizes, networks
from tests.drawn import bound_networks


GPU = Setting(device="cuda", dtype="float16", lanes=8)
FEWER = settings(max_examples=max(10, settings().max_examples // 4))


@FEWER
@given(net=bound_networks(), setting=st.sampled_from([Setting(), GPU]))
def test_totals_are_those_of_the_costs_and_of_the_kernels(
    net: Network, setting: Setting
) -> None:
    found, width = totals(net, setting), setting.element_bytes
    cost = cm.cost(net, bytes_per_element=width)
    assert found.macs == cost.macs
    assert found.parameters == cost.parameters
    assert found.activations == cost.activations
    both = found.activation_bytes + found.weight_bytes
    assert both == cost.bytes_read + cost.bytes_written
    assert sum(step.count for step in found.steps) == found.operators
    assert sum(step.count * step.macs for step in found.steps) == found.macs
    assert sum(step.count * step.moved_bytes for step in found.steps) == both
    ran = kernels(net, setting)
    classes = found.classes.values()
    assert sum(terms[0] for terms in classes) == sum(k.work for k in ran)
    assert sum(terms[3] for terms in classes) == len(ran)


@FEWER
@given(net=networks(), batch=st.integers(2, 9), data=st.data())
def test_a_batch_is_so_many_samples_and_the_weights_once(
    net: Network, batch: int, data: st.DataObject
) -> None:
    height, width = data.draw(input_sizes(net))
    one, many = (
        totals(net.bind({"H": height, "W": width, N: n}), GPU, {"gpu": 50.0}, mixed=())
        for n in (1, batch)
    )
    made = one.batch(batch)
    assert replace(many, steps=()) == made
    assert Totals.from_json(one.to_json()) == replace(one, steps=())


def test_totals_need_numbers() -> None:
    net = network(conv(image(), 8, kernel=3))
    with pytest.raises(CostModelError, match="totals of network: H, N, W has no"):
        totals(net, Setting())


def case(name: str, seconds: float = 1.0, **more: Any) -> Case:
    """Return a registered network as if it had been timed."""
    net = cm.load(name, resolution=64, batch=2)
    return Case(name, name[:6], 2, totals(net, GPU), seconds, **more)


NETS = ["resnet18", "resnet50", "mobilenet_v2", "vgg11", "squeezenet1_1", "densenet121",
        "efficientnet_b0", "mobilenet_v3_small", "resnext50_32x4d"]  # fmt: skip
CASES = [case(name) for name in NETS]


@pytest.mark.parametrize("way", BASELINES, ids=lambda way: way.name)
def test_what_is_a_sum_of_features_is_found(way: Any) -> None:
    width = len(way.features(CASES[0]))
    theta = np.geomspace(1e-12, 1e-9, width)
    timed = [replace(c, seconds=float(np.array(way.features(c)) @ theta))
             for c in CASES]  # fmt: skip
    model = way.fit(timed)
    assert [model(c) for c in timed] == pytest.approx([c.seconds for c in timed], 1e-4)


def test_pytorchs_formula_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    estimation = pytest.importorskip("torch.utils._runtime_estimation")
    sheet = Datasheet(10e12, 500e9)
    monkeypatch.setattr(estimation, "get_device_tflops", lambda _dtype: 10.0)
    monkeypatch.setattr(estimation, "get_gpu_dram_gbps", lambda: 500.0)
    x, w = torch.empty(2, 16, 20, 20, device="meta"), torch.empty(32, 16, 3, 3)
    y = torch.nn.functional.conv2d(x, w.to("meta"))
    args = (x, w, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    packet = torch.ops.aten.convolution
    compute = estimation.get_compute_time(packet, args, {}, y, {torch.float32})
    transfer = estimation.get_transfer_time([x, w], [y])
    net = network(conv(image(16, 20, 20), 32, kernel=3, padding=0, bias=False), batch=2)
    timed = Case("conv", "conv", 2, totals(net, Setting()), 1.0)
    ours = Roofline("PyTorch's", sheet).fit([])(timed)
    assert ours == pytest.approx(max(compute, transfer) * 1e-9)


def test_roofs_of_a_table_are_the_sum_over_operators_without_weights() -> None:
    sheet = DATASHEETS["rtx3090"]
    net = cm.load("resnet50", resolution=224, batch=1)
    one = totals(net, GPU, {"rtx3090": sheet.ridge})
    large = Case("resnet50", "resnet", 4096, one.batch(4096), 1.0)
    table = Roofline("", sheet, "rtx3090").fit([])(large)
    steps = totals(cm.load("resnet50", resolution=224, batch=4096), GPU)
    whole = Roofline("", sheet).fit([])(replace(large, totals=steps))
    assert table == pytest.approx(whole, rel=1e-3)
    assert table <= whole


def test_a_factor_makes_the_formula_fit() -> None:
    way = Roofline("", DATASHEETS["rtx3090"])
    timed = [replace(c, seconds=3 * way.seconds(c)) for c in CASES]
    model = replace(way, is_scaled=True).fit(timed)
    assert [model(c) for c in timed] == pytest.approx([c.seconds for c in timed])


def test_another_device_is_scaled_and_has_to_be_there() -> None:
    timed = [replace(c, seconds=2.0 * (i + 1), elsewhere=float(i + 1))
             for i, c in enumerate(CASES)]  # fmt: skip
    model = ELSEWHERE.fit(timed)
    assert [model(c) for c in timed] == pytest.approx([c.seconds for c in timed])
    with pytest.raises(CostModelError, match="resnet18: not measured on the other"):
        model(CASES[0])


def bandwidth(timed: Case) -> float:
    """Return the time of a device that only moves bytes."""
    return sum(terms[1] for terms in timed.totals.classes.values()) / 1e12


def test_a_class_that_nothing_else_has_runs_at_its_groups_rate() -> None:
    timed = [replace(c, seconds=bandwidth(c)) for c in CASES]
    seen = [c for c in timed if "hardswish" not in c.totals.classes]
    unseen = next(c for c in timed if "hardswish" in c.totals.classes)
    assert "silu" in {kind for c in seen for kind in c.totals.classes}
    assert ByClass().fit(seen)(unseen) == pytest.approx(unseen.seconds, rel=0.02)


def test_what_nothing_else_is_like_is_refused() -> None:
    plain = [replace(c, seconds=bandwidth(c)) for c in CASES if c.name == "vgg11"]
    model = ByClass().fit(plain)
    deep = next(c for c in CASES if c.name == "mobilenet_v2")
    with pytest.raises(CostModelError, match=r"anything like depthwise_conv \(work\)"):
        model(deep)
    with pytest.raises(CostModelError, match="there is nothing to be fitted to"):
        ByClass().fit([])


def test_a_fit_by_class_is_of_any_unit_and_order() -> None:
    rng = np.random.default_rng(3)
    timed = [replace(c, seconds=bandwidth(c) * rng.lognormal(0, 0.1)) for c in CASES]
    once = ByClass().fit(timed)
    slow = ByClass().fit([replace(c, seconds=8 * c.seconds) for c in timed[::-1]])
    assert [slow(c) for c in timed] == pytest.approx([8 * once(c) for c in timed], 1e-4)
