"""Hypothesis strategies for products of tensors, stored operands and interpolation.

@given(product_networks())
def test_an_analysis(net): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st

from costmodel.algebra.extent import Extent
from costmodel.algebra.symbols import Dim
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.operators.resizing import modes_of
from costmodel.network.shape import Shape


Draw = st.DrawFn
Layers: TypeAlias = "list[tuple[str, op.Operator, tuple[str, ...]]]"


@st.composite
def product_networks(draw: Draw, *, least: int = 1, most: int = 5) -> Network:
    """Draw a network of bound tokens or feature maps, of so many steps, and a batch."""
    sides = draw(st.lists(st.integers(2, 7), min_size=1, max_size=2))
    shape = Shape(draw(st.integers(2, 6)), tuple(map(Extent, sides)))
    layers: Layers = [("input", op.Input(shape), ())]
    for _ in range(draw(st.integers(least, most))):
        fitting = _BOTH + (_TOKENS if len(sides) == 1 else _MAPS)
        _put(layers, draw(st.sampled_from(fitting)), draw)
    return Network.assemble(layers, batch=draw(st.integers(2, 3)))


@st.composite
def enlarging_networks(draw: Draw, height: Dim, width: Dim) -> Network:
    """Draw a network that enlarges symbolic sides by convolution and interpolation."""
    shape = Shape(draw(st.integers(1, 4)), (Extent(height), Extent(width)))
    layers: Layers = [("input", op.Input(shape), ())]
    for _ in range(draw(st.integers(1, 4))):
        step = draw(st.sampled_from([_conv_transpose, _upsample, _bordered]))
        _put(layers, step, draw)
    return Network.assemble(layers)


Step: TypeAlias = Callable[[Draw, Shape], list[tuple[op.Operator, str]]]
"""A function of a shape that returns operators to append, with their operands.

One letter per operand: x for the step's input, p for the previous operator.
"""


def _put(layers: Layers, step: Step, draw: Draw) -> None:
    """Append the operators that a step draws."""
    x = layers[-1][0]
    net = Network.assemble(layers)
    for operator, reads in step(draw, net[x].output):
        before = layers[-1][0]
        inputs = tuple({"x": x, "p": before}[letter] for letter in reads)
        layers.append((f"{operator.kind}{len(layers)}", operator, inputs))


def _sizes(shape: Shape) -> tuple[Any, ...]:
    return shape.sizes


def _last_linear(draw: Draw, _x: Shape) -> list[tuple[op.Operator, str]]:
    layer = op.Linear(draw(st.integers(2, 7)), draw(st.booleans()))
    return [(layer, "x")]


def _matmul(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    """Multiply by a stored matrix, of all heads or of each."""
    *leading, inner = _sizes(x)
    columns = draw(st.integers(2, 6))
    heads = leading[:-1] if draw(st.booleans()) else []
    shape = _shape([*heads, inner, columns])
    stored = op.Parameter(shape, draw(st.booleans()))
    return [(stored, ""), (op.MatMul(), "xp")]


def _attention(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    """Attend to itself, perhaps under a stored bias."""
    if not draw(st.booleans()):
        return [(op.Attention(), "xxx")]
    rows = _sizes(x)[-2]
    return [(op.Parameter(Shape(rows, (Extent(rows),))), ""), (op.Attention(), "xxxp")]


def _einsum(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    """Multiply by itself, all rows with all rows or elementwise, or by a matrix."""
    if x.spatial[-1] == Extent(1):  # PyTorch counts no sum over an axis of 1
        return _attention(draw, x)
    letters = "nhqd" if len(x.spatial) > 1 else "nqd"
    other, heads = letters.replace("q", "k"), letters[:-2]
    if draw(st.booleans()):
        shape = Shape(_sizes(x)[-1], (Extent(draw(st.integers(2, 5))),))
        equation = f"{letters},de->{letters[:-1]}e"
        return [(op.Parameter(shape), ""), (op.Einsum(equation), "xp")]
    scores = f"{letters},{other}->{heads}qk"
    return [(op.Einsum(draw(st.sampled_from(
        [scores, f"{letters},{letters}->{letters}"]))), "xx")]  # fmt: skip


def _embedding(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    """Add a stored tensor, or put a token in front."""
    if draw(st.booleans()):
        return [(op.Parameter(x), ""), (op.Arithmetic("add"), "xp")]
    return [(op.Parameter(Shape(1, x.spatial)), ""), (op.Concat(), "px")]


def _conv1d(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    channels, length = _sizes(x)
    groups = draw(st.sampled_from([g for g in range(1, channels + 1)
                                   if channels % g == 0]))  # fmt: skip
    kernel, padding = draw(st.integers(1, min(4, length))), draw(st.integers(0, 2))
    stride, made = draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    fields = (made, (kernel,), (stride,), (padding,), (1,), groups)
    return [(op.Conv(*fields, bias=draw(st.booleans())), "x")]


def _conv_transpose(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    channels = _sizes(x)[0]
    groups = draw(st.sampled_from([1, channels]))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    most = [d * (k - 1) // 2 for k, d in zip(kernel, dilation)]
    padding = draw(st.tuples(*(st.integers(0, p) for p in most)))
    more = draw(st.tuples(*(st.integers(0, s - 1) for s in stride)))
    made = groups * draw(st.integers(1, 2))
    layer = op.ConvTranspose(
        made, kernel, stride, padding, more, dilation, groups, draw(st.booleans())
    )
    return [(layer, "x")]


def _bordered(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    """Convolve a feature map with a padding mode other than zeros."""
    modes = ["zeros", "replicate", "circular"]
    modes += [] if Extent(1) in x.spatial else ["reflect"]
    mode = draw(st.sampled_from(modes))
    layer = op.Conv(3, (3, 3), padding=(1, 1), padding_mode=mode)
    return [(layer, "x")]


def _upsample(draw: Draw, _x: Shape) -> list[tuple[op.Operator, str]]:
    scale = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    return [(op.Resize(draw(st.sampled_from(modes_of(2))), scale), "x")]


def _resize(draw: Draw, x: Shape) -> list[tuple[op.Operator, str]]:
    sides = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    shape = Shape(x.channels, tuple(map(Extent, sides)))
    return [(op.Resize(draw(st.sampled_from(modes_of(2))), shape=shape), "x")]


def _shape(sizes: list[Any]) -> Shape:
    return Shape(sizes[0], tuple(map(Extent, sizes[1:])))


_BOTH: list[Step] = [_last_linear, _matmul, _attention, _einsum, _embedding]
_TOKENS: list[Step] = [_conv1d]
_MAPS: list[Step] = [_conv_transpose, _bordered, _upsample, _resize]
