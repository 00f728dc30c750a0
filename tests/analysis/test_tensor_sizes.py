"""A network exists exactly where all sizes of its tensors are positive and whole."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import H, W, alpha
from costmodel.testing import networks


def exists(net: cm.Network, **values: object) -> bool:
    try:
        net.bind(**values)
    except cm.CostModelError:
        return False
    return True


def all_whole(net: cm.Network, at: dict[sympy.Symbol, object]) -> bool:
    found = [sympy.sympify(size).subs(at) for size in cm.tensor_sizes(net)]
    return all(size.is_integer and size.is_positive for size in found)


@given(networks(), st.integers(1, 12), st.integers(1, 12))
def test_sizes_are_whole_exactly_where_the_network_exists(
    net: cm.Network, height: int, width: int
) -> None:
    expected = all_whole(net, {H: height, W: width})
    assert expected == exists(net, H=height, W=width)


@pytest.mark.parametrize("name", ["mobilenet_v1", "squeezenet1_0", "googlenet"])
def test_a_width_is_legal_exactly_where_sizes_are_whole(name: str) -> None:
    net = cm.load(name, width=alpha, resolution=224)
    widths = [sympy.Rational(p, 128) for p in range(2, 129, 6)]
    legal = [all_whole(net, {alpha: width}) for width in widths]
    assert legal == [exists(net, alpha=width) for width in widths]
    assert 0 < sum(legal) < len(legal)


def test_each_size_stands_once() -> None:
    sizes = cm.tensor_sizes(cm.load("resnet50"))
    assert len(set(sizes)) == len(sizes)
    assert {3, 64, 2048, 1000, 7} <= set(sizes)
    assert sympy.floor((H + 31) / 32) in sizes
