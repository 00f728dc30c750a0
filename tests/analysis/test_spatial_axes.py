"""What is seen of the image where its axes are moved, merged and taken apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import H, W
from costmodel.analysis.receptive_field.axis_parts import (
    CONSUMED,
    Digit,
    Place,
    Places,
    standard_axes,
)
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.analysis.receptive_field.spatial_axes import SpatialAxes
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import Value, add, concat, conv, depthwise, image, network
from costmodel.network.graph import Network
from costmodel.network.shape import Shape
from costmodel.testing.tensors import put


def axes(*sizes: int) -> Shape:
    return Shape(sizes[0], tuple(map(Extent, sizes[1:])))


def places_in(net: Network) -> dict[str, Places]:
    """Return where height and width are in each result that has them elsewhere."""
    return SpatialAxes(net).places


def parts(*digits: tuple[object, ...]) -> Place:
    """Return the place of an axis in these parts: axis, size, elements below."""
    return Place((tuple(Digit(*digit) for digit in digits),))


def convnext(x: Value) -> Value:
    """Put features last, as ConvNeXt does: Liu et al. 2022, arXiv:2201.03545."""
    y = put(depthwise(x, 7), op.Permute((2, 3, 1)))
    y = put(put(y, op.LayerNorm(1)), op.Linear(6))
    y = put(put(y, op.Pointwise("gelu")), op.Linear(4))
    return add(x, put(y, op.Permute((3, 1, 2))))


def shuffled(x: Value) -> Value:
    y = put(x, op.Reshape(Shape(2, (Extent(2), *x.shape.spatial))))
    y = put(put(y, op.Permute((2, 1, 3, 4))), op.Reshape(x.shape))
    return conv(y, 4, kernel=3)


def taken_apart(x: Value) -> Value:
    """Take every second row and column, from the second on."""
    y = put(put(x, op.Slice(2, 1, 0, step=2)), op.Slice(3, 1, 0, step=2))
    return conv(y, 4, kernel=3)


def mirrored(x: Value) -> Value:
    return conv(put(x, op.Pad((0, 1, 1), (0, 1, 1), "reflect")), 4, kernel=3, padding=0)


def unshuffled(x: Value) -> Value:
    return conv(put(x, op.PixelUnshuffle(2)), 4, kernel=3)


def centred(x: Value) -> Value:
    """Take the mean of all channels off, and scale by a learned slope."""
    mean = put(x, op.Reduce("mean", (1,), keep=True, everywhere=False))
    return conv(put(put(x, op.Arithmetic("subtract"), mean), op.PReLU(4)), 4, kernel=3)


@pytest.mark.parametrize(
    ("block", "size", "stride"),
    [(convnext, 9, 1), (shuffled, 5, 1), (taken_apart, 7, 2), (mirrored, 5, 1),
     (unshuffled, 8, 2), (centred, 5, 1)],
)  # fmt: skip
def test_a_field_is_what_gradients_reach(
    block: Callable[[Value], Value], size: int, stride: int
) -> None:
    net = network(block(conv(image(3, 32, 30), 4, kernel=3)), batch=1)
    field = cm.receptive_field(net)
    assert ((size, size), (stride, stride)) == (field.size, field.stride)
    for position in [(5, 6), (7, 5)]:
        exactly = gradient_support(net, net.outputs[0], position).numpy()
        assert np.array_equal(support(net, net.outputs[0], position), exactly)
        reached = exactly.any(axis=0)
        spans = [np.flatnonzero(reached.any(axis=axis)) for axis in (1, 0)]
        ends = [(int(span[0]), int(span[-1])) for span in spans]
        assert list(field.region(*position)) == ends


def test_sizes_of_one_are_repeated_where_the_image_is() -> None:
    x = conv(image(3, 16, 16), 4, kernel=3)
    last = put(x, op.Permute((2, 3, 1)))
    mean = put(last, op.Reduce("mean", (3,), keep=True, everywhere=False))
    field = cm.receptive_field(network(put(mean, op.Arithmetic("multiply"), last)))
    assert field.size == (3, 3)
    assert field.stride == (1, 1)
    rows = put(last, op.Slice(1, 0, length=1))
    sizes = cm.receptive_field(network(put(last, op.Arithmetic("add"), rows))).windows()
    assert {height.stride for height, _ in sizes if height} == {0, 1}


def test_a_gate_leaves_the_places_of_what_it_gates() -> None:
    x = conv(image(3, 16, 16), 4, kernel=3)
    gate = put(x, op.Reduce("mean", (2, 3), keep=True))
    y = put(put(gate, op.Arithmetic("multiply"), x), op.Slice(2, 1, 0, step=2))
    assert "multiply1" not in places_in(network(y))


def test_tokens_see_their_patch_until_attention() -> None:
    x = conv(image(3, 32, 32), 8, kernel=8, stride=8, padding=0)
    x = put(put(x, op.Reshape(axes(8, 16))), op.Permute((2, 1)))
    x = put(x, op.LayerNorm(1))
    query = put(x, op.Linear(8))
    y = put(put(query, op.Attention(), query, query), op.Slice(1, 0, length=1))
    net = network(y)
    field = cm.receptive_field(net)
    assert field.of("layer_norm1").size == (8, 8)
    assert field.of("slice1").unbounded == "attention1"


def test_axes_are_followed_through_permutations_and_reshapes() -> None:
    x = image(6, H, W)
    moved = put(x, op.Permute((3, 1, 2)))
    merged = put(x, op.Reshape(Shape(6, (Extent(H * W),))))
    split = put(x, op.Reshape(Shape(2, (Extent(3), Extent(H), Extent(W)))))
    cut = put(image(6, 8, 8), op.Reshape(axes(6, 2, 4, 8)))
    mean = put(moved, op.Reduce("mean", (1,)))
    found = places_in(network(moved, merged, split, mean))
    assert found["permute1"] == (parts((3,)), parts((1,)))
    assert found["reshape1"] == (parts((2, H, W)), parts((2, W)))
    assert found["reshape2"] == (parts((3,)), parts((4,)))
    assert found["reduce1"] == (parts((2,)), CONSUMED)
    assert places_in(network(cut))["reshape1"] == (parts((2,), (3,)), parts((4,)))
    assert standard_axes(2) not in found.values()


@pytest.mark.parametrize(
    ("problem", "block"),
    [
        ('conv at "conv1": which positions it looks at is not followed: height and',
         lambda x: conv(put(x, op.Permute((3, 1, 2))), 4, kernel=3)),
        ('slice at "slice1": which positions it looks at is not followed',
         lambda x: put(put(x, op.Reshape(axes(4, 64))), op.Slice(2, 1))),
        ('layer_norm at "layer_norm1": which positions it looks at is not followed',
         lambda x: put(put(x, op.Reshape(axes(4, 2, 4, 8))), op.LayerNorm(2))),
        ('concat at "concat1": maps behind each other see different things',
         lambda x: concat(x, conv(x, 4, kernel=3), axis=2)),
        ('copy at "copy1": along which axes is not kept',
         lambda x: put(x, op.Copy("rolled"))),
        ('pixel_shuffle at "pixel_shuffle1": pixel shuffle is no one window',
         lambda x: put(x, op.PixelShuffle(2))),
        ('repeat at "repeat1": repeat to 4×16×8: which positions repeat',
         lambda x: put(x, op.Repeat(axes(4, 16, 8)))),
    ],
)  # fmt: skip
def test_what_is_not_followed_is_an_error_that_names_the_node(
    problem: str, block: Callable[[Value], Value]
) -> None:
    net = network(block(image(4, 8, 8)))
    with pytest.raises(CostModelError, match=f"^{problem}"):
        cm.receptive_field(net)
