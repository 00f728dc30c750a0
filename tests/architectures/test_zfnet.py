"""ZFNet is Figure 3, by its printed sizes; paddings and rounding follow from them."""

from __future__ import annotations

import pytest
import sympy

import costmodel as cm
from costmodel.errors import CostModelError
from costmodel.network.build import conv, image, max_pool, network


PRINTED = {"layer1": (96, 110), "max_pool1": (96, 55), "layer2": (256, 26),
           "max_pool2": (256, 13), "layer3": (384, 13), "layer4": (384, 13),
           "layer5": (256, 13), "max_pool3": (256, 6)}  # fmt: skip


def test_every_layer_has_the_size_that_figure_3_prints() -> None:
    net = cm.load("zfnet", resolution=224)
    sizes = {node.name: tuple(node.output.sizes) for node in net.nodes}
    expected = {name: (maps, side, side) for name, (maps, side) in PRINTED.items()}
    assert expected == {name: sizes[name] for name in PRINTED}
    assert [sizes[name] for name in ("layer6", "layer7", "output")] == [
        (4096,), (4096,), (1000,),
    ]  # fmt: skip


@pytest.mark.parametrize(("padding", "ceil_mode"), [(0, True), (1, False), (2, True)])
def test_no_other_padding_or_rounding_gives_them(
    padding: int, *, ceil_mode: bool
) -> None:
    x = conv(image(3, 224, 224), 96, kernel=7, stride=2, padding=padding)
    x = max_pool(x, kernel=3, stride=2, ceil_mode=ceil_mode)
    sides = [node.output.sizes[1] for node in network(x).nodes]
    assert sides != [224, 110, 55]


def test_layer_1_sees_more_finely_than_alexnets_and_costs_more() -> None:
    zfnet = cm.cost(cm.load("zfnet", resolution=224, batch=1))
    alexnet = cm.cost(cm.load("alexnet", resolution=227, batch=1, towers=1))
    # 96 maps each: 7·7·3 taps at 110², 11·11·3 at 55².
    assert zfnet.of("layer1").macs == 96 * 147 * 110**2
    assert alexnet.of("conv1").macs == 96 * 363 * 55**2
    # Everything behind is the same, but for the stride and padding of layer 2.
    assert zfnet.parameters - alexnet.parameters == 96 * (147 - 363)


def test_width_may_stay_a_symbol() -> None:
    symbolic = cm.cost(cm.load("zfnet", width=cm.alpha, resolution=224, batch=1))
    for width in ("1/2", "3/2"):
        cost = cm.cost(cm.load("zfnet", width=width, resolution=224, batch=1))
        at = {cm.alpha: sympy.Rational(width)}
        assert cost.parameters == symbolic.parameters.subs(at)
        assert cost.macs == symbolic.macs.subs(at)


def test_a_wrong_number_of_widths_is_an_error() -> None:
    with pytest.raises(CostModelError, match="channels = '96,256'; give 5 numbers"):
        cm.load("zfnet", channels="96,256")
