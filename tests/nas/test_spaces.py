"""Spaces: exact sizes, published costs, and costs that are those of the networks."""

from __future__ import annotations

from collections import Counter
from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.nas.audit import audit
from costmodel.nas.metrics import all_measured
from costmodel.nas.spaces.space import Space
from costmodel.zoo.nasnet import NORMAL, REDUCTION
from costmodel.zoo.spaces.nasbench201 import without_zeros
from costmodel.zoo.spaces.nasnet import skeleton


SMALL = {
    "nasbench101": {"vertices": 5}, "nasbench201": {"dataset": "imagenet16"},
    "nats_size": {"widths": (8, 12, 16)},
    "nasnet": {"blocks": 2, "operations": ("identity", "conv_3x3", "max_pool_3x3"),
               "filters": 8, "repeats": 1, "cells": 1},
    "mobile": {"gates": (0, 4), "widths": ("3/4", 1), "per": "block",
               "resolution": 63},
    "regnet": {},
    "mobilenet_v2": {"width": ["1/2", 1], "resolution": [96, 128]},
    "resnet18": {"repeats": ([1, 2], [2], [2], [2, 3])},
}  # fmt: skip


@cache
def small(name: str) -> Space:
    return cm.space(name, **SMALL[name])


names = st.sampled_from(sorted(SMALL))


@given(names, st.integers(0, 2**32))
@settings(max_examples=60)
def test_costs_of_points_are_those_of_their_networks(name: str, seed: int) -> None:
    space = small(name)
    point = space.sample(seed)
    metrics = ("macs", "parameters", "activations", "flops:fvcore", "bytes_read")
    expected = all_measured(space.network(point), metrics)
    assert space.cost(point, metrics) == expected
    table = space.costs([point, point], metrics)
    assert tuple(int(table[metric][1]) for metric in metrics) == expected


@given(names, st.integers(0, 2**32), st.integers(0, 2**32))
def test_points_travel_through_text_and_have_neighbours(
    name: str, seed: int, other: int
) -> None:
    space = small(name)
    point = space.sample(seed)
    assert space.sample(seed) == point
    assert space.key(space.point(space.text(point)), "graph") == space.key(
        point, "graph"
    )
    near = space.neighbours(point)
    assert len(set(near)) == len(near)
    assert near
    assert all(space.checked(one) == one != point for one in near)
    child = space.crossover(point, space.sample(other), seed)
    assert space.checked(child) == child
    for level in ("encoding", "graph", "function"):
        if space.key(point, level) == space.key(near[0], level):
            assert level != "encoding"


@pytest.mark.parametrize("name", ["nasbench101", "nats_size", "mobilenet_v2", "nasnet"])
def test_a_size_is_the_number_of_points_that_are_listed(name: str) -> None:
    space = small(name)
    for level in ("encoding", "graph", "function"):
        points = list(space.enumerate(level))
        assert len(points) == space.size(level)
        assert len({space.key(point, level) for point in points}) == len(points)
        if level == "encoding":
            random = Random(0)  # noqa: S311
            assert {space.sample(random) for _ in range(50)} <= set(points)


def test_nasbench101_has_the_published_figures() -> None:
    """Cells of google-research/nasbench, NASBench.ipynb and its known extremes."""
    space = cm.space("nasbench101")
    assert space.size("graph") == 423_624
    assert space.size("encoding") == 1_293_208
    inception = space.point(
        "conv1x1,conv3x3,conv3x3,conv3x3,maxpool3x3:01,02,03,05,16,26,34,46,56"
    )
    assert space.cost(inception, ("parameters", "macs")) == (2_694_282, 402_002_944)
    assert cm.cost(space.network(inception)).parameters == 2_694_282
    points = space.array()
    costs = space.costs(points)["parameters"]
    assert (len(costs), costs.max(), costs.min()) == (423_624, 49_979_274, 227_274)
    assert space.cost((2, 1, 0), ("parameters",)) == (882_570,)


CELLS = {
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
    "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": (
        (129_306, "15.64737"), (135_156, "15.65322"), (136_456, "3.91948"),
    ),
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+"
    "|none~0|nor_conv_3x3~1|avg_pool_3x3~2|": (
        (802_426, "113.95137"), (808_276, "113.95722"), (809_576, "28.49548"),
    ),
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+"
    "|nor_conv_1x1~0|skip_connect~1|none~2|": (
        (101_306, "11.71521"), (107_156, "11.72106"), (108_456, "2.93644"),
    ),
}  # fmt: skip
"""Records 0, 11 and 284 of NATS-Bench's release: parameters, MACs in millions."""


@pytest.mark.parametrize("place", range(3))
def test_nasbench201_has_the_published_costs(place: int) -> None:
    """They count, besides multiply-accumulates, the classifier's biases."""
    dataset = ("cifar10", "cifar100", "imagenet16")[place]
    space = cm.space("nasbench201", dataset=dataset)
    classes = (10, 100, 120)[place]
    for text, rows in CELLS.items():
        parameters, macs = rows[place]
        found = space.cost(space.point(text), ("parameters", "macs"))
        assert found[0] == parameters
        assert f"{(found[1] + classes) / 1e6:.5f}" == macs


def test_nasbench201_is_a_plane_of_two_counts() -> None:
    space = cm.space("nasbench201")
    points = np.array(list(space.enumerate()))
    costs = space.costs(points)
    one, three = (points == 2).sum(axis=1), (points == 3).sum(axis=1)
    law = 73_306 + 28_000 * one + 243_040 * three
    assert (costs["parameters"] == law).all()
    table = 7_783_050 - 10 + 3_932_160 * one + 35_389_440 * three
    assert (costs["macs"] == table).all()
    assert len(Counter(zip(law.tolist(), table.tolist()))) == 28


def test_nasbench201_has_the_published_classes_and_finer_ones() -> None:
    space = cm.space("nasbench201")
    points = list(space.enumerate("encoding"))
    published = Counter(without_zeros(point) for point in points)
    sizes = [space.size(level) for level in ("encoding", "graph", "function")]
    assert sizes == [15_625, 12_751, 5_260]
    assert len(published) == 6_466
    live = {(without_zeros(p), space.key(p, "function")) for p in points}
    mixed = Counter(key for key, _ in live)
    assert sum(count > 1 for count in mixed.values()) == 436
    # The published key takes one convolution that is used twice for two of them.
    counts: dict[str, set[int]] = {}
    for key, form in live:
        counts.setdefault(key, set()).add(form.count("nor_conv"))
    assert all((len(counts[key]) > 1) == (count > 1) for key, count in mixed.items())


@pytest.mark.parametrize(
    ("channels", "parameters", "macs"),
    [("8:8:8:8:8", 11_714, "4.481114"), ("8:8:8:16:32", 49_202, "6.840650"),
     ("8:8:8:16:40", 67_378, "7.991706")],
)  # fmt: skip
def test_the_size_space_has_the_published_costs(
    channels: str, parameters: int, macs: str
) -> None:
    space = cm.space("nats_size")
    assert space.size() == 32_768
    found = space.cost(space.point(channels), ("parameters", "macs"))
    assert found[0] == parameters
    assert f"{(found[1] + 10) / 1e6:.6f}" == macs


def test_cell_spaces_have_the_sizes_that_papers_count() -> None:
    """DARTS, arXiv:1806.09055; PNAS, arXiv:1712.00559; Once-for-All, 1908.09791."""
    darts = ("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3",
             "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")  # fmt: skip
    one = cm.space("nasnet", blocks=4, operations=darts, cells=1, distinct=True)
    assert one.size() == 1_037_664_180
    both = cm.space("nasnet", blocks=4, operations=darts, distinct=True)
    assert both.size() == 1_037_664_180**2
    pnas = ("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "conv_1x7_7x1", "identity",
            "avg_pool_3x3", "max_pool_3x3", "dil_conv_3x3")  # fmt: skip
    assert cm.space("nasnet", blocks=1, operations=pnas, cells=1).size() == 136
    assert cm.space("mobile", per="block").size("graph") == (9**2 + 9**3 + 9**4) ** 5


def test_known_errors_of_a_published_table_are_found() -> None:
    """NATS-Bench's issue 36, and AutoDL-Projects' 134: means over different cells."""
    space = cm.space("nasbench201")
    first, second, right = (
        space.text(point)
        for point in ((3, 3, 4, 0, 3, 4), (1, 3, 0, 0, 3, 1), (0,) * 6)
    )
    table = {first: "0.6403993", second: "0.478373", right: "0.073306"}
    found = audit(space, table, "parameters", 10**6)
    assert [(one.text, one.computed) for one in found] == [
        (first, 802_426), (second, 559_386),
    ]  # fmt: skip
    assert (802_426, 559_386, 559_386) in found[0].means
    assert found[1].means == ((559_386, 559_386, 316_346),)


def test_the_skeleton_of_cells_is_nasnets_own() -> None:
    found = cm.cost(skeleton(NORMAL, REDUCTION, 32, 6, 32))
    nasnet = cm.cost(cm.load("nasnet_a_cifar", batch=1, resolution=32))
    assert (found.macs, found.parameters) == (nasnet.macs, nasnet.parameters)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cm.space("nasbench202"), "did you mean nasbench201"),
        (lambda: cm.space("nasbench201", data="cifar10"), 'unknown option "data"'),
        (lambda: cm.space("nasbench201", dataset="svhn"), 'unknown dataset "svhn"'),
        (lambda: cm.space("nasbench101", vertices=9), "allowed are 2 to 8"),
        (lambda: cm.space("nasbench101", operations=("conv2x2",)), "unknown operation"),
        (lambda: cm.space("nasnet", operations=("foo",)), 'unknown operation "foo"'),
        (lambda: cm.space("nasbench201", cells=-1), "cells = -1; allowed are"),
        (lambda: cm.space("nasbench201", channels=10**7), "allowed are whole numbers"),
        (lambda: cm.space("mobile", depths=[0]), r"depths = \[0\]; allowed are"),
        (lambda: cm.space("mobile", widths=[-5]), "not all positive"),
        (lambda: cm.space("mobile", kernels=[]), "kernels has no value to choose"),
        (lambda: cm.space("mobile", kernels=3), "kernels = 3; give a list of values"),
        (lambda: cm.space("nats_size", widths=8), "widths = 8; give a list of values"),
        (lambda: cm.space("nasnet", operations="conv_3x3"), "give a list of values"),
        (lambda: cm.space("nasbench101", operations="conv3x3"), "give a list of"),
        (lambda: cm.space("resnet18", width=[0.5, "1/2"]), "width has a value twice"),
        (lambda: cm.space("resnet18", width=[1, 1.0]), "width has a value twice"),
        (lambda: cm.space("regnet", blocks="many"), "blocks"),
        (lambda: cm.space("nasnet", repeats=-1), "repeats = -1"),
        (lambda: cm.space("nats_size", widths=[0]), "widths = "),
        (lambda: cm.space("resnet18"), "no option has a list"),
        (lambda: cm.space("resnet18", width=[]), "no value to choose"),
        (lambda: cm.space("resnet18", wide=[1]), 'unknown option "wide"'),
        (lambda: small("nasbench201").network((0, 0)), "is not 6 numbers"),
        (lambda: small("nasbench201").network((0, 0, 0, 0, 0, 5)), "number 5"),
        (lambda: small("nasbench201").text((0.0,) * 6), "is not 6 numbers"),
        (lambda: small("nasbench201").costs([(0,)]), "is not 6 numbers"),
        (lambda: small("nasbench201").point("|none~0|"), "is no cell"),
        (lambda: small("nasbench201").point(None), "None is no text of a network"),
        (lambda: small("mobile").sample(-1), "seed -1 is no whole number from 0"),
        (lambda: small("nasbench101").sample(1.5), "seed 1.5 is no whole number"),
        (lambda: small("nasbench101").point("conv3x3:01"), "does not reach"),
        (lambda: small("nasbench101").network((4, 1, 0)), "is no cell"),
        (lambda: small("nats_size").point("8:8:8:8:9"), "allowed are 8, 12, 16"),
        (lambda: small("nats_size").size("levels"), "unknown level"),
        (lambda: next(cm.space("mobile").enumerate()), "too many to list"),
        (lambda: small("nasbench201").costs([(0,) * 6], ["mac"]), "unknown metric"),
    ],
)  # fmt: skip
def test_what_is_no_space_or_point_is_said(call: object, message: str) -> None:
    with pytest.raises(cm.CostModelError, match=message):
        call()  # type: ignore[operator]
