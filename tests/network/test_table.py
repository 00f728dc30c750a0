"""The outline folds a network as its paper prints it, and loses no node."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Dim
from costmodel.network.build import add, conv, image, network, relu, scope
from costmodel.network.graph import Network
from costmodel.network.table import outline, summary, table
from costmodel.testing import networks


def check(net: Network, depth: int) -> None:
    """Every node is in one repetition of one block, in the network's order."""
    blocks = outline(net, depth)
    repeats = [repeat for block in blocks for repeat in block.repeats]
    assert net.nodes == tuple(chain.from_iterable(repeats))
    for block in blocks:
        first = [node.operator for node in block.nodes]
        for repeat in block.repeats:
            assert first == [node.operator for node in repeat]
        assert block.output == block.repeats[-1][-1].output
        assert block.count == len(block.repeats)


@given(networks(), st.integers(0, 3))
def test_folding_a_drawn_network_loses_no_node(net: Network, depth: int) -> None:
    check(net, depth)


@pytest.mark.parametrize("name", cm.architectures())
def test_folding_an_architecture_loses_no_node(name: str) -> None:
    for depth in range(4):
        check(cm.load(name), depth)


def test_resnet50_folds_into_the_rows_of_its_table() -> None:
    titles = [block.title for block in outline(cm.load("resnet50", resolution=224))]
    expected = ["input", "stem"]
    for stage, repeats in enumerate((3, 4, 6, 3), start=1):
        # The first block projects, so it stands alone; the others are alike.
        expected += [f"stage{stage}.block1", f"stage{stage}.block2 ×{repeats - 1}"]
    assert [*expected, "head"] == titles


def test_blocks_of_other_wiring_do_not_merge() -> None:
    x = image(8)
    for name, crossed in (("a", False), ("b", True)):
        with scope(name):
            y = conv(x, 8, kernel=3)
            x = add(y, relu(x) if crossed else relu(y))
    assert [block.title for block in outline(network(x))] == ["input", "a", "b"]


def test_equal_blocks_merge_only_where_they_are_neighbours() -> None:
    x = image(8)
    for name in ("a", "b"):
        with scope(name):
            x = conv(x, 8, kernel=3)
    x = relu(x)
    with scope("c"):
        x = conv(x, 8, kernel=3)
    titles = [block.title for block in outline(network(x))]
    assert titles == ["input", "a ×2", "relu1", "c"]


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "vgg16", "mobilenet_v1"])
def test_the_parameters_of_the_table_add_up(name: str) -> None:
    net = cm.load(name, resolution=224)
    lines = table(net).splitlines()
    assert name == lines[0]
    printed: list[Dim] = [int(line.split()[-1]) for line in lines[2:]]
    assert cm.cost(net).parameters == sum(printed)


def test_neighbours_of_one_kind_are_counted() -> None:
    net = network(relu(conv(conv(image(8), 8, 3), 8, 3)))
    assert summary(net.nodes) == ["input 8×H×W", "3×3 conv, 8 ×2", "relu"]
    assert table(net) == str(net)
