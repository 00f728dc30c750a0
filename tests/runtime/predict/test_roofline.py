"""Layers under the roofline: what bounds them, and from which batch on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import H, N, W
from costmodel.network.graph import Network
from costmodel.runtime.predict.roofline import BOUNDS, explain
from costmodel.runtime.setting import Setting
from tests.drawn import bound_networks
from tests.runtime.devices import made_up, truth


DEVICE = made_up()
AT = {H: 224, W: 224}


@given(bound_networks(), st.sampled_from(["eager", "folded", "compile"]))
def test_a_layer_is_bound_by_what_takes_longest(net: Network, mode: str) -> None:
    roofline = explain(net, made_up(setting=Setting(mode=mode)))
    for layer in roofline.layers:
        parts = {name: getattr(layer, name) for name in BOUNDS}
        assert parts[layer.bound] == max(parts.values())
        assert layer.seconds == max(layer.compute, layer.memory) + layer.call
        is_above = layer.arithmetic_intensity > roofline.ridge_point
        assert is_above == (layer.compute > layer.memory)


@given(bound_networks())
def test_the_layers_bounds_add_up_to_the_networks(net: Network) -> None:
    roofline = explain(net, DEVICE)
    assert sum(roofline.by_bound().values()) == roofline.seconds


@given(bound_networks())
def test_layers_work_and_move_what_the_network_does(net: Network) -> None:
    layers, tally = explain(net, DEVICE).layers, cm.cost(net).tally
    asked = {name for layer in layers for name in layer.nodes}
    rows = [row for row in cm.cost(net).rows if row.name in asked]
    flops = sum(layer.flops for layer in layers)
    every = ("add", "mul", "div", "exp", "compare")
    assert flops == sum(
        2 * row.tally.mac + sum(getattr(row.tally, kind) for kind in every)
        for row in rows
    )
    assert flops >= 2 * tally.mac


def test_the_ridge_point_is_where_the_roofline_bends() -> None:
    assert explain(cm.load("resnet18"), DEVICE).ridge_point == 5


@pytest.mark.parametrize("name", ["head.linear2", "stage5.conv3", "head.linear3"])
def test_a_layer_flips_at_the_batch_at_which_its_intensity_is_the_ridge_points(
    name: str,
) -> None:
    net = cm.load("vgg16")
    low, high = explain(net, DEVICE)[name].regions(N, at=AT)
    assert (low.part, high.part, low.high) == ("memory", "compute", high.low)
    for batch in {max(1, sympy.floor(low.high)), sympy.floor(low.high) + 1}:
        there = explain(net.bind(N=batch, H=224, W=224), DEVICE)
        layer = there[name]
        expected = "memory" if batch <= low.high else "compute"
        assert expected == max(["compute", "memory"], key=lambda x: getattr(layer, x))
        is_below = layer.arithmetic_intensity <= there.ridge_point
        assert is_below == (expected == "memory")


def test_pointwise_layers_are_bound_by_memory_at_every_batch() -> None:
    roofline = explain(cm.load("resnet18"), DEVICE)
    layer = next(x for x in roofline.layers if x.kinds == ("relu",))
    (region,) = layer.regions(N, at=AT)
    assert (region.low, region.high, region.part) == (0, sympy.oo, "memory")


def test_a_call_costs_what_its_class_costs() -> None:
    net = cm.load("mobilenet_v1", batch=1, resolution=32)
    layer = next(x for x in explain(net, DEVICE).layers if x.kinds == ("batch_norm",))
    call = truth("batch_norm")[3] * DEVICE.overhead
    assert float(layer.call) == pytest.approx(call, rel=1e-12)


def test_what_runs_in_each_others_place_is_one_layer_that_is_called_once() -> None:
    net = cm.load("resnet18")
    symbolic = explain(net, DEVICE)
    numbers = {N: 1, H: 224, W: 224}
    known = explain(net.bind(numbers), DEVICE)
    assert [layer.nodes for layer in known.layers] == [x.nodes for x in symbolic.layers]
    for one, other in zip(symbolic.layers, known.layers):
        for part in BOUNDS:
            value = sympy.sympify(getattr(one, part)).subs(numbers)
            assert value == getattr(other, part)


def test_what_cannot_be_explained_is_said() -> None:
    net = cm.load("lenet5", batch=1)
    flat = replace(DEVICE, peak_flop_per_s=0.0)
    with pytest.raises(cm.CostModelError, match="it has no peak rates, so no roofline"):
        explain(net, flat)
    with pytest.raises(cm.CostModelError, match='no kernel runs "input"'):
        explain(net, DEVICE)["input"]
    with pytest.raises(cm.CostModelError, match="its bound is in symbols; bind them"):
        explain(cm.load("resnet18"), DEVICE).by_bound()
    with pytest.raises(cm.CostModelError, match="does not depend on N"):
        explain(cm.load("resnet18", batch=1), DEVICE).layers[0].regions(N, at=AT)
