"""Pixels that reshapes move into channels, blocks and back, as PyTorch modules do it.

What is said of each is what the gradient of the module itself reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given, note
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name

import costmodel as cm
from costmodel.analysis.input_sizes import remainders
from costmodel.analysis.receptive_field.axis_parts import Tensor as Placed
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.analysis.receptive_field.spatial_axes import SpatialAxes
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.testing.products import product_networks
from costmodel.testing.tensors import tensor_networks


SIDE = 16
Move = Callable[[Tensor], Tensor]


class Moved(nn.Module):
    """A convolution, what moves its pixels, and perhaps another convolution."""

    def __init__(self, move: Move, *, convolved: bool) -> None:
        """Make a last convolution of as many channels as are left."""
        super().__init__()
        self.move, self.stem = move, nn.Conv2d(3, 4, 3, padding=1)
        channels = move(self.stem(torch.zeros(1, 3, SIDE, SIDE))).shape[1]
        self.last = nn.Conv2d(channels, 2, 3, padding=1) if convolved else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``batch × channels × height × width``."""
        result: Tensor = self.last(self.move(self.stem(x)))
        return result


def blocked(x: Tensor, side: int) -> Tensor:
    """Return batch × channels × rows × height × columns × width of blocks."""
    batch, channels, height, width = x.shape
    rows, columns = height // side, width // side
    return x.reshape(batch, channels, rows, side, columns, side)


def space_to_depth(x: Tensor) -> Tensor:
    return blocked(x, 2).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


def space_to_depth_last(x: Tensor) -> Tensor:
    """Channels last, as TensorFlow has them."""
    batch, channels, height, width = x.shape
    y = x.permute(0, 2, 3, 1).reshape(
        batch, height // 2, 2, width // 2, 2 * channels
    )  # columns go into the channels in order
    y = y.permute(0, 1, 3, 2, 4).reshape(batch, height // 2, width // 2, 4 * channels)
    return y.permute(0, 3, 1, 2)


def by_rows(x: Tensor) -> Tensor:
    """Put the two halves of rows into channels: height is split, width is not."""
    batch, channels, height, width = x.shape
    y = x.reshape(batch, channels, height // 2, 2, width).transpose(2, 3)
    return y.reshape(batch, 2 * channels, height // 2, width)


def focus(x: Tensor) -> Tensor:
    """YOLOv5's."""
    corners = [x[..., i::2, j::2] for j in range(2) for i in range(2)]
    return torch.cat(corners, 1)


def reorganized(x: Tensor) -> Tensor:
    """YOLOv2's: pixels become channels beside those of a strided branch."""
    return torch.cat([space_to_depth(x), F.max_pool2d(x, 2)], 1)


def slopes(rows: int, columns: int) -> Tensor:
    return torch.arange(1, 1 + rows * columns).reshape(rows, columns).sin()


def patches(x: Tensor) -> Tensor:
    """Embed patches of 4 × 4 as a vision transformer does, and put them in a map."""
    tokens = blocked(x, 4).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
    tokens = F.layer_norm(tokens, tokens.shape[-1:])
    tokens = F.linear(tokens, slopes(6, tokens.shape[-1]).to(x.dtype))
    batch, _, features = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, features, SIDE // 4, SIDE // 4)


def block_means(x: Tensor) -> Tensor:
    return blocked(x, 2).mean((3, 5))


def unfolded(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    return F.unfold(x, 3, padding=1).reshape(batch, 9 * channels, height, width)


def largest_in_window(x: Tensor) -> Tensor:
    """Reduce windows by hand, with weights for their places."""
    batch, channels, height, width = x.shape
    y = F.unfold(x, 3, padding=1).view(batch, channels, 9, height, width)
    return (y * slopes(9, 1).view(9, 1, 1).to(x.dtype)).sum(2)


def some_channels_of_windows(x: Tensor) -> Tensor:
    """Take a part of the channels, with all pixels under their windows."""
    batch, channels, height, width = x.shape
    y = F.unfold(x, 3, padding=1).view(batch, channels, 9, height, width)
    return y[:, 1:3].flatten(1, 2)


def unfolded_patches(x: Tensor) -> Tensor:
    columns = F.unfold(x, 4, stride=4)
    return columns.reshape(x.shape[0], -1, SIDE // 4, SIDE // 4)


def rebuilt(x: Tensor) -> Tensor:
    """Take blocks apart and put them together again: nothing moves."""
    return (
        blocked(x, 4)
        .permute(0, 2, 4, 3, 5, 1)
        .permute(0, 5, 1, 3, 2, 4)
        .reshape(x.shape)
    )


def there_and_back(x: Tensor) -> Tensor:
    y = space_to_depth(x).sigmoid()
    batch, channels, height, width = x.shape
    y = y.reshape(batch, channels, 2, 2, height // 2, width // 2)
    return y.permute(0, 1, 4, 2, 5, 3).reshape(x.shape)


def rows_normalized(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    y = x.reshape(batch, channels * height, width).softmax(-1)
    return y.reshape(x.shape)


def axial(x: Tensor) -> Tensor:
    y = x.permute(0, 2, 3, 1)
    return F.scaled_dot_product_attention(y, y, y).permute(0, 3, 1, 2)


def axial_columns(x: Tensor) -> Tensor:
    y = x.permute(0, 3, 2, 1)
    return F.scaled_dot_product_attention(y, y, y).permute(0, 3, 2, 1)


def axial_by_hand(x: Tensor) -> Tensor:
    y = x.permute(0, 2, 3, 1)
    return ((y @ y.transpose(2, 3)).softmax(-1) @ y).permute(0, 3, 1, 2)


def attention(x: Tensor) -> Tensor:
    y = x.flatten(2).transpose(1, 2)
    y = (y @ y.transpose(1, 2)).softmax(-1) @ y
    return y.transpose(1, 2).reshape(x.shape)


def mixed_channels(x: Tensor) -> Tensor:
    weight = torch.ones(4, 6, dtype=x.dtype)
    return torch.einsum("nchw,cd->ndhw", x, weight)


def mixed_rows(x: Tensor) -> Tensor:
    return x @ torch.ones(SIDE, SIDE, dtype=x.dtype)


def largest_of_two(x: Tensor) -> Tensor:
    """Maxout over pairs of channels."""
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels // 2, 2, height, width).sum(2)


FOLLOWED = [
    space_to_depth, space_to_depth_last, by_rows, focus, reorganized, patches,
    block_means, unfolded, unfolded_patches,
    largest_in_window, some_channels_of_windows, rebuilt, there_and_back,
    rows_normalized,
    axial, axial_columns, axial_by_hand, attention, mixed_channels, mixed_rows,
    largest_of_two,
]  # fmt: skip


def reached(module: nn.Module, position: tuple[int, ...]) -> np.ndarray:
    """Return the input elements that some channel's gradient at a position reaches."""
    module = module.double().eval()
    image = torch.rand(1, 3, SIDE, SIDE, dtype=torch.double, requires_grad=True)
    output = module(image)[:, :, *position]
    found = np.zeros((3, SIDE, SIDE), dtype=bool)
    for _ in range(2):
        weighted = (output * torch.rand_like(output)).sum()
        (gradient,) = torch.autograd.grad(weighted, image, retain_graph=True)
        found |= (gradient[0].abs() > 1e-14).numpy()
    module.float()
    return found


def asked(move: Move, *, convolved: bool) -> tuple[nn.Module, cm.Network]:
    torch.manual_seed(0)
    module = Moved(move, convolved=convolved)
    net = cm.trace(module, (3, SIDE, SIDE))
    return module, net.bind(N=1)


def positions(net: cm.Network) -> Iterator[tuple[int, ...]]:
    sides = net[net.outputs[0]].output.sizes[1:]
    return product(*((0, int(side) // 2 - 1, int(side) - 1) for side in sides))


@pytest.mark.parametrize("convolved", [False, True])
@pytest.mark.parametrize("move", FOLLOWED, ids=lambda move: move.__name__)
def test_a_field_is_what_the_modules_gradient_reaches(
    move: Move, *, convolved: bool
) -> None:
    module, net = asked(move, convolved=convolved)
    field = cm.receptive_field(net).of(net.outputs[0])
    for position in positions(net):
        exactly = reached(module, position)
        assert np.array_equal(support(net, net.outputs[0], position), exactly)
        for axis, (first, last) in enumerate(field.region(*position)):
            span = np.flatnonzero(exactly.any(axis=(0, 2 - axis)))
            inside = max(0, first), min(SIDE - 1, last)
            assert (span[0], span[-1]) == inside, (position, axis)


def padded(x: Tensor, mode: str) -> Tensor:
    return F.pad(x, (2, 1, 1, 2), mode)


def padded_twice(x: Tensor, mode: str) -> Tensor:
    return F.pad(F.pad(x, (1, 0, 0, 2), mode), (1, 2, 2, 0), mode)


def padded_unlike(x: Tensor, mode: str) -> Tensor:
    """Pad with zeros, then behind a convolution otherwise."""
    y = F.avg_pool2d(F.pad(x, (2, 2, 2, 2)), 3, 1)
    return F.pad(y, (1, 2, 2, 1), mode)


def behind_stride(x: Tensor, mode: str) -> Tensor:
    return F.pad(F.avg_pool2d(x, 2), (1, 2, 2, 1), mode)


def strided_twice(x: Tensor, mode: str) -> Tensor:
    y = F.pad(F.avg_pool2d(x, 3, 2, 1), (1, 1, 1, 1), mode)
    return F.pad(F.avg_pool2d(y, 3, 1), (2, 2, 2, 2), mode)


def before_blocks(x: Tensor, mode: str) -> Tensor:
    return space_to_depth(F.pad(x, (1, 1, 1, 1), mode))


def behind_blocks(x: Tensor, mode: str) -> Tensor:
    return F.pad(space_to_depth(x), (1, 2, 2, 1), mode)


def turned(x: Tensor, mode: str) -> Tensor:
    """Pad columns where channels are last."""
    y = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2), mode)
    return y.permute(0, 3, 1, 2)


def cropped(x: Tensor, mode: str) -> Tensor:
    return F.pad(x[..., 2:, 3:-1], (1, 1, 1, 1), mode)


REPEATING = [
    padded, padded_twice, padded_unlike, behind_stride, strided_twice, before_blocks,
    behind_blocks, turned, cropped,
]  # fmt: skip


@pytest.mark.parametrize("convolved", [False, True])
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("move", REPEATING, ids=lambda move: move.__name__)
def test_a_field_tells_that_padding_repeats_pixels_which_it_does_not_name(
    move: Callable[[Tensor, str], Tensor], mode: str, *, convolved: bool
) -> None:
    module, net = asked(partial(move, mode=mode), convolved=convolved)
    zeros, plain = asked(partial(move, mode="constant"), convolved=convolved)
    last = net.outputs[0]
    found, field = cm.receptive_field(net), cm.receptive_field(plain).of(last)
    padding = (n.name for n in net.nodes if mode in str(n.operator))
    assert found.of(last) == replace(field, repeats=next(padding))
    assert found.of("stem").repeats is None
    differing = set[tuple[int, ...]]()
    for position in positions(net):
        exactly, bare = reached(module, position), reached(zeros, position)
        assert np.array_equal(support(net, last, position), exactly)
        for axis, (first, end) in enumerate(field.region(*position)):
            span = np.flatnonzero(bare.any(axis=(0, 2 - axis)))
            assert all(max(0, first) <= n <= min(SIDE - 1, end) for n in span)
        if not np.array_equal(exactly, bare):
            differing.add(position)
    # what is repeated may lie in the window anyway
    assert differing or convolved or mode == "replicate"
    sides = net[last].output.sizes[1:]
    assert tuple(int(side) // 2 - 1 for side in sides) not in differing


def depth_to_space(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    y = x.reshape(batch, channels // 4, 2, 2, height, width)
    y = y.permute(0, 1, 4, 2, 5, 3)
    return y.reshape(batch, channels // 4, 2 * height, 2 * width)


def windows(x: Tensor) -> Tensor:
    """Attend within windows of 4 × 4, as Swin does."""
    batch, channels, height, width = x.shape
    y = blocked(x, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, channels)
    y = (y @ y.transpose(1, 2)).softmax(-1) @ y
    y = y.reshape(batch, height // 4, width // 4, 4, 4, channels)
    return y.permute(0, 5, 1, 3, 2, 4).reshape(x.shape)


def fused_windows(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    y = blocked(x, 4).permute(0, 2, 4, 3, 5, 1)
    y = y.reshape(batch, height * width // 16, 16, channels)
    y = F.scaled_dot_product_attention(y, y, y)
    y = y.reshape(batch, height // 4, width // 4, 4, 4, channels)
    return y.permute(0, 5, 1, 3, 2, 4).reshape(x.shape)


def grid(x: Tensor) -> Tensor:
    """Attend between the same pixels of all windows, as MaxViT does."""
    batch, channels, height, width = x.shape
    y = blocked(x, 4).permute(0, 3, 5, 2, 4, 1).reshape(batch, 16, -1, channels)
    y = F.scaled_dot_product_attention(y, y, y)
    y = y.reshape(batch, 4, 4, height // 4, width // 4, channels)
    return y.permute(0, 5, 3, 1, 4, 2).reshape(x.shape)


def normalized_blocks(x: Tensor) -> Tensor:
    return blocked(x, 2).softmax(3).reshape(x.shape)


def centred_blocks(x: Tensor) -> Tensor:
    y = blocked(x, 2)
    return (y - y.mean((3, 5), keepdim=True)).reshape(x.shape)


def running(x: Tensor) -> Tensor:
    return x.cumsum(2)


def first_of_block(x: Tensor) -> Tensor:
    """Take the first quarter of the channels that pixels have become."""
    return space_to_depth(x)[:, :2]


def columns(x: Tensor) -> Tensor:
    """Return batch × channels × places in a window × height × width."""
    batch, channels, height, width = x.shape
    return F.unfold(x, 3, padding=1).view(batch, channels, 9, height, width)


def centre_of_window(x: Tensor) -> Tensor:
    """Take the middle of each window, which is the pixel itself."""
    return columns(x)[:, :, 4]


def corners_of_window(x: Tensor) -> Tensor:
    return columns(x)[:, :, ::2].flatten(1, 2)


def windows_by_row(x: Tensor) -> Tensor:
    """Take the last row of windows of 2 × 3, and all of its columns."""
    batch, channels, height, width = x.shape
    y = F.unfold(x, (2, 3), padding=(0, 1), stride=(2, 1))
    y = y.view(batch, channels, 2, 3, height // 2, width)
    return y.permute(0, 2, 1, 3, 4, 5)[:, 1].sum(2)


def first_columns(x: Tensor) -> Tensor:
    """Take channels of columns that are some of one channel's, and then others."""
    batch, _, height, width = x.shape
    y = F.unfold(x, 3, padding=2, dilation=2)
    return y[:, 3:6].view(batch, 3, height, width)


def windows_of_patches(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    y = F.unfold(x, 4, stride=4).view(batch, channels * 16, -1).transpose(1, 2)
    y = y[..., 5::16].transpose(1, 2)
    return y.reshape(batch, channels, height // 4, width // 4)


def alike(x: Tensor) -> Tensor:
    """Compare each row with each other."""
    return x @ x.transpose(2, 3)


def first_of_last(x: Tensor) -> Tensor:
    """Drop channels that see more, where channels are last."""
    y = torch.cat([x, F.avg_pool2d(x, 3, 1, 1)], 1).permute(0, 2, 3, 1)
    return y[..., :4].permute(0, 3, 1, 2)


REFUSED = [
    (depth_to_space, "height is merged with what varies faster: neighbouring"),
    (windows, "height is split into blocks of 4, and each position sees its own"),
    (fused_windows, "height is split into blocks of 4, and each position sees its own"),
    (grid, "height is split, and every 4th"),
    (normalized_blocks, "height is split into blocks of 2, and each position sees its"),
    (centred_blocks, "height is split into blocks of 2, and each position sees its"),
    (running, "along height each position sees all those before it"),
    (first_of_block, "pixels along height have become channels"),
    (centre_of_window, "pixels along height have become channels"),
    (corners_of_window, "pixels along height have become channels"),
    (windows_by_row, "pixels along height have become channels"),
    (first_columns, "pixels along height have become channels"),
    (windows_of_patches, "pixels along height have become channels"),
    (alike, "height comes along two axes"),
    (first_of_last, "channels that see different things"),
]


@pytest.mark.parametrize(("move", "problem"), REFUSED, ids=lambda x: str(x)[:20])
@pytest.mark.parametrize("convolved", [False, True])
def test_what_is_no_one_window_is_refused_with_its_cause(
    move: Move, problem: str, *, convolved: bool
) -> None:
    module, net = asked(move, convolved=convolved)
    with pytest.raises(CostModelError, match=problem):
        cm.receptive_field(net).of(net.outputs[0]).region(1, 2)
    for position in positions(net):
        exactly = reached(module, position)
        assert np.array_equal(support(net, net.outputs[0], position), exactly)


@st.composite
def places(draw: st.DrawFn) -> tuple[Network, Node]:
    """Draw a bound network of moved pixels, tokens or products, and a node."""
    net = draw(st.one_of(tensor_networks(), product_networks()))
    symbols = {symbol.name: SIDE for symbol in net.free_symbols} | {"N": 1}
    net = net.bind(**{name: symbols[name] for name in map(str, net.free_symbols)})
    net = replace(net, batch=1)
    note(str(net))
    assume("bicubic" not in str(net))  # its weights are not positive
    return net, draw(st.sampled_from(net.nodes))


@given(places(), st.data())
def test_what_moves_is_followed_back_as_its_gradient_is(
    place: tuple[Network, Node], data: st.DataObject
) -> None:
    net, node = place
    position = tuple(data.draw(st.integers(0, n - 1)) for n in node.output.sizes[1:])
    try:
        found = support(net, node.name, position)
    except CostModelError as error:
        assert "is not kept" in str(error)  # noqa: PT017 - of a roll or a flip
        return
    exactly = gradient_support(net, node.name, position).numpy()
    assert np.array_equal(found, exactly)


@given(places(), st.data())
def test_a_field_is_what_gradients_reach_from_where_its_position_is(
    place: tuple[Network, Node], data: st.DataObject
) -> None:
    net, node = place
    if not net.inputs[0].output.spatial:
        return
    try:
        field = cm.receptive_field(net).of(node.name)
        at = tuple(data.draw(st.integers(0, 7)) for _ in field.size)
        said = field.region(*at)
    except CostModelError:
        return
    chosen = elements_at(net, node, at)
    if chosen is None:
        return
    exactly = gradient_support(net, node.name, chosen).numpy()
    bare = without_repeats(net)
    assert replace(field, repeats=None) == cm.receptive_field(bare).of(node.name)
    reached = gradient_support(bare, node.name, chosen).numpy().any(axis=0)
    if not np.array_equal(reached, exactly.any(axis=0)):
        assert field.repeats  # padding in which other pixels may be seen
    loses = any(isinstance(n.operator, op.Slice | op.Crop) for n in net.nodes)
    loses = loses or bool(remainders(net))  # pixels that no stride reaches
    for axis, (first, last) in enumerate(said):
        others = tuple(n for n in range(reached.ndim) if n != axis)
        span, size = np.flatnonzero(reached.any(axis=others)), reached.shape[axis]
        if len(span) == 0:
            continue
        ends = max(0, first), min(size - 1, last)
        assert ends[0] <= span[0]
        assert span[-1] <= ends[1]
        if not loses and (field.size[axis] == sympy.oo or (first, last) == ends):
            assert ends == (span[0], span[-1])


def without_repeats(net: Network) -> Network:
    """Return a network that pads with zeros what it pads with pixels."""
    layers = []
    for node in net.nodes:
        operator = node.operator
        if isinstance(operator, op.Pad):
            operator = replace(operator, mode="constant")
        elif isinstance(operator, op.Conv):
            operator = replace(operator, padding_mode="zeros")
        layers.append((node.name, operator, node.inputs))
    return Network.assemble(layers, net.outputs, net.name, net.batch)


def elements_at(net: Network, node: Node, at: tuple[int, ...]) -> torch.Tensor | None:
    """Return which elements are those of a position, where its axes are followed."""
    where = SpatialAxes(net).after(node)
    tensor = Placed(node.output, where)
    indices = np.indices(tensor.sizes)
    chosen = np.ones(tensor.sizes, dtype=bool)
    for place, index in zip(where, at, strict=True):
        shown = [
            digit for way in place.ways for digit in way
            if digit.axis not in tensor.hidden
        ]  # fmt: skip
        for digit in reversed(shown):
            size = int(tensor.size(digit))
            index, wanted = divmod(index, size)  # noqa: PLW2901
            chosen &= indices[digit.axis - 1] // int(digit.below) % size == wanted
        if shown and index:
            return None
    return torch.from_numpy(chosen)
