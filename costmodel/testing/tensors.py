"""Hypothesis strategies for networks of tensors of any rank: tokens, parts, products.

Networks start from an image, tokens or a vector, and have operators that move, split
and merge axes. Each is legal if both sides are ``ROOMY`` or more.

    @given(tensor_networks())
    def test_an_analysis(net): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import strategies as st

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import H, W
from costmodel.algebra.window import Window
from costmodel.network import operators as op
from costmodel.network.axes import along, enlarged, extents, rank, replaced, shaped
from costmodel.network.building.builder import Value, apply, network, sample
from costmodel.network.graph import Network
from costmodel.network.operators.rearrangement.views import COPIES
from costmodel.network.operators.reduction import REDUCTIONS
from costmodel.network.shape import Shape
from costmodel.testing import ROOMY


Draw = st.DrawFn
TRUTHS = {name for name, row in op.ARITHMETIC.items() if row.is_truth}
"""Operations with Boolean results, which few operators accept."""
PAIRS = sorted(
    name
    for name, row in op.ARITHMETIC.items()
    if not (row.needs_number or name in TRUTHS)
)
"""Operations on two tensors whose results are numbers."""
COMPILED = sorted(
    name
    for name, row in op.FUNCTIONS.items()
    if row.torch and Ellipsis not in row.constants.values()
)
"""Functions that PyTorch has without further constants."""
Step: TypeAlias = Callable[[Draw, Value], Value]


@st.composite
def tensor_networks(draw: Draw, *, least: int = 1, most: int = 8) -> Network:
    """Draw a network of so many steps, each an operator that fits the last shape."""
    image = Shape(draw(st.integers(1, 8)), (Extent(H), Extent(W)))
    sides = draw(st.sampled_from([(8, 12), (16, 16), (12, 8)]))
    known_image = Shape(draw(st.integers(1, 4)), tuple(map(Extent, sides)))
    tokens = Shape(draw(st.integers(2, 6)), (Extent(draw(st.integers(2, 8))),))
    vector = Shape(draw(st.integers(2, 12)))
    images = [image, image, known_image, tokens, vector]
    x = sample(draw(st.sampled_from(images)))
    if draw(st.booleans()):  # what follows gets a gradient
        x = put(x, op.PReLU(1))
    for _ in range(draw(st.integers(least, most))):
        fitting = [step for step, fits in STEPS.items() if fits(x.shape)]
        x = draw(st.sampled_from(fitting))(draw, x)
    return network(x)


def put(x: Value, operator: op.Operator, *others: Value) -> Value:
    """Append a drawn operator after one or several values."""
    fields = operator.attributes.values()
    return apply(type(operator), [x, *others], None, *fields)


def known(extent: Extent) -> int | None:
    """Return the number of positions, if it is known."""
    return extent.base if type(extent.base) is int else None


def _axis(draw: Draw, x: Value) -> int:
    return draw(st.integers(1, rank(x.shape)))


def _positions(extent: Extent) -> int:
    """Return the positions at sides of ``ROOMY``."""
    size = extent.bind({H: ROOMY, W: ROOMY}).base
    return size if type(size) is int else ROOMY


def _pointwise(draw: Draw, x: Value) -> Value:
    kinds: list[st.SearchStrategy[op.Operator]] = [
        st.builds(op.Pointwise, st.sampled_from(COMPILED)),
        st.builds(
            op.Arithmetic,
            st.sampled_from(sorted(op.ARITHMETIC.keys() - {"clamp"} - TRUTHS)),
            st.sampled_from(["2", "0.5", "3"]),
        ),
        st.just(op.Arithmetic("clamp", "0, 6")),
        st.sampled_from([*map(op.Copy, COPIES), op.PReLU(1)]),
    ]
    return put(x, draw(st.one_of(kinds)))


def _binary(draw: Draw, x: Value) -> Value:
    """Combine a tensor with itself, or with its mean along an axis."""
    operation = draw(st.sampled_from(PAIRS))
    if draw(st.booleans()):
        return put(x, op.Arithmetic(operation), x)
    mean = put(x, op.Reduce("mean", (_axis(draw, x),), keep=True, everywhere=True))
    pair = (x, mean) if draw(st.booleans()) else (mean, x)
    return put(pair[0], op.Arithmetic(operation), pair[1])


def _along_an_axis(draw: Draw, x: Value) -> Value:
    axis, log = _axis(draw, x), draw(st.booleans())
    layer = draw(st.sampled_from([op.Softmax(axis, log), op.Cumulate(axis)]))
    return put(x, layer)


def _last_norm(draw: Draw, x: Value) -> Value:
    """Normalize over some last axes, which have known sizes."""
    sides = extents(x.shape)
    most = next((n for n, e in enumerate(reversed(sides)) if known(e) is None), None)
    axes = draw(st.integers(1, len(sides) if most is None else most))
    affine, bias = draw(st.booleans()), draw(st.booleans())
    layers = [op.LayerNorm(axes, affine, bias), op.RMSNorm(axes, affine)]
    return put(x, draw(st.sampled_from(layers)))


def _channel_norm(draw: Draw, x: Value) -> Value:
    channels, affine = int(x.shape.channels), draw(st.booleans())
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    layers: list[op.Operator] = [op.PReLU(channels), op.BatchNorm(affine)]
    layers.append(op.GroupNorm(draw(st.sampled_from(divisors)), affine))
    if len(x.shape.spatial) == 2 and any(_positions(e) > 1 for e in x.shape.spatial):
        layers.append(op.InstanceNorm(affine))
    return put(x, draw(st.sampled_from(layers)))


def _reduce(draw: Draw, x: Value) -> Value:
    axes = draw(st.lists(st.integers(1, rank(x.shape)), min_size=1, unique=True))
    keep = len(axes) == rank(x.shape) or draw(st.booleans())
    operation = draw(st.sampled_from(sorted(REDUCTIONS)))
    return put(x, op.Reduce(operation, tuple(axes), keep, max(axes) > 1))


def _merge(draw: Draw, x: Value) -> Value:
    """Merge two adjacent axes, to a product of extents."""
    sides, first = list(extents(x.shape)), draw(st.integers(0, rank(x.shape) - 2))
    one, other = sides[first : first + 2]
    sides[first : first + 2] = [enlarged(other, one.value)]
    return put(x, op.Reshape(shaped(sides)))


def _split(draw: Draw, x: Value) -> Value:
    """Split an axis of known size into two."""
    sides = list(extents(x.shape))
    axes = [a for a, e in enumerate(sides) if known(e) is not None]
    axis = draw(st.sampled_from(axes))
    size = sides[axis].base
    part = draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
    sides[axis : axis + 1] = [Extent(part), Extent(size // part)]
    return put(x, op.Reshape(shaped(sides)))


def _blocks(draw: Draw, x: Value) -> Value:
    """Split both sides into blocks, in front of their pixels or behind them.

    Pixels or blocks may then be averaged, or become channels; or they are put together
    again, perhaps after they were mixed along one axis.
    """
    channels, height, width = (int(size) for size in x.shape.sizes)
    side = draw(st.sampled_from([n for n in (2, 4) if height % n == width % n == 0]))
    sizes = (channels, height // side, side, width // side, side)
    y = put(x, op.Reshape(shaped(map(Extent, sizes))))
    pixels = draw(st.booleans())
    ways = [_channelled, _averaged, _rebuilt] if pixels else [_averaged, _rebuilt]
    return draw(st.sampled_from(ways))(draw, y)


def _channelled(draw: Draw, x: Value) -> Value:
    """Make channels of the pixels of blocks, by hand: space to depth."""
    channels, rows, high, columns, wide = (int(size) for size in x.shape.sizes)
    y = put(x, op.Permute(draw(st.sampled_from([(1, 3, 5, 2, 4), (3, 5, 1, 2, 4)]))))
    return put(
        y, op.Reshape(shaped(map(Extent, (channels * high * wide, rows, columns))))
    )


def _averaged(draw: Draw, x: Value) -> Value:
    axes = draw(st.sampled_from([(3, 5), (2, 4), (3,), (5,)]))
    return put(x, op.Reduce("mean", axes, draw(st.booleans()), everywhere=True))


def _rebuilt(draw: Draw, x: Value) -> Value:
    """Put blocks together again, after something was done along an axis."""
    channels, rows, high, columns, wide = (int(size) for size in x.shape.sizes)
    layers = [op.Identity(), op.Softmax(draw(st.integers(1, 5))), op.Linear(wide)]
    y = put(x, draw(st.sampled_from(layers)))
    whole = channels, rows * high, columns * wide
    return put(y, op.Reshape(shaped(map(Extent, whole))))


def _permute(draw: Draw, x: Value) -> Value:
    order = draw(st.permutations(range(1, rank(x.shape) + 1)))
    return put(x, op.Permute(tuple(order)))


def _repeat(draw: Draw, x: Value) -> Value:
    axis, times = _axis(draw, x), draw(st.integers(1, 3))
    longer = enlarged(along(x.shape, axis), times)
    return put(x, op.Repeat(replaced(x.shape, axis, longer)))


def _expand(draw: Draw, x: Value) -> Value:
    """Expand the mean along an axis to that axis again."""
    mean = put(x, op.Reduce("mean", (_axis(draw, x),), keep=True, everywhere=True))
    return put(mean, op.Expand(x.shape))


def _part(draw: Draw, x: Value) -> Value:
    """Take a slice of an axis, or its first elements."""
    axis = _axis(draw, x)
    extent = along(x.shape, axis)
    count = _positions(extent)
    start = draw(st.integers(0, min(3, count - 1)))
    end = draw(st.integers(0, min(3, count - 1 - start)))
    step = draw(st.integers(1, 3))
    length = 1 + draw(st.integers(0, (count - 1 - start) // step))
    shorter = extent.through(Window(after=-end))
    return put(x, draw(st.sampled_from([
        op.Slice(axis, start, length=length, step=step),
        op.Slice(axis, start, end, step=step),
        op.Crop(replaced(x.shape, axis, shorter)),
    ])))  # fmt: skip


def _longer(draw: Draw, x: Value) -> Value:
    axis, before = _axis(draw, x), draw(st.integers(0, 2))
    after = draw(st.integers(0, 3))
    longer = along(x.shape, axis).through(Window(after=after))
    in_front = (0,) * (axis - 1)
    return put(x, draw(st.sampled_from([
        op.Pad((*in_front, before), (*in_front, after)),
        op.PadTo(replaced(x.shape, axis, longer)),
    ])))  # fmt: skip


def _concat(draw: Draw, x: Value) -> Value:
    """Concatenate a tensor with itself, or with a part of it, along any axis."""
    axis = _axis(draw, x)
    part = put(x, op.Slice(axis, step=draw(st.integers(1, 2))))
    return put(x, op.Concat(axis), part)


def _pad(draw: Draw, x: Value) -> Value:
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    most = min(2, *(_positions(e) - 1 for e in x.shape.spatial))
    sides = st.tuples(st.integers(0, most), st.integers(0, most))
    return put(x, op.Pad((0, *draw(sides)), (0, *draw(sides)), mode))


def _unfold(draw: Draw, x: Value) -> Value:
    kernel = tuple(draw(st.integers(1, min(3, _positions(e)))) for e in x.shape.spatial)
    strides = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    return put(x, op.Unfold(kernel, strides))


def _shuffle(draw: Draw, x: Value) -> Value:  # noqa: ARG001 - nothing is drawn
    """Concatenate a feature map four times, and shuffle channels to positions."""
    four = put(x, op.Concat(1), x, x, x)
    return put(four, op.PixelShuffle(2))


def _unshuffle(draw: Draw, x: Value) -> Value:  # noqa: ARG001
    """Concatenate a feature map along both sides, and move positions to channels."""
    wide = put(x, op.Concat(3), x)
    return put(put(wide, op.Concat(2), wide), op.PixelUnshuffle(2))


def _always(shape: Shape) -> bool:  # noqa: ARG001
    return True


def _counted(shape: Shape) -> bool:
    return type(shape.channels) is int and len(shape.spatial) <= 3


def _map(shape: Shape) -> bool:
    return len(shape.spatial) == 2


STEPS: dict[Step, Callable[[Shape], bool]] = {
    _pointwise: _always,
    _binary: _always,
    _along_an_axis: _always,
    _last_norm: lambda shape: known(extents(shape)[-1]) is not None,
    _channel_norm: _counted,
    _reduce: _always,
    _merge: lambda shape: rank(shape) > 1,
    _split: lambda shape: any(known(e) is not None for e in extents(shape)),
    _blocks: lambda shape: (
        _map(shape)
        and all(isinstance(n, int) and n % 2 == 0 for n in shape.sizes[1:])
        and type(shape.channels) is int
    ),
    _permute: _always,
    _repeat: _always,
    _expand: _always,
    _part: _always,
    _longer: _always,
    _concat: _always,
    _pad: _map,
    _unfold: _map,
    _shuffle: _map,
    _unshuffle: _map,
}
"""Steps of a network, and the condition on the shape that each accepts."""
