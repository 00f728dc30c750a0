"""Networks of searched cells: the released shapes, edges, weights and counts."""

from __future__ import annotations

from typing import Any

import pytest
import sympy
import torch
from torch import nn

import costmodel as cm
from costmodel.network.build import image, network
from costmodel.network.graph import Network
from costmodel.network.registry import architectures, find
from costmodel.network.registry.printed_figures import Published
from costmodel.zoo.nasnet import nasnet
from tests.zoo import timm


FAMILIES = ("nasnet", "pnasnet", "amoebanet", "darts")
NAMES = [name for name, a in architectures().items() if a.family in FAMILIES]


def ends(net: Network) -> dict[str, tuple[int, ...]]:
    """Return what each cell hands on, by the cell's scope."""
    return {
        node.scope[0]: node.output.sizes
        for node in net.nodes
        if len(node.scope) == 1 and node.operator.kind == "concat"
    }


def cells(count: int, *sizes: tuple[int, int]) -> dict[str, tuple[int, int, int]]:
    """Return the shapes of so many normal cells for each (channels, side)."""
    return {
        f"cell_{stage * count + number}": (channels, side, side)
        for stage, (channels, side) in enumerate(sizes)
        for number in range(count)
    }


# Read in the release's own tests (TF-slim, nasnet_test.py and pnasnet_test.py).
RELEASED = {
    "nasnet_a_mobile": {
        "cell_stem_1": (88, 28, 28),
        "reduction_cell_0": (352, 14, 14),
        "reduction_cell_1": (704, 7, 7),
    } | cells(4, (264, 28), (528, 14), (1056, 7)),
    "nasnet_a_large": {
        "cell_stem_1": (336, 42, 42),
        "reduction_cell_0": (1344, 21, 21),
        "reduction_cell_1": (2688, 11, 11),
    } | cells(6, (1008, 42), (2016, 21), (4032, 11)),
    "nasnet_a_cifar": {
        "reduction_cell_0": (256, 16, 16),
        "reduction_cell_1": (512, 8, 8),
    } | cells(6, (192, 32), (384, 16), (768, 8)),
    "pnasnet5_mobile": {"cell_stem_1": (135, 28, 28)}
    | cells(3, (270, 28), (540, 14), (1080, 7)),
    "pnasnet5_large": {"cell_stem_1": (540, 42, 42)}
    | cells(4, (1080, 42), (2160, 21), (4320, 11)),
}  # fmt: skip


@pytest.mark.parametrize("name", RELEASED)
def test_cells_have_the_released_shapes(name: str) -> None:
    shapes = ends(cm.load(name, resolution=find(name).resolution))
    shapes.pop("cell_stem_0", None)  # which the release does not check
    assert RELEASED[name] == shapes


def reads(net: Network) -> dict[str, set[str]]:
    """Return which earlier scopes each scope reads, off the networkx graph."""
    found: dict[str, set[str]] = {}
    for source, target in net.graph.edges:
        before, after = (name.split(".")[0] for name in (source, target))
        if before != after:
            found.setdefault(after, set()).add(before)
    return found


def chain(*names: str) -> dict[str, set[str]]:
    """Return that each but the first two reads the two before it."""
    return {
        name: {last, before} for before, last, name in zip(names, names[1:], names[2:])
    }


MOBILE = ["cell_stem_1", *(f"cell_{n}" for n in range(4)), "reduction_cell_0",
          *(f"cell_{n}" for n in range(4, 8)), "reduction_cell_1",
          *(f"cell_{n}" for n in range(8, 12))]  # fmt: skip
LARGE = ["cell_stem_1", *(f"cell_{n}" for n in range(6)), "reduction_cell_0",
         *(f"cell_{n}" for n in range(6, 12)), "reduction_cell_1",
         *(f"cell_{n}" for n in range(12, 18))]  # fmt: skip
STEM = {"conv0": {"input"}, "cell_stem_0": {"conv0"}}


def test_every_cell_of_the_mobile_network_reads_the_two_before_it() -> None:
    expected = STEM | chain("conv0", "cell_stem_0", *MOBILE) | {"head": {"cell_11"}}
    assert expected == reads(cm.load("nasnet_a_mobile"))


def test_in_the_large_network_a_cell_behind_a_reduction_reads_further_back() -> None:
    expected = STEM | chain("conv0", "cell_stem_0", *LARGE) | {
        "cell_6": {"reduction_cell_0", "cell_4"},  # not cell_5
        "cell_12": {"reduction_cell_1", "cell_10"},
        "head": {"cell_17"},
    }  # fmt: skip
    assert expected == reads(cm.load("nasnet_a_large"))


def test_cifars_first_cell_reads_the_stem_alone() -> None:
    edges = reads(cm.load("nasnet_a_cifar"))
    assert (edges["cell_0"], edges["cell_1"]) == ({"conv0"}, {"cell_0", "conv0"})
    # It stacks the stem's 96 channels too, brought to 32 without ReLU.
    net = cm.load("nasnet_a_cifar")
    operators = [str(n.operator) for n in net.nodes if n.scope == ("cell_0", "state1")]
    assert operators == ["1×1 conv, 32", "batch norm"]


def test_where_a_cell_reads_changes_no_count() -> None:
    near, far = (
        cm.cost(network(*nasnet(image(), stem=96, covered=6, skips=skips)))
        for skips in (False, True)
    )
    assert (near.parameters, near.macs) == (far.parameters, far.macs)


def test_with_timms_weights_the_outputs_are_timms() -> None:
    timm()
    from timm.models.nasnet import NASNetALarge

    torch.manual_seed(0)
    # Without pad_type it pads both ends, as ours does and TensorFlow does not.
    theirs = NASNetALarge(7, stem_size=12, num_features=24 * 16, pad_type="").eval()
    values = nasnet(image(), stem=12, covered=6, skips=True, filters=16, classes=7)
    ours = cm.compile(network(*values))
    x = torch.randn(2, 3, 45, 68)
    layers = used(theirs, x)
    # Its second stem cell brings the newer input to its width first.
    first = layers.index(theirs.cell_stem_1.conv_1x1.conv)
    halving = layers[first + 2 : first + 5]
    layers[first : first + 5] = [*halving, *layers[first : first + 2]]
    for mine, other in zip(used(ours, x), layers, strict=True):
        if isinstance(other, nn.BatchNorm2d):
            other.running_mean.uniform_(-1, 1)
            mine.eps = other.eps
        mine.load_state_dict(other.state_dict())
    with torch.no_grad():
        outputs = ours(x), theirs(x)
    assert outputs[1].std() > 1e-3
    torch.testing.assert_close(*outputs)


def used(module: nn.Module, x: torch.Tensor) -> list[Any]:
    """Return the layers with weights in the order in which they run."""
    order: list[nn.Module] = []
    layers = [m for m in module.modules() if isinstance(m, _WEIGHTED)]
    hooks = [m.register_forward_hook(lambda m, *_: order.append(m)) for m in layers]
    with torch.no_grad():
        module(x)
    for hook in hooks:
        hook.remove()
    return order


_WEIGHTED = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)


@pytest.mark.parametrize("name", ["nasnet_a_large", "pnasnet5_large", "darts_imagenet"])
def test_the_formula_has_a_term_for_each_size_of_map(name: str) -> None:
    net = cm.load(name)
    terms = sympy.Add.make_args(cm.cost(net).macs)
    sizes = {node.output.spatial for node in net.nodes if node.operator.kind == "conv"}
    assert len(terms) == len(sizes) + 1  # and the classifier
    assert len(sizes) == 5


@pytest.mark.parametrize("name", NAMES)
def test_a_symbolic_width_of_one_is_the_network_itself(name: str) -> None:
    size = find(name).resolution
    ours = cm.cost(
        cm.load(name, width=cm.alpha, resolution=size, batch=1).bind(alpha=1)
    )
    expected = cm.cost(cm.load(name, resolution=size, batch=1))
    assert (expected.parameters, expected.macs) == (ours.parameters, ours.macs)


@pytest.mark.parametrize("name", NAMES)
def test_filters_may_be_a_symbol(name: str) -> None:
    option = "channels" if name.startswith("darts") else "filters"
    count = find(name).options[option].default
    net = cm.load(name, **{option: "F"}, resolution=32, batch=1)
    expected = cm.cost(cm.load(name, resolution=32, batch=1)).parameters
    formula = sympy.sympify(cm.cost(net).parameters)
    assert expected == formula.subs(cm.symbol("F"), count)


@pytest.mark.parametrize(
    "name", ["nasnet_a_mobile", "nasnet_a_large", "nasnet_a_cifar"]
)
def test_the_early_classifier_covers_what_is_left_of_the_map(name: str) -> None:
    size = find(name).resolution
    net = cm.load(name, aux=True, resolution=size, batch=1)
    cover = net["aux.conv2"]
    assert cover.output.sizes == (768, 1, 1)
    assert [net[output].output.sizes for output in net.outputs] == 2 * [
        (find(name).options["classes"].default,)
    ]
    plain, early = cm.cost(cm.load(name, resolution=size, batch=1)), cm.cost(net)
    assert early.parameters - plain.parameters == early.of("aux").parameters


@pytest.mark.parametrize(
    ("printed", "aux", "learned", "statistics"),
    [("88.9M", False, 88_753_150, 196_668), ("93.5M", True, 93_320_934, 198_460)],
)
def test_what_is_printed_of_the_large_network_counts_running_statistics(
    printed: str, *, aux: bool, learned: int, statistics: int
) -> None:
    figure = Published("parameters", printed, (), None, None, "a departure's cause")
    cost = cm.cost(cm.load("nasnet_a_large", aux=aux))
    layers = sum(row.kind == "batch_norm" for row in cost.rows)
    assert learned == cost.parameters
    assert statistics == cost.buffers - layers  # each counts its batches, a scalar
    assert figure.agrees(learned + statistics)
    assert not figure.agrees(learned)


def test_the_largest_amoebanets_operations_are_those_of_a_smaller_image() -> None:
    figure = Published("macs", "104G", (), None, None, "a departure's cause")
    macs = {
        side: cm.cost(
            cm.load("amoebanet_a_large", filters=448, resolution=side, batch=1)
        ).macs
        for side in (299, 331)
    }
    assert macs == {299: 103_887_693_968, 331: 126_520_757_776}
    assert (figure.agrees(macs[299]), figure.agrees(macs[331])) == (True, False)


@pytest.mark.parametrize(
    "name", ["nasnet_a_mobile", "amoebanet_a_cifar", "darts_cifar"]
)
def test_any_size_gives_real_numbers(name: str) -> None:
    torch.manual_seed(0)
    option = "channels" if name.startswith("darts") else "filters"
    module = cm.compile(cm.load(name, cells=3, **{option: 8}, classes=5))
    with torch.no_grad():
        output = module(torch.randn(2, 3, 41, 34))
    assert output.shape == (2, 5)
    assert torch.isfinite(output).all()
    assert not torch.allclose(output[0], output[1])
