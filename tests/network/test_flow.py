"""Where axes come from: laws of every operator's flow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, H, W
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window, sliding
from costmodel.analysis.memory.memory_layout import Layouts
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.network import operators as op
from costmodel.network.axes import extents as extents_of
from costmodel.network.axis_groups import AxisGroup, axis_groups, regrouped
from costmodel.network.flow import (
    AxisFlow,
    Fixed,
    Merged,
    Mixed,
    Padded,
    Part,
    Repeated,
    Same,
    Slid,
    Split,
    Together,
    Turned,
    axes_read,
    elementwise,
)
from costmodel.network.graph import Network
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape
from costmodel.testing import networks
from costmodel.testing.products import product_networks
from costmodel.testing.tensors import tensor_networks
from tests.network.test_operators import CASES, FRACTIONAL, Case


def axes(*sizes: Dim) -> Shape:
    return Shape(sizes[0], tuple(map(Extent, sizes[1:])))


def check(operator: Operator, inputs: tuple[Shape, ...], output: Shape) -> None:
    """Check that each axis has a flow, of its size, and that none is forgotten."""
    flow, sizes = operator.flow(*inputs), extents_of(output)
    assert len(flow.axes) == len(sizes)
    if not flow.is_known:
        return
    for axis, extent in zip(flow.axes, sizes, strict=True):
        found = size_of(axis, inputs)
        assert found in (None, extent), (str(operator), axis)
    wide = {
        (number, axis)
        for number, x in enumerate(inputs)
        for axis, extent in enumerate(extents_of(x), start=1)
        if extent != Extent(1)
    }
    if not isinstance(operator, op.Source):
        assert wide <= axes_read(flow)


def size_of(  # noqa: PLR0911 - a row for each way in which positions are made
    axis: AxisFlow, inputs: tuple[Shape, ...]
) -> Extent | None:
    """Return how many positions a flow gives, where it says so."""
    match axis:
        case Part() | Mixed() if axis.held:
            return None
        case Same() | Turned() | Mixed():
            return extents_of(inputs[axis.operand])[axis.axis - 1]
        case Slid() | Padded():
            assert axis.window
            return extents_of(inputs[axis.operand])[axis.axis - 1].through(axis.window)
        case Together():
            wide = [size_of(x, inputs) for x in axis.sources if isinstance(x, Same)]
            assert len(set(wide)) == 1
            return wide[0]
        case Split() if all(type(n) is int for n in axis.sizes):
            return Extent(axis.sizes[axis.number])
        case Fixed():
            return extents_of(Shape(axis.size))[0]
        case _:
            return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.operator))
def test_a_flow_names_every_axis_and_has_the_outputs_sizes(case: Case) -> None:
    check(case.operator, case.inputs, case.output)


@pytest.mark.parametrize(("operator", "x", "output", "_"), FRACTIONAL)
def test_so_does_that_of_an_operator_of_no_one_window(
    operator: Operator, x: Shape, output: Shape, _: object
) -> None:
    check(operator, (x,), output)


@given(st.one_of(networks(), tensor_networks(), product_networks()))
def test_so_does_that_of_every_node_of_a_network(net: Network) -> None:
    for node in net.nodes:
        check(node.operator, net.shapes_into(node), node.output)


def test_every_operator_has_a_flow() -> None:
    made = {type(case.operator) for case in CASES} | {type(o) for o, *_ in FRACTIONAL}
    assert made | {op.Attention, op.Opaque} == set(op.OPERATORS.values())
    assert not op.Opaque("sort", axes(3)).flow().is_known


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.operator))
def test_windows_are_those_that_the_operator_says(case: Case) -> None:
    """Along the spatial axes a flow's windows are the operator's, if it has any."""
    operator, inputs = case.operator, case.inputs
    if operator.window is None or not inputs:
        return
    along = enumerate(operator.flow(*inputs).axes[1:], start=2)
    for (number, axis), window in zip(along, operator.window, strict=False):
        if isinstance(axis, Same | Slid | Part | Padded) and axis.axis == number:
            found = axis.window
            assert found
            assert (found.size, found.stride, found.before) == (
                window.size,
                window.stride,
                window.before,
            )


def test_operands_are_aligned_at_the_last_axis() -> None:
    first, second, third = elementwise(axes(4, 5, 6), axes(1, 6)).axes
    assert first == Same(1)
    assert second == Together((Same(2), Repeated(1, 1)))
    assert third == Together((Same(3), Same(2, 1)))


def test_a_mask_stands_beside_the_scores() -> None:
    x = axes(12, 9, 4)
    heads, rows, features = op.Attention().flow(x, x, x, axes(1, 1, 9)).axes
    operands = Same(1), Same(1, 1), Same(1, 2)
    assert heads == Together((*operands, Repeated(1, 3)))
    assert rows == Together((Same(2), Repeated(2, 3)))
    assert features == Same(3, 2)
    summed = op.Attention().flow(x, x, x, axes(9, 9)).summed
    assert summed[1] == Together((Same(2, 1), Same(2, 2), Same(2, 3)))


GROUPS = [
    # before, after, the groups of axes
    ((6, H, W), (6, H * W), [((0,), (0,)), ((1, 2), (1,))]),
    ((6, H, W), (2, 3, H, W), [((1,), (2,)), ((2,), (3,)), ((0,), (0, 1))]),
    ((6, 1, 1), (6,), [((0,), (0,))]),
    ((6,), (1, 6, 1), [((0,), (1,))]),
    ((4, 6), (6, 4), [((0, 1), (0, 1))]),
    ((12, 5), (3, 4, 5), [((1,), (2,)), ((0,), (0, 1))]),
    ((1, 5), (1, 5), [((0,), (0,)), ((1,), (1,))]),
    ((H, W, 4), (H * W * 4,), [((0, 1, 2), (0,))]),
]


@pytest.mark.parametrize(("before", "after", "groups"), GROUPS)
def test_axes_of_a_reshape_are_matched(
    before: tuple[Dim, ...], after: tuple[Dim, ...], groups: list[AxisGroup]
) -> None:
    found = list(axis_groups(tuple(map(Extent, before)), tuple(map(Extent, after))))
    assert sorted(groups, key=str) == sorted(found, key=str)


SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(SIZES, st.data())
def test_groups_hold_the_same_elements(sizes: list[int], data: st.DataObject) -> None:
    primes = [p for n in sizes for p in factors(n)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(primes)), max_size=3)))
    ends = [0, *cuts, len(primes)]
    after = [prod(primes[a:b]) for a, b in pairwise(ends)]
    groups = list(axis_groups([*map(Extent, sizes)], [*map(Extent, after)]))
    for old, new in groups:
        assert prod(sizes[n] for n in old) == prod(after[n] for n in new)
    named = set(chain.from_iterable(new for _, new in groups))
    assert all(after[n] == 1 for n in range(len(after)) if n not in named)
    flow = regrouped(axes(*sizes), axes(*after))
    assert len(flow.axes) == len(after)


def factors(number: int) -> list[int]:
    for p in (2, 3, 5):
        if number % p == 0:
            return [p, *factors(number // p)]
    return []


def test_pixels_are_shuffled_as_einops_writes_it() -> None:
    channels, rows, columns = op.PixelShuffle(2).flow(axes(12, 5, 7)).axes
    parts = [Split(Same(1), (3, 2, 2), number, 0) for number in range(3)]
    assert channels == parts[0]
    assert rows == Merged((Same(2), parts[1]))
    assert columns == Merged((Same(3), parts[2]))


@dataclass(frozen=True, slots=True)
class Swish(op.Elementwise):
    """A function of each element that no pass knows."""

    kind = "swish"

    def tally(self, output: Shape, *_: Shape) -> Tally:
        """Return an exponential an element."""
        return Tally(exp=output.numel)


@dataclass(frozen=True, slots=True)
class Median(op.Stateless, op.Windowed):
    """A window that no pass knows."""

    kind = "median"

    @property
    def window(self) -> tuple[Window, Window]:
        """Slide by two."""
        return sliding(3, 2, 1), sliding(3, 2, 1)

    def output(self, *inputs: Shape) -> Shape:
        """Return the positions of the window."""
        height, width = (e.through(self.window[0]) for e in inputs[0].spatial)
        return Shape(inputs[0].channels, (height, width))

    def tally(self, output: Shape, *_: Shape) -> Tally:
        """Return a comparison a tap."""
        return Tally(compare=9 * output.numel)


def test_operators_from_elsewhere_are_followed_by_their_bases() -> None:
    net = Network.assemble([
        ("input", op.Input(axes(3, 9, 9)), ()),
        ("conv", op.Conv(8, (3, 3), padding=(1, 1)), ("input",)),
        ("swish", Swish(), ("conv",)),
        ("median", Median(), ("swish",)),
        ("turned", op.Permute((2, 3, 1)), ("median",)),
        ("swished", Swish(), ("turned",)),
        ("mean", op.Reduce("mean", (1, 2)), ("swished",)),
    ], batch=1)  # fmt: skip
    field = cm.receptive_field(net).of("median")
    assert (field.size, field.stride) == ((5, 5), (2, 2))
    assert support(net, "median", (2, 2)).any(axis=0).sum() == 25
    assert str(cm.widen(net, 2)["median"].output) == "8×5×5"
    layers = [(n.name, n.operator, n.inputs) for n in net.nodes]
    headed = Network.assemble([*layers, ("head", op.Linear(5), ("mean",))])
    assert str(cm.widen(headed, 2)["median"].output) == "16×5×5"
    layouts = Layouts(net)
    copied = [layouts.place(node) for node in net.nodes]
    assert not any(copied)
    assert layouts.strides["swished"] == (200, 5, 1, 25)
