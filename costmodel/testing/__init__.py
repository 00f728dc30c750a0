"""Hypothesis strategies: windows, extents, shapes, operators, networks, genotypes.

Networks are drawn in the verbs of ``costmodel.network.build``; each is legal at every
input side from its own :meth:`Network.smallest` upwards, which is at most ``ROOMY``.

    @given(networks())
    def test_an_analysis(net): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim, H, W
from costmodel.algebra.window import Window, sliding
from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.build import Value, network, scope
from costmodel.network.building.builder import sample
from costmodel.network.cells.cell import OPERATIONS
from costmodel.network.cells.genotype import Genotype
from costmodel.network.graph import Network
from costmodel.network.shape import Shape


Draw = st.DrawFn
Strategy = st.SearchStrategy

ROOMY = 16
"""A side from which on every operator drawn for a symbolic shape is legal."""

CHANNELS = st.integers(1, 12)


@st.composite
def windows(draw: Draw) -> Window:
    """Draw the window of a convolution, of pooling with ceil_mode, or of a padding."""
    if draw(st.booleans()):
        return Window(before=draw(st.integers(0, 3)), after=draw(st.integers(0, 3)))
    kernel, stride = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    padding, dilation = draw(st.integers(0, kernel // 2)), draw(st.integers(1, 3))
    return sliding(kernel, stride, padding, dilation, ceil_mode=draw(st.booleans()))


@st.composite
def extents(draw: Draw, base: Dim = H) -> Extent:
    """Draw the extent of a side after a few windows, of at least one position."""
    extent = Extent(base)
    for window in draw(st.lists(windows(), max_size=5)):
        if _positions(extent.through(window)) >= 1:
            extent = extent.through(window)
    return extent


@st.composite
def shapes(draw: Draw) -> Shape:
    """Draw the shape of a vector, or of a feature map of known or symbolic size."""
    sides = draw(st.sampled_from([(), (ROOMY, ROOMY), (H, W)]))
    return Shape(draw(CHANNELS), tuple(draw(extents(side)) for side in sides))


@st.composite
def operators(draw: Draw, shape: Shape) -> op.Operator:
    """Draw an operator that takes one input of this shape.

    A symbolic side is taken to be ``ROOMY`` or more. A feature map of symbolic size is
    never flattened, since no layer of fixed weights could follow.
    """
    counted = type(shape.channels) is int
    moving = [_select, _shuffle] if counted else []
    if not shape.spatial:
        if counted and draw(st.booleans()):
            return draw(st.sampled_from(moving))(draw, shape)
        return draw(draw(st.sampled_from(_POINTWISE + _VECTOR)))
    known = all(type(extent.base) is int for extent in shape.spatial)
    sliding_over = [_conv, _conv, _pool, _pool, _pad]
    others = [*_POINTWISE, *_MAP, _zeros(shape), adaptive(shape)]
    if len(shape.spatial) == 2:
        sliding_over += [_subsample, *([_table_conv] if counted else [])]
        others.append(st.builds(op.LocalResponseNorm, st.integers(1, 7)))
    if draw(st.booleans()):
        return draw(st.sampled_from(sliding_over + moving))(draw, shape)
    return draw(
        draw(st.sampled_from(others + ([st.just(op.Flatten())] if known else [])))
    )


@st.composite
def networks(
    draw: Draw,
    *,
    height: Dim = H,
    width: Dim = W,
    sides: tuple[Dim, ...] = (),
    least: int = 2,
    most: int = 10,
) -> Network:
    """Draw a network of so many steps, and perhaps a classifier.

    A step is a layer, or a scope of several. ``height`` and ``width`` are free by
    default, or ``sides`` are one to three axes in their place; if all are numbers,
    feature maps may be flattened.
    """
    axes = tuple(map(Extent, sides or (height, width)))
    x = sample(Shape(draw(st.integers(1, 4)), axes))
    steps = draw(st.lists(st.sampled_from(_STEPS), min_size=least, max_size=most))
    for number, step in enumerate(steps, start=1):
        if step is _one or not (x.shape.spatial or step is _siamese):
            x = _one(draw, x)
        else:
            with scope(f"block{number}"):
                x = step(draw, x)
    return _tied(draw, network(_classify(draw, x) if draw(st.booleans()) else x))


@st.composite
def genotypes(draw: Draw, *, inputs: int | None = None, most: int = 4) -> Genotype:
    """Draw a cell of up to so many blocks, each of one to three operations."""
    inputs = draw(st.integers(1, 2)) if inputs is None else inputs
    operations = st.sampled_from(sorted(OPERATIONS))
    states = inputs + draw(st.integers(1, most))
    blocks = [
        draw(st.lists(st.tuples(operations, st.integers(0, state - 1)), min_size=1,
                      max_size=3))
        for state in range(inputs, states)
    ]  # fmt: skip
    output = draw(st.lists(st.integers(0, states - 1), unique=True))
    return Genotype(blocks, output, inputs)


def input_sizes(net: Network, more: int = 24) -> Strategy[tuple[int, int]]:
    """Draw (height, width) from the smallest legal one up to ``more`` above it."""
    height, width = net.smallest(H)[0], net.smallest(W)[0]
    up = st.integers(0, more)
    return st.tuples(up.map(height.__add__), up.map(width.__add__))


def layer(x: Value, operator: op.Operator) -> Value:
    """Append a drawn operator by its verb."""
    kind = type(operator).kind
    verb: Callable[..., Value] = getattr(build, build.RENAMED.get(kind, kind))
    return verb(x, **operator.attributes)


def _positions(extent: Extent) -> int:
    """Return the number of positions; a symbolic side is taken to be ROOMY."""
    base = extent.base if type(extent.base) is int else ROOMY
    count = (base + extent.offset) // extent.stride
    return count if type(count) is int else ROOMY


@st.composite
def _axis(draw: Draw, extent: Extent, *, pool: bool) -> tuple[int, int, int, int]:
    """Draw kernel, stride, padding and dilation that fit along one axis."""
    room = max(1, _positions(extent))
    kernel = draw(st.integers(1, min(5, room)))
    padding = draw(st.integers(0, kernel // 2 if pool else 2))
    dilation = draw(st.integers(1, 2 if 2 * (kernel - 1) + 1 <= room else 1))
    return kernel, draw(st.integers(1, 3)), padding, dilation


def _axes(draw: Draw, shape: Shape, *, pool: bool = False) -> list[Any]:
    """Draw kernel, stride, padding and dilation, each with a number per axis."""
    axes = [draw(_axis(extent, pool=pool)) for extent in shape.spatial]
    return list(zip(*axes, strict=True))


def _conv(draw: Draw, shape: Shape) -> op.Operator:
    groups = _divisor(draw, shape.channels if type(shape.channels) is int else 1)
    channels = groups * draw(st.integers(1, max(1, 12 // groups)))
    kernel, stride, padding, dilation = _axes(draw, shape)
    sizes = kernel, stride, padding, dilation
    return op.Conv(channels, *sizes, groups, draw(st.booleans()))


def _table_conv(draw: Draw, shape: Shape) -> op.Operator:
    maps = st.integers(0, int(shape.channels) - 1)
    row = st.lists(maps, min_size=1, max_size=3, unique=True).map(tuple)
    table = draw(st.lists(row, min_size=1, max_size=4).map(tuple))
    return op.TableConv2d(table, _axes(draw, shape)[0])


def _pool(draw: Draw, shape: Shape) -> op.Operator:
    kernel, stride, padding, dilation = _axes(draw, shape, pool=True)
    ceil_mode, average = draw(st.booleans()), draw(st.booleans())
    if average and len(kernel) > 2:  # PyTorch takes none of a volume that is smaller
        return op.AvgPool(kernel, stride)
    if average:
        return op.AvgPool(kernel, stride, padding, ceil_mode, draw(st.booleans()))
    return op.MaxPool(kernel, stride, padding, dilation, ceil_mode)


def _subsample(draw: Draw, shape: Shape) -> op.Operator:
    return op.Subsample2d(_axes(draw, shape)[0])


def _pad(draw: Draw, shape: Shape) -> op.Operator:
    """Draw padding with zeros at the ends of all axes, or cropping of one in front."""
    taken = [1 if _positions(extent) > 1 else 0 for extent in shape.spatial]
    before = tuple(draw(st.integers(-most, 3)) for most in taken)
    after = draw(_each(st.integers(0, 3), shape))
    return op.Pad((0, *before), (0, *after))


def _each(numbers: Strategy[int], shape: Shape) -> Strategy[Any]:
    """Draw a number for each spatial axis."""
    return st.tuples(*(numbers for _ in shape.spatial))


def _zeros(shape: Shape) -> Strategy[op.Operator]:
    return st.builds(op.Zeros, CHANNELS, _each(st.integers(1, 3), shape))


def adaptive(shape: Shape) -> Strategy[op.Operator]:
    """Draw a pooling to a fixed number of windows along each axis."""
    sizes = _each(st.integers(1, 4), shape)
    return st.one_of(
        st.builds(op.AdaptiveAvgPool, sizes), st.builds(op.AdaptiveMaxPool, sizes)
    )


def _select(draw: Draw, shape: Shape) -> op.Operator:
    start = draw(st.integers(0, int(shape.channels) - 1))
    channels = draw(st.integers(1, int(shape.channels) - start))
    return op.Slice(1, start, length=channels)


def _shuffle(draw: Draw, shape: Shape) -> op.Operator:
    return op.ChannelShuffle(_divisor(draw, int(shape.channels)))


def _divisor(draw: Draw, count: int) -> int:
    """Draw a divisor of a number of channels."""
    return draw(st.sampled_from([g for g in range(1, count + 1) if count % g == 0]))


_ACTIVATION: Strategy[op.Operator] = st.sampled_from([
    op.Pointwise(name)
    for name, row in op.FUNCTIONS.items()
    if row.runtime != "pointwise"
])  # fmt: skip
"""Functions that have kernels of their own: the usual activations."""
_POINTWISE: list[Strategy[op.Operator]] = [
    st.sampled_from([op.Identity(), op.Softmax()]),
    _ACTIVATION,
    st.builds(op.Dropout, st.integers(0, 90)),
]
_VECTOR: list[Strategy[op.Operator]] = [
    st.builds(op.Linear, CHANNELS, st.booleans()),
    st.builds(op.RadialBasis, CHANNELS),
]
_MAP: list[Strategy[op.Operator]] = [
    st.builds(op.BatchNorm, st.booleans()),
    st.builds(op.Pad, st.tuples(st.integers(0, 3)), st.tuples(st.integers(0, 3))),
]


def _one(draw: Draw, x: Value) -> Value:
    return layer(x, draw(operators(x.shape)))


def _same(draw: Draw, x: Value, channels: Dim, stride: int = 1) -> Value:
    """Convolve with a kernel and padding that leave ⌈side/stride⌉ positions."""
    kernel, dilation = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 2))
    return build.conv(x, channels, kernel, stride, dilation=dilation)


def _residual(draw: Draw, x: Value) -> Value:
    """Add one or two convolutions of the input to the input: a residual block."""
    branches = [_same(draw, x, x.channels) for _ in range(draw(st.integers(1, 2)))]
    return build.add(x, *branches)


def _projection(draw: Draw, x: Value) -> Value:
    """Add a strided 1×1 convolution of the input: a projection shortcut."""
    channels, stride = draw(CHANNELS), draw(st.integers(1, 3))
    y = build.batch_norm(_same(draw, x, channels, stride))
    return build.add(y, build.conv(x, channels, kernel=1, stride=stride, bias=False))


def _branches(draw: Draw, x: Value) -> Value:
    """Concatenate a convolution, a max pool and perhaps the input, as in Inception."""
    stride = draw(st.integers(1, 2))
    pooled = build.max_pool(x, 3, stride, padding=1)
    values = [_same(draw, x, draw(st.integers(1, 4)), stride), pooled]
    return build.concat(*values, *([x] if stride == 1 else []))


def _excite(draw: Draw, x: Value) -> Value:
    """Multiply each channel by a gate: squeeze and excitation."""
    squeezed = build.conv(build.global_average_pool(x), draw(CHANNELS), kernel=1)
    gate = build.conv(layer(squeezed, draw(_ACTIVATION)), x.channels, kernel=1)
    return build.multiply(x, build.activation(gate, "sigmoid"))


def _attend(draw: Draw, x: Value) -> Value:
    """Multiply each position by a gate of a single channel, on either side."""
    gate = layer(_same(draw, x, 1), draw(_ACTIVATION))
    return build.multiply(gate, x) if draw(st.booleans()) else build.multiply(x, gate)


def _exchange(draw: Draw, x: Value) -> Value:
    """Convolve some parts of the channels, keep the first, and shuffle (ShuffleNet)."""
    kept, *others = build.split(x, _divisor(draw, int(x.channels)))
    others = [_same(draw, part, draw(st.integers(1, 4))) for part in others]
    x = build.concat(kept, *others) if others else kept
    return build.channel_shuffle(x, _divisor(draw, int(x.channels)))


def _siamese(draw: Draw, x: Value) -> Value:
    """Call one layer on a tensor, on a function of it, and on its own result."""
    channels, bias = int(x.channels), draw(st.booleans())
    layers: list[op.Operator] = [op.Linear(channels, bias)]
    if x.shape.spatial:
        ones = (1,) * len(x.shape.spatial)
        layers = [op.BatchNorm(bias), op.Conv(channels, ones, bias=bias)]
    again = draw(st.sampled_from(layers))
    one, other = layer(x, again), layer(layer(x, draw(_ACTIVATION)), again)
    if draw(st.booleans()):
        other = layer(other, again)
    return build.add(one, other)


def _tied(draw: Draw, net: Network) -> Network:
    """Let some layers use the weights of an earlier one like them."""
    first: dict[Any, str] = {}
    shared: dict[str, str] = {}
    for node in net.nodes:
        weights = net.weights_of(node)
        key = node.operator, *(weight.shape for weight in weights.values())
        if weights and first.setdefault(key, node.name) != node.name:
            shared |= {node.name: first[key]} if draw(st.booleans()) else {}
    nodes, (outputs, name) = net.by_name, (net.outputs, net.name)
    return Network.of_nodes(nodes, outputs, name, net.batch, shared=shared)


def _classify(draw: Draw, x: Value) -> Value:
    """Pool to a fixed size, then classify by a linear layer or by fixed codes."""
    if x.shape.spatial:
        x = layer(x, draw(adaptive(x.shape)))
    if draw(st.booleans()) and x.shape.spatial:
        x = build.linear(build.global_average_pool(x), draw(CHANNELS))
    elif x.shape.spatial:
        x = build.flatten(x)
    return layer(x, draw(st.one_of(_VECTOR)))


_Step = Callable[[Draw, Value], Value]
_STEPS: list[_Step] = [_one, _one, _one, _one, _residual, _projection, _branches,
                       _excite, _attend, _exchange, _siamese]  # fmt: skip


@st.composite
def partly_trained(draw: Draw, net: Network) -> Network:
    """Draw which weights of a network are trained, and where gradients stop.

    Of a node's weights all are frozen, none, only its biases or all but these; some
    nodes run without autograd, and identities there are detached tensors. Not so views:
    made without autograd, they keep the graph of what they view.
    """
    makers = [node.name for node in net.nodes if _makes_a_tensor(node.operator)]
    stops = draw(st.sets(st.sampled_from(makers), max_size=3)) if makers else set()
    frozen = draw(st.sets(st.sampled_from(list(net.by_name))))
    for node in net.nodes:
        weights = [key for key, w in net.weights_of(node).items() if w.learnable]
        if node.name in frozen and weights:
            wanted = draw(st.sampled_from([("",), ("bias",), ("weight",)]))
            stops |= {f"{node.name}.{key}" for key in weights if key.endswith(wanted)}
    return replace(net, no_gradient=frozenset(stops))


@st.composite
def with_checkpoints(draw: Draw, net: Network, *, reentrant: bool = False) -> Network:
    """Draw parts of a network, of nodes one after another, that run again."""
    names = [node.name for node in net.nodes if not node.operator.is_input]
    cuts = st.sets(st.integers(0, len(names)), min_size=2, max_size=6)
    ends = sorted(draw(cuts)) if names else []
    found = [
        Checkpoint(tuple(names[first:last]), stops_early=not reentrant)
        for first, last in zip(ends[::2], ends[1::2], strict=False)
    ]
    return replace(net, checkpoints=tuple(found))


def _makes_a_tensor(operator: op.Operator) -> bool:
    """Say whether an operator's result is a tensor of its own, or a detached one."""
    if isinstance(operator, (op.Source, op.Dropout, op.ChannelShuffle)):
        return False
    return isinstance(operator, op.Identity) or not operator.view
