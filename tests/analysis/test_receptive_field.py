"""Receptive fields: laws over all paths, and the gradients of real modules."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, H, W, alpha
from costmodel.algebra.tally import Tally
from costmodel.algebra.window import Window, sliding
from costmodel.analysis.receptive_field import ReceptiveField, receptive_field
from costmodel.analysis.receptive_field.connectivity import blocks, looked_at, size_of
from costmodel.analysis.receptive_field.exact_support import _dependences, support
from costmodel.analysis.receptive_field.field import Field
from costmodel.analysis.receptive_field.windows import Windows
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import (
    Value,
    add,
    avg_pool,
    concat,
    conv,
    flatten,
    global_average_pool,
    image,
    linear,
    max_pool,
    multiply,
    network,
    pad,
    pad_channels,
    relu,
    select_channels,
    split,
    zeros,
)
from costmodel.network.flow import Flow, Slid, Tiled, Turned, Unknown
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators.base import along
from costmodel.network.shape import Shape
from costmodel.testing import networks
from tests.drawn import bound_networks
from tests.peers.networks import COUNTED, SMALL
from tests.test_imports import check


def window_of(field: Field) -> tuple[tuple[Dim, Dim], ...]:
    """Return size, stride and padding."""
    return field.size, field.stride, field.padding


def test_residual_networks_have_one_law() -> None:
    blocks = sympy.symbols("n1:5", positive=True, integer=True)
    law = cm.interpolate(
        lambda *n: cm.receptive_field(cm.load("resnet50", repeats=n)).size[0], blocks
    )
    n1, n2, n3, n4 = blocks
    assert 11 + 8 * n1 + 16 * n2 + 32 * n3 + 64 * n4 == law
    at = dict(zip(blocks, (3, 8, 36, 3)))
    assert law.subs(at) == 1507


LAYERS = (
    op.Dropout(10), op.Identity(), op.BatchNorm(), op.Conv(2, (3, 3), padding=(2, 2)),
    op.Conv(2, (5, 3), padding=(4, 3), dilation=(2, 1)),
    op.AvgPool((3, 2), (1, 1), (1, 1)), "squeezed", "turned",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(LAYERS), min_size=1, max_size=5),
    st.tuples(*[st.integers(1, 3)] * 2).filter(lambda sides: 1 in sides),
    st.data(),
)
def test_all_that_gradients_reach_is_seen_of_axes_of_one_position(
    layers: list[op.Operator | str], sides: tuple[int, int], data: st.DataObject
) -> None:
    nodes = [("input", op.Input(Shape(2, (Extent(sides[0]), Extent(sides[1])))), ())]
    for each in layers:
        x = Network.assemble(nodes, batch=1).nodes[-1].output
        flat = Shape(2, tuple(e for e in x.spatial if e.value != 1))
        turned = op.Permute((1, 3, 2))
        made = {"squeezed": [op.Reshape(flat), op.Reshape(x)], "turned": [turned] * 2}
        for operator in made.get(str(each), [each]):
            nodes.append((f"layer{len(nodes)}", operator, (nodes[-1][0],)))
    net = Network.assemble(nodes, batch=1)
    last = net.nodes[-1]
    at = tuple(data.draw(st.integers(0, n - 1)) for n in last.output.sizes[1:])
    region = receptive_field(net).of(last.name).region(*at)
    reached = gradient_support(net, last.name, at).numpy().any(axis=0)
    for axis, (first, end) in enumerate(region):
        seen = np.flatnonzero(reached.any(axis=1 - axis))
        assert not len(seen) or first <= seen[0] <= seen[-1] <= end


@st.composite
def places(draw: st.DrawFn) -> tuple[Network, Node, tuple[int, int] | None]:
    """Draw a bound network, a node, and a position of its map."""
    net = draw(bound_networks(most=1, more=40))
    node = draw(st.sampled_from(net.nodes))
    if not node.output.spatial:
        return net, node, None
    row, column = (draw(st.integers(0, int(n) - 1)) for n in node.output.sizes[1:])
    return net, node, (row, column)


@given(places())
def test_gradients_reach_exactly_what_a_position_is_said_to_see(
    place: tuple[Network, Node, tuple[int, int] | None],
) -> None:
    net, node, position = place
    reached = gradient_support(net, node.name, position).numpy()
    assert np.array_equal(support(net, node.name, position), reached)
    field = cm.receptive_field(net).of(node.name)
    if reached.any() and not field.unbounded:
        check_window(net, field, position or (0, 0), reached.any(axis=0))


def test_every_operator_is_followed_back_as_its_gradient_is() -> None:
    net = SMALL["maps"]
    followed = set(op.OPERATORS.values()) - OF_TENSORS
    assert {type(node.operator) for node in net.nodes} == followed
    for node in net.nodes[::-6]:
        position = (1, 0) if node.output.spatial else None
        reached = gradient_support(net, node.name, position).numpy()
        assert np.array_equal(support(net, node.name, position), reached)


def check_window(
    net: Network, field: Field, position: tuple[int, int], seen: np.ndarray
) -> None:
    """Check that what is seen lies in the window, and spans it far from borders.

    A crop (padding below zero) is a border as well.
    """
    cropped = any(min(n.operator.attributes.get("before", (0,))) < 0
                  for n in net.nodes if isinstance(n.operator, op.Pad))  # fmt: skip
    spans = [np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0)]
    ends = [(int(span[0]), int(span[-1])) for span in spans]
    region, sides = field.region(*position), net.inputs[0].output.sizes[1:]
    inside = all(a >= 0 and b < n for (a, b), n in zip(region, sides))
    for (start, end), (first, last) in zip(region, ends):
        assert start <= first <= last <= end
    if inside and not cropped:
        assert list(region) == ends


OF_TENSORS = {
    op.PReLU, op.Copy,
    op.InstanceNorm, op.ConvTranspose,
    op.Resize, op.MatMul, op.Attention, op.Einsum, op.LayerNorm, op.RMSNorm,
    op.GroupNorm, op.Reduce, op.Cumulate, op.Reshape, op.Permute,
    op.Expand, op.Repeat, op.Crop, op.PadTo, op.Unfold,
    op.PixelShuffle, op.PixelUnshuffle, op.Parameter, op.Derived, op.Opaque,
}  # fmt: skip
"""Operators whose gradients are asked in ``test_places`` and ``test_products``."""


@given(bound_networks(most=1, more=40))
def test_what_gates_hide_is_nothing_else(net: Network) -> None:
    bare, whole = receptive_field(net, ignore_gates=True), receptive_field(net)
    for row in bare.rows:
        full = whole.of(row.name)
        for axis, paths in enumerate(full.paths.axes):
            # The mean over a single position has a window, of one.
            if row.unbounded is None and paths.cause is not None:
                assert full.smallest[axis] == row.smallest[axis]
        if full.unbounded is None:
            assert full == row


@given(networks())
def test_extremes_are_those_of_every_distinct_window(net: Network) -> None:
    field = receptive_field(net)
    for node in net.nodes:
        check_extremes(field, node.name)


def check_extremes(field: ReceptiveField, layer: str) -> None:
    """Check union, smallest and largest against all windows, one by one."""
    row, windows = field.of(layer), field.windows(layer)
    for axis in (0, 1):
        found = [pair[axis] for pair in windows]
        bounded = [w for w in found if w is not None]
        assert (None in found) == (row.paths.axes[axis].cause is not None)
        if not bounded or len({w.stride for w in bounded}) > 1:
            continue
        assert min(w.size for w in bounded) == row.smallest[axis]
        centres = {sympy.Rational(w.size - 1, 2) - w.before for w in bounded}
        (bundle,) = row.paths.axes[axis].bundles
        assert (len(centres) == 1) == bundle.is_aligned
        if None not in found:
            before = max(w.before for w in bounded)
            reach = max(w.size - w.before for w in bounded)
            assert (reach + before, before) == (row.size[axis], row.padding[axis])
            assert max(w.size for w in bounded) == row.largest[axis]
            assert max(w.after for w in bounded) == row.padding_after[axis]


@given(networks())
def test_windows_are_those_of_every_path_of_the_graph(net: Network) -> None:
    graph = net.graph
    plain = [node.name for node in net.nodes if not any(
        isinstance(net[name].operator, SPECIAL) or net[name].operator == PRODUCT
        for name in {node.name, *nx.ancestors(graph, node.name)}
    )]  # fmt: skip
    last = plain[-1]
    paths = [["input"], *nx.all_simple_paths(graph, "input", last)]
    found = {path_window(net, path) for path in paths if path[-1] == last}
    assert found == set(receptive_field(net).windows(last))


PRODUCT = op.Arithmetic("multiply")
SPECIAL = (op.Zeros, op.Slice, op.TableConv2d,
           op.AdaptiveAvgPool, op.AdaptiveMaxPool, op.Flatten)  # fmt: skip
"""Operators that lose channels, or see a whole map: for these a path is not enough."""


def path_window(net: Network, path: list[str]) -> Windows:
    """Compose the windows along one path, layer by layer."""
    height, width = Window(), Window()
    for _, name in pairwise(path):
        window = net[name].operator.window
        assert window is not None
        height = height.then(along(window, 0))
        width = width.then(along(window, 1))
    return height, width


THIN = [
    # a network as thin as it can be, its input's height, width, and the row to look at
    ("alexnet", {"width": "1/32", "variant": "torchvision"}, 330, 63, 4),
    ("vgg16", {"width": "1/64"}, 352, 32, 5),
    ("resnet18", {"width": "1/64"}, 700, 32, 10),
    ("resnet50", {"width": "1/64", "variant": "torchvision"}, 640, 32, 9),
    ("mobilenet_v1", {"width": "1/32"}, 480, 32, 7),
    ("densenet121", {"growth_rate": 2, "blocks": (2, 2, 2, 2)}, 500, 32, 7),
    ("inception_v3", {"width": "1/16"}, 1400, 75, 21),
    ("shufflenet_v2_x0_5", {}, 700, 32, 10),
]


@pytest.mark.parametrize(("name", "options", "height", "width", "row"), THIN)
def test_gradients_of_real_networks_span_their_fields(
    name: str, options: dict[str, object], height: int, width: int, row: int
) -> None:
    net = cm.load(name, **options, resolution=(height, width), batch=1)
    field = cm.receptive_field(net)
    seen = gradient_support(net, field.name, (row, 0)).numpy().any(axis=(0, 2))
    (start, end), _ = field.region(row, 0)
    assert start > 0
    assert end < height - 1
    assert [start, end] == list(np.flatnonzero(seen)[[0, -1]])


def test_kernels_and_dilations_may_be_symbols() -> None:
    k, d = cm.symbol("k"), cm.symbol("d")
    x = conv(image(), 8, kernel=k, padding=0)
    x = max_pool(conv(x, 8, kernel=3, dilation=d), 2)
    field = cm.receptive_field(network(conv(x, 8, kernel=k, dilation=d)))
    size = sympy.expand(k + 2 * d + 1 + 2 * d * (k - 1))
    assert (size, size) == field.size
    assert (sympy.expand(d + d * (k - 1)),) * 2 == field.padding
    for at in ({k: 5, d: 2}, {k: 7, d: 3}):
        bound = cm.receptive_field(field.network.bind(at))
        assert window_of(bound) == tuple(
            tuple(sympy.sympify(n).subs(at) for n in pair) for pair in window_of(field)
        )


def test_branches_with_symbols_are_compared_where_that_can_be_decided() -> None:
    k = cm.symbol("k")
    x = image(8)
    y = conv(conv(x, 8, kernel=k), 8, kernel=k)
    field = cm.receptive_field(network(add(x, conv(x, 8, kernel=k), y)))
    assert (2 * k - 1, 2 * k - 1) == field.size
    assert ((1, 1), (2 * k - 1, 2 * k - 1)) == (field.smallest, field.largest)
    open_ = cm.receptive_field(network(add(conv(x, 8, kernel=k), conv(x, 8, kernel=5))))
    assert open_.size[0].subs({k: 3}) == 5
    assert open_.size[0].subs({k: 9}) == 9


def test_a_branch_out_of_line_adds_to_the_union() -> None:
    x = image(8, 16, 16)
    left = conv(pad(x, before=3, after=0), 8, kernel=4, padding=0)
    right = conv(pad(x, before=0, after=3), 8, kernel=4, padding=0)
    field = cm.receptive_field(network(add(left, right)))
    assert (field.size, field.smallest, field.largest) == ((7, 7), (4, 4), (4, 4))
    assert (field.padding, field.padding_after, field.offset) == (
        (3, 3),
        (3, 3),
        (0, 0),
    )
    assert not field.is_aligned
    assert [str(m) for m in field.misalignments] == [
        f'add "add1": paths are not centred alike in {axis}: those of "conv1" at -3/2 '
        '(stride 1), those of "conv2" at 3/2 (stride 1)'
        for axis in ("height", "width")
    ]


def test_paths_that_are_centred_alike_are_aligned_whatever_their_sizes() -> None:
    for name in ("resnet50", "inception_v4", "densenet121", "googlenet"):
        field = cm.receptive_field(cm.load(name))
        assert field.is_aligned
        assert field.largest == field.size
        assert field.smallest != field.size


def test_a_mean_in_front_of_a_shortcut_is_out_of_line_by_half_a_pixel() -> None:
    x = image(8)
    y = conv(x, 8, kernel=3, stride=2)
    shortcut = conv(avg_pool(x, 2, ceil_mode=True), 8, kernel=1)
    (height, _) = cm.receptive_field(network(add(y, shortcut))).misalignments
    half = sympy.Rational(1, 2)
    assert (("conv1", 2, 0), ("conv2", 2, half)) == height.operands


def test_factorized_reductions_are_where_nasnet_leaves_the_line() -> None:
    field = cm.receptive_field(cm.load("nasnet_a_mobile"))
    found = {(m.name, m.operands[1][2] - m.operands[0][2]) for m in field.misalignments}
    assert {("cell_stem_1.concat1", 2), ("cell_0.concat1", 4)} == found


def test_squeeze_and_excitation_sees_everything_unless_gates_are_ignored() -> None:
    net = cm.load("se_resnet50")
    field = cm.receptive_field(net)
    oo = sympy.oo
    assert ((oo, oo), (32, 32), (oo, oo)) == window_of(field)
    assert field.unbounded == "stage1.block1.avg_pool1"
    assert field.name == "stage4.block3.relu4"
    assert ((-oo, oo), (-oo, oo)) == field.region(3, 3)
    assert (None, None) in field.windows()
    with pytest.raises(
        CostModelError, match=r'through "stage1.block1.avg_pool1", and '
    ):
        field.offset  # noqa: B018
    plain = cm.receptive_field(cm.load("resnet50"))
    bare = cm.receptive_field(net, ignore_gates=True)
    assert window_of(plain) == window_of(bare)
    assert plain.windows() == bare.windows()
    assert (bare.unbounded, bare.beyond) == (None, "head.avg_pool1")


@pytest.mark.parametrize(
    ("name", "options", "last", "beyond"),
    [
        ("vgg16", {}, "stage5.max_pool1", "head.flatten1"),
        ("vgg16", {"variant": "torchvision"}, "stage5.max_pool1", "head.avg_pool1"),
        # at 224 pooling to 7×7 copies, and only flattening ends the map
        ("vgg16", {"variant": "torchvision", "resolution": 224}, "head.avg_pool1",
         "head.flatten1"),
        ("googlenet", {}, "inception_5b.concat1", "avg_pool1"),
        ("lenet5", {"resolution": 32}, "F6", None),
    ],
)  # fmt: skip
def test_the_last_map_is_the_one_before_positions_are_lost(
    name: str, options: dict[str, object], last: str, beyond: str | None
) -> None:
    field = cm.receptive_field(cm.load(name, **options))
    if beyond is None:  # LeNet-5's C5 covers its map: outputs see a window of 32
        assert (field.size, field.beyond, field.unbounded) == ((32, 32), None, None)
    else:
        assert (last, beyond) == (field.name, field.beyond)


def test_a_networks_output_may_itself_be_a_map() -> None:
    x = conv(image(), 8, kernel=3, stride=2)
    field = cm.receptive_field(network(x))
    assert (field.name, field.beyond, field.unbounded) == ("conv1", None, None)
    assert field.region(0, 0) == ((-1, 1), (-1, 1))
    assert field.region(1, 2) == ((1, 3), (3, 5))
    row = cm.symbol("i")
    assert (2 * row - 1, 2 * row + 1) == field.region(row, 0)[0]


def test_an_image_without_a_size_is_flattened_to_everything() -> None:
    net = network(linear(flatten(conv(image(3, 8, 8), 4, kernel=3)), 10))
    field = cm.receptive_field(net)
    assert (field.name, field.beyond) == ("conv1", "flatten1")
    assert field.of("linear1").size == (sympy.oo, sympy.oo)
    message = r'"linear1" sees the whole input, through "flatten1", and has no stride'
    with pytest.raises(CostModelError, match=message):
        field.of("linear1").stride  # noqa: B018


def test_paths_of_two_strides_have_no_single_window() -> None:
    x = image(4, 1, 9)
    y = conv(x, 4, kernel=3, stride=(2, 1))  # of one row, one row is left
    field = cm.receptive_field(network(add(x, y)))
    message = r'^"add1": paths of the strides 1 and 2 meet, so that no single window'
    for quantity in ("size", "stride", "padding", "offset"):
        with pytest.raises(CostModelError, match=message):
            getattr(field, quantity)
    assert field.region(0, 5) == ((-1, 1), (4, 6))
    assert (field.smallest, field.largest) == ((1, 1), (3, 3))
    (found,) = field.misalignments
    assert (found.axis, found.operands) == (
        "height",
        (("input", 1, 0), ("conv1", 2, 0)),
    )
    assert not field.is_aligned


def test_a_gate_that_covers_a_bound_map_is_repeated_for_each_position() -> None:
    x = image(4, 6, 6)
    gate = conv(x, 4, kernel=(6, 1), padding=0)  # 1×6: a row of gates
    field = cm.receptive_field(network(multiply(conv(x, 4, kernel=3), gate)))
    assert field.region(2, 4) == ((0, 5), (3, 5))
    assert field.region(5, 4) == ((0, 6), (3, 5))
    assert {0, 1} == {pair[0].stride for pair in field.windows() if pair[0]}


def test_zeros_see_nothing_and_hide_what_they_are_multiplied_with() -> None:
    x = image(4, 8, 8)
    field = cm.receptive_field(network(zeros(x, 4)))
    assert (field.size, field.largest) == ((0, 0), (0, 0))
    for ask in (lambda: field.stride, lambda: field.region(0, 0)):
        with pytest.raises(
            CostModelError, match=r'^"zeros1" sees nothing of the input$'
        ):
            ask()
    assert field.windows() == ()
    hidden = network(add(multiply(conv(x, 4, kernel=5), zeros(x, 4)), x))
    assert cm.receptive_field(hidden).size == (1, 1)
    half = pad_channels(select_channels(x, 0, 2), 0, 2)
    gate = pad_channels(select_channels(conv(x, 4, kernel=5), 0, 2), 2, 0)
    assert cm.receptive_field(network(multiply(half, gate))).size == (0, 0)


def test_a_part_of_a_split_sees_what_its_channels_see() -> None:
    def exchanged(x: Value) -> tuple[Value, Value]:
        kept, other = split(x)
        return split(concat(kept, conv(other, other.channels, kernel=5)))

    first, second = exchanged(image(4))
    assert cm.receptive_field(network(conv(first, 4, kernel=1))).size == (1, 1)
    assert cm.receptive_field(network(conv(second, 4, kernel=3))).size == (7, 7)
    # of an unknown number of channels the parts are not told apart
    first, _ = exchanged(conv(image(4), 8 * alpha, kernel=1))
    assert cm.receptive_field(network(first)).size == (5, 5)


def test_a_field_needs_no_torch() -> None:
    ask = "cm.receptive_field(net).windows(); cm.input_sizes(net)"
    check(f"import costmodel as cm; net = cm.load('resnet18'); {ask}", "torch")


def test_two_to_the_sixty_paths_have_sixty_one_windows() -> None:
    x = image(1)
    for _ in range(60):
        x = add(x, conv(x, 1, kernel=3))
    field = cm.receptive_field(network(x))
    assert field.size == (121, 121)
    assert [2 * n + 1 for n in range(61)] == [h.size for h, _ in field.windows() if h]
    with pytest.raises(
        CostModelError, match=r"^windows: over 60 distinct ones; give a "
    ):
        field.windows(limit=60)
    assert (sliding(1),) * 2 == field.windows("input", limit=1)[0]


def test_windows_are_sorted_with_those_in_symbols_after_numbers() -> None:
    k, x = cm.symbol("k"), image(2)
    field = cm.receptive_field(network(add(conv(x, 2, kernel=k), conv(x, 2, 3), x)))
    assert [1, 3, k] == [height.size for height, _ in field.windows() if height]


def test_every_operator_has_a_rule_for_what_it_looks_at() -> None:
    for net in COUNTED.values():
        for node in net.nodes:
            if not (isinstance(node.operator, op.Source) or _turns(node.operator)):
                assert _dependences(net, node)
    assert {type(n.operator) for net in COUNTED.values() for n in net.nodes} | {
        op.Attention, op.ConvTranspose, op.Resize, *STORED
    } == set(op.OPERATORS.values())  # fmt: skip


STORED = (op.Parameter, op.Derived, op.Opaque)


def test_an_operator_without_a_rule_is_an_error() -> None:
    class Unruled(op.Identity):
        kind = "unruled"

        def flow(self, *inputs: Shape) -> Flow:
            return Flow((Unknown(),) * (1 + len(inputs[0].spatial)))

    x = op.Input(image(4, 8, 8).shape)
    net = Network.assemble([("input", x, ()), ("a", Unruled(), ("input",))], batch=1)
    for ask in (cm.receptive_field, lambda net: support(net, "a", (0, 0))):
        with pytest.raises(CostModelError, match=r'^unruled at "a": no rule says whe'):
            ask(net)
    sort = op.Opaque("sort", x.shape)
    net = Network.assemble([("input", x, ()), ("a", sort, ("input",))], batch=1)
    with pytest.raises(CostModelError, match=r'^opaque at "a": sort: no rule says wha'):
        cm.receptive_field(net)
    with pytest.raises(CostModelError, match=r'^opaque at "a": no rule says where its'):
        support(net, "a", (0, 0))
    with pytest.raises(CostModelError, match=r"^which positions it looks at is not ke"):
        blocks(Turned(1), 4, 4)
    with pytest.raises(CostModelError, match=r"^how many positions it has is not kno"):
        size_of(Tiled(1), (4,))


def test_an_operator_from_elsewhere_is_followed_by_its_base() -> None:
    @dataclass(frozen=True, slots=True)
    class Swish(op.Elementwise):
        kind = "swish"

        def tally(self, output: Shape, *_: Shape) -> Tally:
            return Tally(exp=output.numel)

    x = conv(image(4, 8, 8), 4, kernel=3)
    layers = [(n.name, n.operator, n.inputs) for n in network(x).nodes]
    net = Network.assemble([*layers, ("swish", Swish(), ("conv1",))], batch=1)
    assert cm.receptive_field(net).size == (3, 3)
    assert np.array_equal(support(net, "swish", (0, 0)), support(net, "conv1", (0, 0)))


def test_a_window_looks_at_its_taps() -> None:
    seen = looked_at(Slid(2, Window(5, 1), gap=2), 6, 2)
    assert seen is not None
    assert seen.astype(int).tolist() == [[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]


def test_fields_are_those_of_networks_of_one_image() -> None:
    shape = image(4, 8, 8).shape
    two = Network.assemble([
        ("a", op.Input(shape), ()), ("b", op.Input(shape), ()),
        ("add", op.Arithmetic("add"), ("a", "b")),
    ])  # fmt: skip
    with pytest.raises(
        CostModelError, match=r"takes 4×8×8 and 4×8×8; it is about netw"
    ):
        cm.receptive_field(two)
    net = network(global_average_pool(image(4, 8, 8)))
    with pytest.raises(CostModelError, match='no node "head"'):
        cm.receptive_field(net).of("head")
    with pytest.raises(
        CostModelError, match=r"^support: no position \(1, 0\) in 4×1×1"
    ):
        support(net, "avg_pool1", (1, 0))
    with pytest.raises(
        CostModelError, match="needs one input, and every size but the b"
    ):
        support(network(relu(image())), "relu1", (0, 0))


def test_a_bound_network_has_the_field_of_the_symbolic_one() -> None:
    for name in ("resnet50", "mobilenet_v2", "densenet121", "inception_v3"):
        open_ = cm.receptive_field(cm.load(name))
        bound = cm.receptive_field(open_.network.bind({H: 331, W: 299}))
        for row in open_.rows:
            if row.unbounded is None:
                assert bound.of(row.name) == row


def _turns(operator: op.Operator) -> bool:
    return isinstance(operator, op.Copy) and operator.order != "same"
