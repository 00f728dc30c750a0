"""The four facts of every operator, with the arithmetic beside each number."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.extent import Extent, resolve
from costmodel.algebra.symbols import Dim, H, W, is_equal, symbol
from costmodel.algebra.tally import KINDS, Tally
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.operators import OPERATORS, Operator
from costmodel.network.shape import Shape
from costmodel.testing import ROOMY, operators, shapes


POINT: tuple[Window, ...] = ()
EVERYTHING = None


def maps(channels: Dim, height: Dim, width: Dim) -> Shape:
    return Shape(channels, (Extent(height), Extent(width)))


@dataclass(frozen=True)
class Case:
    """An operator on some inputs, and its four facts."""

    operator: Operator
    inputs: tuple[Shape, ...]
    output: Shape
    tally: Tally
    window: tuple[Window, ...] | None = POINT
    weights: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    buffers: frozenset[str] = frozenset()


IMAGE = maps(4, 6, 5)  # 4·6·5 = 120 elements
VECTOR = Shape(10)
TOKENS = Shape(6, (Extent(4),))
VECTORS = Shape(4, (Extent(3), Extent(5)))

CASES = [
    Case(op.Input(IMAGE), (), IMAGE, Tally()),
    Case(
        op.Conv(8, (3, 5), (2, 1), (1, 2), (1, 1), groups=2),
        (IMAGE,),
        maps(8, 3, 5),  # ⌊(6 + 2 − 3)/2⌋ + 1, 5 + 4 − 5 + 1
        Tally(mac=8 * 2 * 3 * 5 * 3 * 5, add=8 * 3 * 5),  # taps · positions, bias
        (Window(3, 2, 1, 1), Window(5, 1, 2, 2)),
        {"weight": (8, 2, 3, 5), "bias": (8,)},  # 4/2 input channels a group
    ),
    Case(
        op.Conv(3, (3, 3), dilation=(2, 1), bias=False),
        (IMAGE,),
        maps(3, 2, 3),  # 6 − 5 + 1, 5 − 3 + 1
        Tally(mac=3 * 4 * 3 * 3 * 2 * 3),
        (Window(5), Window(3)),  # 2·(3−1) + 1
        {"weight": (3, 4, 3, 3)},
    ),
    Case(
        op.TableConv2d(((0, 1), (1, 2, 3)), (3, 2)),
        (IMAGE,),
        maps(2, 4, 4),  # 6 − 3 + 1, 5 − 2 + 1
        Tally(mac=5 * 3 * 2 * 4 * 4, add=2 * 4 * 4),  # 2 + 3 kernels of 3×2
        (Window(3), Window(2)),
        {
            "maps.0.weight": (1, 2, 3, 2), "maps.0.bias": (1,),
            "maps.1.weight": (1, 3, 3, 2), "maps.1.bias": (1,),
        },
    ),
    Case(
        op.Linear(7),
        (VECTOR,),
        Shape(7),
        Tally(mac=70, add=7),  # 7·10 weights, 7 biases
        POINT,
        {"weight": (7, 10), "bias": (7,)},
    ),
    Case(
        op.Linear(7, bias=False),
        (VECTOR,),
        Shape(7),
        Tally(mac=70),
        POINT,
        {"weight": (7, 10)},
    ),
    Case(
        op.RadialBasis(7),
        (VECTOR,),
        Shape(7),
        Tally(mac=70, add=70),  # subtract, then square and accumulate
        EVERYTHING,
        {"weight": (7, 10)},
        frozenset({"weight"}),
    ),
    Case(
        op.BatchNorm(),
        (IMAGE,),
        IMAGE,
        Tally(mul=120, add=120),
        POINT,
        {
            "weight": (4,), "bias": (4,), "running_mean": (4,), "running_var": (4,),
            "num_batches_tracked": (),
        },
        frozenset({"running_mean", "running_var", "num_batches_tracked"}),
    ),
    Case(
        op.BatchNorm(affine=False),
        (IMAGE,),
        IMAGE,
        Tally(mul=120, add=120),
        POINT,
        {"running_mean": (4,), "running_var": (4,), "num_batches_tracked": ()},
        frozenset({"running_mean", "running_var", "num_batches_tracked"}),
    ),
    Case(
        op.LocalResponseNorm(5),
        (IMAGE,),
        IMAGE,
        # square and scale; 5 − 1 sums and the shift; a power; a division
        Tally(mul=240, add=600, exp=120, div=120),
    ),
    Case(op.Pointwise("relu"), (IMAGE,), IMAGE, Tally(compare=120)),
    Case(op.Pointwise("relu"), (VECTOR,), VECTOR, Tally(compare=10)),
    Case(op.Pointwise("relu6"), (IMAGE,), IMAGE, Tally(compare=240)),
    Case(op.Pointwise("sigmoid"), (IMAGE,), IMAGE, Tally(exp=120, add=120, div=120)),
    Case(op.Pointwise("silu"), (IMAGE,), IMAGE, Tally(exp=120, add=120, div=120)),
    # tanh x = 1 − 2/(e^2x + 1): 2x; e; + 1; 2/…; 1 − …
    Case(op.Pointwise("tanh"), (IMAGE,), IMAGE,
         Tally(mul=120, exp=120, add=240, div=120)),
    Case(op.Pointwise("scaled_tanh"), (IMAGE,), IMAGE,
         Tally(mul=360, exp=120, add=240, div=120)),
    Case(op.Pointwise("hardsigmoid"), (IMAGE,), IMAGE,
         Tally(add=120, compare=240, div=120)),
    Case(
        op.Pointwise("hardswish"), (IMAGE,), IMAGE,
         Tally(add=120, compare=240, mul=120, div=120)
    ),
    Case(op.Pointwise("hardtanh"), (IMAGE,), IMAGE, Tally(compare=240)),
    Case(
        op.Softmax(),
        (IMAGE,),
        IMAGE,
        # at 30 positions: 3 comparisons, 4 + 3 additions, 4 exp, 4 divisions
        Tally(compare=90, add=210, exp=120, div=120),
    ),
    Case(
        op.Softmax(), (VECTOR,), VECTOR, Tally(compare=9, add=19, exp=10, div=10)
    ),
    Case(op.Identity(), (IMAGE,), IMAGE, Tally()),
    Case(op.Dropout(20), (VECTOR,), VECTOR, Tally()),
    Case(
        op.MaxPool((3, 2), (2, 2), (1, 0)),
        (IMAGE,),
        maps(4, 3, 2),  # ⌊(6 + 2 − 3)/2⌋ + 1, ⌊(5 − 2)/2⌋ + 1
        Tally(compare=5 * 4 * 3 * 2),  # 3·2 − 1 comparisons an output
        (Window(3, 2, 1, 1), Window(2, 2)),
    ),
    Case(
        op.MaxPool((3, 3), (2, 2), (0, 0), (1, 2), ceil_mode=True),
        (IMAGE,),
        maps(4, 3, 1),  # ⌈(6 − 3)/2⌉ + 1, (5 − 5)/2 + 1
        Tally(compare=8 * 4 * 3 * 1),
        (Window(3, 2, 0, 1), Window(5, 2, 0, 1)),
    ),
    Case(
        op.AvgPool((2, 2), (2, 2), ceil_mode=True),
        (IMAGE,),
        maps(4, 3, 3),  # 6/2, ⌈5/2⌉
        Tally(add=3 * 4 * 3 * 3, div=4 * 3 * 3),
        (Window(2, 2, 0, 1), Window(2, 2, 0, 1)),
    ),
    Case(
        op.Subsample2d((2, 3)),
        (IMAGE,),
        maps(4, 3, 1),  # 6/2, ⌊5/3⌋
        Tally(add=6 * 12, mul=12),  # 2·3 − 1 sums and the bias; the coefficient
        (Window(2, 2), Window(3, 3)),
        {"weight": (4,), "bias": (4,)},
    ),
    Case(
        op.AdaptiveAvgPool(),
        (IMAGE,),
        maps(4, 1, 1),
        Tally(add=4 * 29, div=4),  # 6·5 − 1 additions a channel
        EVERYTHING,
    ),
    Case(
        op.AdaptiveAvgPool((4, 5)),
        (IMAGE,),
        maps(4, 4, 5),
        # windows on 6 rows: 0–1, 1–2, 3–4, 4–5, which read 8; on 5 columns 5
        Tally(add=4 * (8 * 5 - 4 * 5), div=4 * 4 * 5),
        EVERYTHING,
    ),
    Case(
        op.AdaptiveMaxPool((3, 2)),
        (IMAGE,),
        maps(4, 3, 2),
        # 6 rows; columns 0–2 and 2–4, which read 6
        Tally(compare=4 * (6 * 6 - 3 * 2)),
        EVERYTHING,
    ),
    Case(op.Arithmetic("add"), (IMAGE,) * 3, IMAGE, Tally(add=2 * 120)),
    Case(op.Arithmetic("multiply"), (IMAGE, maps(4, 1, 1)), IMAGE, Tally(mul=120)),
    Case(op.Arithmetic("multiply"), (maps(1, 6, 5), IMAGE), IMAGE, Tally(mul=120)),
    Case(op.Arithmetic("multiply"), (maps(4, 6, 1), maps(1, 1, 5)), IMAGE,
         Tally(mul=120)),
    Case(op.Concat(), (IMAGE, maps(3, 6, 5)), maps(7, 6, 5), Tally()),  # 4 + 3
    Case(op.Flatten(), (IMAGE,), Shape(120), Tally()),
    Case(
        op.Pad((0, 1, 0), (0, 2, 3)),
        (IMAGE,),
        maps(4, 9, 8),  # 6 + 1 + 2, 5 + 0 + 3
        Tally(),
        (Window(before=1, after=2), Window(before=0, after=3)),
    ),
    Case(
        op.Pad((0, -1, 2), (0, 1, -3)),
        (IMAGE,),
        maps(4, 6, 4),  # 6 − 1 + 1, 5 + 2 − 3
        Tally(),
        (Window(before=-1, after=1), Window(before=2, after=-3)),
    ),
    Case(
        op.Zeros(7, (2, 3)),
        (IMAGE,),
        maps(7, 3, 2),  # ⌈6/2⌉, ⌈5/3⌉
        Tally(),
        (Window(stride=2), Window(stride=3)),
    ),
    Case(op.Pad((1,), (2,)), (IMAGE,), maps(7, 6, 5), Tally()),  # 1 + 4 + 2
    Case(op.Slice(1, 1, length=2), (IMAGE,), maps(2, 6, 5), Tally()),
    Case(op.Slice(1, 0, length=10), (VECTOR,), VECTOR, Tally()),  # all of them
    Case(op.ChannelShuffle(2), (IMAGE,), IMAGE, Tally()),
    Case(op.ChannelShuffle(5), (VECTOR,), VECTOR, Tally()),
    Case(op.Pad((0, 1, 0), (0, 2, 3), "reflect"), (IMAGE,), maps(4, 9, 8), Tally(),
         (Window(before=1, after=2), Window(before=0, after=3))),
    Case(op.BatchNorm(affine=False), (VECTOR,), VECTOR, Tally(mul=10, add=10), POINT,
         {"running_mean": (10,), "running_var": (10,), "num_batches_tracked": ()},
         frozenset({"running_mean", "running_var", "num_batches_tracked"})),
    Case(op.Concat(2), (IMAGE, maps(4, 1, 5)), maps(4, 7, 5), Tally(), EVERYTHING),
    Case(op.Softmax(3), (IMAGE,), IMAGE,  # 24 rows of 5
         Tally(add=24 * 9, compare=24 * 4, exp=120, div=120), EVERYTHING),
    Case(op.Softmax(1, log=True), (VECTOR,), VECTOR,  # shift, sum, take the log off
         Tally(add=10 + 9 + 10, compare=9, exp=10 + 1)),
    Case(op.Pointwise("gelu"), (IMAGE,), IMAGE, Tally(exp=120, add=120, mul=3 * 120)),
    Case(op.Pointwise("mish"), (VECTOR,), VECTOR,  # exp, log; tanh takes a third
         Tally(exp=30, add=30, mul=20, div=10)),
    Case(op.Arithmetic("reverse_divide", "1"), (IMAGE,), IMAGE, Tally(div=120)),
    Case(op.Arithmetic("power", "2"), (IMAGE,), IMAGE, Tally(mul=120)),
    Case(op.Arithmetic("power", "0.5"), (IMAGE,), IMAGE, Tally(exp=120)),
    Case(op.Arithmetic("subtract"), (maps(1, 6, 1), maps(4, 1, 5)), IMAGE,
         Tally(add=120)),
    Case(op.Arithmetic("multiply"), (TOKENS, Shape(4)), TOKENS, Tally(mul=24)),
    Case(op.PReLU(4), (IMAGE,), IMAGE, Tally(compare=120, mul=120), POINT,
         {"weight": (4,)}),
    # 24 rows: 120 centred, squared, scaled, shifted; 4 + 4 additions a row and ε.
    Case(op.LayerNorm(1), (IMAGE,), IMAGE,
         Tally(add=2 * 120 + 24 * 9, mul=3 * 120, div=3 * 24, exp=24), POINT,
         {"weight": (5,), "bias": (5,)}),
    Case(op.LayerNorm(3, affine=False), (IMAGE,), IMAGE,
         Tally(add=120 + 119 + 119 + 1, mul=2 * 120, div=3, exp=1)),
    Case(op.RMSNorm(1), (TOKENS,), TOKENS,  # 6 rows of 4: 3 additions and ε
         Tally(add=6 * 4, mul=3 * 24, div=2 * 6, exp=6), POINT, {"weight": (4,)}),
    Case(op.GroupNorm(2), (IMAGE,), IMAGE,  # 59 + 59 + 1 additions a group
         Tally(add=2 * 120 + 2 * 119, mul=3 * 120, div=6, exp=2), POINT,
         {"weight": (4,), "bias": (4,)}),
    Case(op.InstanceNorm(), (IMAGE,), IMAGE,  # 29 + 29 + 1 additions a channel
         Tally(add=120 + 4 * 59, mul=2 * 120, div=12, exp=4)),
    Case(op.Reduce("mean", (2, 3), keep=True), (IMAGE,), maps(4, 1, 1),
         Tally(add=4 * 29, div=4), EVERYTHING),
    Case(op.Reduce("max", (1,), everywhere=False), (VECTORS,), Shape(3, (Extent(5),)),
         Tally(compare=15 * 3)),
    Case(op.Reduce("var", (1,), everywhere=False), (TOKENS,), Shape(4),
         Tally(add=4 * (5 + 6 + 5), mul=24, div=8)),
    Case(op.Reduce("norm", (2,), everywhere=False), (TOKENS,), Shape(6),
         Tally(mul=24, add=6 * 3, exp=6)),
    Case(op.Cumulate(2), (TOKENS,), TOKENS, Tally(add=6 * 3), EVERYTHING),
    Case(op.Reshape(Shape(2, (Extent(60),))), (IMAGE,), Shape(2, (Extent(60),)),
         Tally()),
    Case(op.Permute((3, 1, 2)), (maps(4, 3, 2),), Shape(2, (Extent(4), Extent(3))),
         Tally()),
    Case(op.Expand(maps(4, 3, 2)), (maps(4, 1, 1),), maps(4, 3, 2), Tally(),
         EVERYTHING),
    Case(op.Repeat(maps(8, 3, 2)), (maps(4, 3, 1),), maps(8, 3, 2), Tally(),
         EVERYTHING),
    Case(op.Slice(3, 1, length=2, step=2), (IMAGE,), maps(4, 6, 2), Tally(),
         (Window(), Window(stride=2, before=-1))),
    Case(op.Slice(2, 1, 2, step=2), (IMAGE,), maps(4, 2, 5), Tally(),  # ⌈(6 − 3)/2⌉
         (Window(stride=2, before=-1, after=-2),)),
    Case(op.Crop(maps(4, 2, 1)), (maps(4, 3, 2),), maps(4, 2, 1), Tally()),
    Case(op.PadTo(maps(4, 7, 8)), (IMAGE,), maps(4, 7, 8), Tally()),
    Case(op.Pad((1,), (2,)), (IMAGE,), maps(7, 6, 5), Tally()),
    Case(op.Copy("rolled"), (IMAGE,), IMAGE, Tally(), EVERYTHING),
    Case(op.Copy("flipped"), (VECTOR,), VECTOR, Tally(), EVERYTHING),
    Case(op.Copy(), (IMAGE,), IMAGE, Tally()),
    Case(op.Unfold((3, 2), (1, 3)), (IMAGE,), Shape(24, (Extent(8),)), Tally(),
         (Window(3), Window(2, 3))),  # 4 · 3 · 2 rows; 4 · 2 windows
    Case(op.PixelUnshuffle(2), (maps(4, 6, 6),), maps(16, 3, 3), Tally(),
         (Window(2, 2), Window(2, 2))),
    Case(op.Linear(7), (TOKENS,), Shape(6, (Extent(7),)),
         Tally(mac=6 * 4 * 7, add=6 * 7), POINT,
         {"weight": (7, 4), "bias": (7,)}),
    Case(op.Conv(8, (3,), 2, groups=2), (TOKENS,), Shape(8, (Extent(1),)),
         Tally(mac=8 * 3 * 3, add=8), (Window(3, 2),),
         {"weight": (8, 3, 3), "bias": (8,)}),  # 6/2 input channels a group
    Case(op.MatMul(), (TOKENS, Shape(4, (Extent(3),))), Shape(6, (Extent(3),)),
         Tally(mac=6 * 4 * 3), EVERYTHING),
    Case(op.Einsum("bld,bmd->blm"), (TOKENS, Shape(3, (Extent(4),))),
         Shape(6, (Extent(3),)), Tally(mac=6 * 4 * 3), EVERYTHING),
    Case(op.Parameter(Shape(1, (Extent(4),))), (), Shape(1, (Extent(4),)), Tally(),
         POINT, {"data": (1, 4)}),
    Case(op.Derived(Shape(3)), (TOKENS,), Shape(3), Tally()),
]  # fmt: skip


def check(case: Case) -> None:
    operator = case.operator
    assert case.output == operator.output(*case.inputs)
    assert case.tally == operator.tally(case.output, *case.inputs)
    assert case.window == operator.window
    weights = operator.weights(*case.inputs)
    assert case.weights == {name: weight.shape for name, weight in weights.items()}
    assert case.buffers == {n for n, weight in weights.items() if not weight.learnable}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.operator))
def test_the_four_facts(case: Case) -> None:
    check(case)


FRACTIONAL = [
    (op.PixelShuffle(2), maps(12, 3, 2), maps(3, 6, 4), Tally()),
    (
        op.ConvTranspose(8, (3, 2)),
        IMAGE,
        maps(8, 8, 6),  # 6 − 1 + 3, 5 − 1 + 2
        Tally(mac=120 * 8 * 3 * 2, add=8 * 8 * 6),  # taps an input, bias
    ),
    (
        op.Resize("bilinear", (2, 3)),
        IMAGE,
        maps(4, 12, 15),
        Tally(mul=4 * 720, add=3 * 720),  # a weighted sum of 2×2
    ),
    (op.Resize("nearest", shape=maps(4, 3, 4)), IMAGE, maps(4, 3, 4), Tally()),
]
"""Operators whose strides are fractions: facts, but no one window."""


@pytest.mark.parametrize(("operator", "x", "output", "tally"), FRACTIONAL)
def test_a_fractional_stride_has_facts_but_no_window(
    operator: Operator, x: Shape, output: Shape, tally: Tally
) -> None:
    assert output == operator.output(x)
    assert tally == operator.tally(output, x)
    with pytest.raises(CostModelError, match=r"is no one window: neighbouring"):
        _ = operator.window


def test_attention_has_the_macs_of_both_products() -> None:
    query, key, value = TOKENS, Shape(3, (Extent(4),)), Shape(3, (Extent(5),))
    output = op.Attention().output(query, key, value)
    assert Shape(6, (Extent(5),)) == output
    tally = op.Attention().tally(output, query, key, value)
    assert tally.mac == 6 * 3 * (4 + 5)
    assert tally.exp == 6 * 3


def test_every_operator_has_a_case() -> None:
    cases = {type(case.operator).kind for case in CASES}
    fractional = {type(operator).kind for operator, *_ in FRACTIONAL}
    # What nobody has a rule for states its shape alone.
    assert set(OPERATORS) == cases | fractional | {"attention", "opaque"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.operator))
def test_facts_in_symbols_equal_facts_in_numbers(case: Case) -> None:
    sizes = {H: 6, W: 5}
    height, width = Extent(H), Extent(W)
    symbolic = [
        Shape(x.channels, tuple({Extent(6): height, Extent(5): width}.get(e, e)
                                for e in x.spatial))
        for x in case.inputs
    ]  # fmt: skip
    output = case.operator.output(*symbolic)
    assert [e.base for e in case.output.spatial] == [
        bound(extent, sizes) for extent in output.spatial
    ]
    assert is_equal(case.output.channels, substituted(output.channels, sizes))
    tally = case.operator.tally(output, *symbolic)
    counts = [substituted(getattr(tally, kind), sizes) for kind in KINDS]
    assert case.tally == Tally(*counts)


def substituted(count: Dim, values: dict[sympy.Symbol, int]) -> int:
    number = sympy.sympify(resolve(count)).subs(values)
    assert number.is_Integer
    return int(number)


@given(st.data(), shapes())
def test_every_drawn_operator_fits_its_shape(data: st.DataObject, shape: Shape) -> None:
    operator = data.draw(operators(shape))
    output = operator.output(shape).checked()
    assert len(output.spatial) in (0, 2)
    roomy = {H: ROOMY, W: ROOMY}
    assert all(bound(extent, roomy) >= 1 for extent in output.spatial)
    tally = operator.tally(output, shape)
    assert all(substituted(getattr(tally, kind), roomy) >= 0 for kind in KINDS)


def bound(extent: Extent, values: dict[sympy.Symbol, int]) -> Dim:
    return extent.bind(dict(values)).base


TWO = (2, 2)
COUNT = "is neither an integer nor an exact expression"
PAIR = "is not a (height, width) pair"
SWITCH = "is not True or False"
BAD = [
    ("channels 0 is below 1", op.Conv, (0, TWO)),
    ("channels -3 is below 1", op.Conv, (-3, TWO)),
    (f"channels 1.5 {COUNT}", op.Conv, (1.5, TWO)),
    (f"channels True {COUNT}", op.Conv, (True, TWO)),
    (f"channels '8' {COUNT}", op.Conv, ("8", TWO)),
    ("channels 9/2 is not an integer", op.Conv, (sympy.Rational(9, 2), TWO)),
    (f"kernel 3 {PAIR}", op.Conv, (8, 3)),
    (f"kernel (3, 3, 3, 3) {PAIR}", op.Conv, (8, (3, 3, 3, 3))),
    (f"stride (2, 2, 2) {PAIR}", op.Conv, (8, TWO, (2, 2, 2))),
    (
        "padding (1, 1) is not a (depth, height, width) triple",
        op.Conv,
        (8, (3, 3, 3), 1, (1, 1)),
    ),
    ("dilation (1, 1) is not a (length,)", op.Conv, (8, (3,), 1, 0, (1, 1))),
    (f"kernel [3, 3] {PAIR}", op.Conv, (8, [3, 3])),
    ("kernel 0 is below 1", op.Conv, (8, (3, 0))),
    ("stride 0 is below 1", op.Conv, (8, TWO, (0, 1))),
    ("padding -1 is below 0", op.Conv, (8, TWO, TWO, (0, -1))),
    ("dilation 0 is below 1", op.Conv, (8, TWO, TWO, TWO, (1, 0))),
    ("groups 0 is below 1", op.Conv, (8, TWO, TWO, TWO, TWO, 0)),
    (f"bias 1 {SWITCH}", op.Conv, (8, TWO, TWO, TWO, TWO, 1, 1)),
    ("features 0 is below 1", op.Linear, (0,)),
    (f"features None {COUNT}", op.RadialBasis, (None,)),
    (f"affine 'yes' {SWITCH}", op.BatchNorm, ("yes",)),
    ("size 0 is below 1", op.LocalResponseNorm, (0,)),
    ("size 0 is below 1", op.AdaptiveAvgPool, ((0, 1),)),
    (f"size 7 {PAIR}", op.AdaptiveMaxPool, (7,)),
    ("percent -1 is below 0", op.Dropout, (-1,)),
    (f"percent 0.5 {COUNT}", op.Dropout, (0.5,)),
    ("stride 0 is below 1", op.MaxPool, (TWO, (0, 0))),
    (f"ceil_mode 1 {SWITCH}", op.MaxPool, (TWO, TWO, TWO, TWO, 1)),
    (f"count_include_pad 0 {SWITCH}", op.AvgPool, (TWO, TWO, TWO, True, 0)),
    (f"kernel 2 {PAIR}", op.Subsample2d, (2,)),
    ("channels 0 is below 1", op.Zeros, (0,)),
    ("stride 0 is below 1", op.Zeros, (1, (0, 1))),
    (f"before 0.5 {COUNT}", op.Pad, ((0.5, 0), TWO)),
    ("after 3 has no number for each axis", op.Pad, (TWO, 3)),
    ("after -1 is below 0", op.Pad, ((0,), (-1,))),
    ("start -1 is below 0", op.Slice, (1, -1, 0, 2)),
    ("length 0 is below 1", op.Slice, (1, 0, 0, 0)),
    ("length 2 and end 1: a part has one of them", op.Slice, (1, 0, 1, 2)),
    ("before (1,) and after () are of other axes", op.Pad, ((1,), ())),
    ("groups 0 is below 1", op.ChannelShuffle, (0,)),
    ('function "gello" is unknown; known are abs', op.Pointwise, ("gello",)),
    ("function 7 is not text", op.Pointwise, (7,)),
    ('operation "plus" is unknown; known are add', op.Arithmetic, ("plus",)),
    ('operation "plus" is unknown; known are add', op.Arithmetic, ("plus", "1")),
    ("reverse_divide: the number is missing", op.Arithmetic, ("reverse_divide",)),
    ("value 1 is not text", op.Arithmetic, ("add", 1)),
    ("add: the number is missing", op.Arithmetic, ("add", " ")),
    ('operation "median" is unknown', op.Reduce, ("median", (1,))),
    ("axes (0, 1) are not axes, counted from 1", op.Reduce, ("sum", (0, 1))),
    ("axes (1, 1) name an axis twice", op.Reduce, ("sum", (1, 1))),
    ("order () are not axes, counted from 1", op.Permute, ((),)),
    ("shape (3, 4) is not a Shape", op.Reshape, ((3, 4),)),
    ("height 0 is below 1", op.Crop, (maps(3, 0, 4),)),
    ('mode "mirror" is unknown', op.Pad, (TWO, TWO, "mirror")),
    ('order "mixed" is unknown; known are same', op.Copy, ("mixed",)),
    (
        "pad -1×0 before, 0×0 after, circular: a mode other",
        op.Pad,
        ((0, -1, 0), (0, 0, 0), "circular"),
    ),
    ("axes 0 is below 1", op.LayerNorm, (0,)),
    (f"log 1 {SWITCH}", op.Softmax, (1, 1)),
    (f"groups 1.5 {COUNT}", op.ChannelShuffle, (1.5,)),
    ("table: each row needs one", op.TableConv2d, ((), TWO)),
    ("table: each row needs one", op.TableConv2d, (((),), TWO)),
    ("table: each row needs one", op.TableConv2d, (((0, 0),), TWO)),
    ("table: input channels are numbered", op.TableConv2d, (((-1,),), TWO)),
    ("table: input channels are numbered", op.TableConv2d, (((0.5,),), TWO)),
    ("table: input channels are numbered", op.TableConv2d, (((True,),), TWO)),
    ("table: input channels are numbered", op.TableConv2d, ((([],),), TWO)),
    ("table 5 is not made of rows", op.TableConv2d, (5, TWO)),
    ("table (5,) is not made of rows", op.TableConv2d, ((5,), TWO)),
    ("channels 0 is below 1", op.Input, (maps(0, 4, 4),)),
    (f"channels 1.5 {COUNT}", op.Input, (maps(1.5, 4, 4),)),
    ("height 0 is below 1", op.Input, (maps(3, 0, 4),)),
    (f"width 2.5 {COUNT}", op.Input, (maps(3, 4, 2.5),)),
    (f"width None {COUNT}", op.Input, (maps(3, 4, None),)),
    ("the sample (3, 4, 4) is not a Shape", op.Input, ((3, 4, 4),)),
    ("the sample 3×4 is not a Shape", op.Input, (Shape(3, (4,)),)),
]


@pytest.mark.parametrize(("problem", "operator", "fields"), BAD)
def test_what_no_layer_can_have_is_refused(
    problem: str, operator: Callable[..., Operator], fields: tuple[object, ...]
) -> None:
    with pytest.raises(CostModelError, match=f"^{re.escape(problem)}"):
        operator(*fields)


MISFITS = [
    ("groups 3 do not divide the 4 input channels", op.Conv(6, TWO, groups=3), IMAGE),
    ("groups 4 do not divide the 6 output channels", op.Conv(6, TWO, groups=4), IMAGE),
    (
        "input 4×6×5 is too small: a window of 7 does not fit its "
        "height 6 with padding 0",
        op.Conv(6, (7, 1)),
        IMAGE,
    ),
    (
        "needs a feature map channels × height × width, got the "
        "vector 10; is it behind a "
        "flatten?",
        op.Conv(6, TWO),
        VECTOR,
    ),
    ("needs a feature map", op.InstanceNorm(), VECTOR),
    ("needs a feature map", op.LocalResponseNorm(), VECTOR),
    ("needs a feature map", op.MaxPool(TWO, TWO), VECTOR),
    ("needs a feature map", op.AdaptiveAvgPool(), VECTOR),
    ("needs a feature map", op.Pad((0, *TWO), (0, *TWO)), VECTOR),
    ("needs a feature map", op.Zeros(1), VECTOR),
    (
        "pad 0×-3 before, 9×-3 after takes more than there is of 4×6×5",
        op.Pad((0, 0, -3), (0, 9, -3)),
        IMAGE,
    ),
    (
        "input 4×6×5 is too small: a window of 1 does not fit its "
        "width 5 with padding -3",
        op.Pad((0, 0, -3), (0, 0, -2)),
        IMAGE,
    ),
    ("padding 2×2 is over half of the kernel 3×3", op.MaxPool((3, 3), TWO, TWO), IMAGE),
    (
        "channels 2 to 4 are not all among the 4 of 4×6×5",
        op.Slice(1, 2, length=3),
        IMAGE,
    ),
    ("groups 3 do not divide the 4 channels", op.ChannelShuffle(3), IMAGE),
    ("groups 3 do not divide the 4 channels", op.GroupNorm(3), IMAGE),
    ("the last 4 axes of 4×6×5, which has 3", op.LayerNorm(4), IMAGE),
    ("the last 2 axes of 10, which has 1", op.RMSNorm(2), VECTOR),
    ("3 slopes do not fit 4 channels", op.PReLU(3), IMAGE),
    ("axis 4 is none of the axes 1 to 3 of 4×6×5", op.Softmax(4), IMAGE),
    ("axis 2 is none of the axes 1 to 1 of 10", op.Cumulate(2), VECTOR),
    ("nothing but the batch is left of 10", op.Reduce("sum", (1,)), VECTOR),
    ("4×6×5 has 120 elements, 7×9 has 63", op.Reshape(Shape(7, (Extent(9),))), IMAGE),
    ("order (1, 2) does not name each axis of 4×6×5", op.Permute((1, 2)), IMAGE),
    ("4×6×5 cannot be expanded to 4×6×6", op.Expand(maps(4, 6, 6)), IMAGE),
    ("4×6×5 cannot be repeated to 4×6×6", op.Repeat(maps(4, 6, 6)), IMAGE),
    ("2 of axis 2 from 5 are not all among those", op.Slice(2, 5, length=2), IMAGE),
    ("axis 3 without 2 first, 3 last leaves nothing", op.Slice(3, 2, 3), IMAGE),
    ("crop to 4×7×5 does not fit 4×6×5", op.Crop(maps(4, 7, 5)), IMAGE),
    ("pad to 4×5×5 does not fit 4×6×5", op.PadTo(maps(4, 5, 5)), IMAGE),
    ("the size 10 has other axes than 4×6×5", op.Crop(VECTOR), IMAGE),
    ("factor 3: 3² does not divide the 4 channels", op.PixelShuffle(3), IMAGE),
    ("the side 5 is not divisible by 2", op.PixelUnshuffle(2), maps(4, 6, 5)),
    (
        "pad 6×0 before, 0×0 after, reflect needs a side of 7, not 6",
        op.Pad((0, 6, 0), (0, 0, 0), "reflect"),
        IMAGE,
    ),
    ("the table lists channel 4 of only 4", op.TableConv2d(((4,),), TWO), IMAGE),
    (
        "needs a vector, got the feature map 4×6×5; flatten it first",
        op.RadialBasis(3),
        IMAGE,
    ),
]


@pytest.mark.parametrize(("problem", "operator", "shape"), MISFITS)
def test_what_fits_no_input_is_refused(
    problem: str, operator: Operator, shape: Shape
) -> None:
    with pytest.raises(CostModelError, match=f"^{re.escape(problem)}"):
        operator.output(shape)


def test_operators_are_frozen_and_equal_by_their_fields() -> None:
    assert op.Conv(8, TWO) == op.Conv(8, TWO, (1, 1))
    assert op.Conv(8, TWO) != op.Conv(9, TWO)
    assert op.Pointwise("relu") != op.Pointwise("relu6")
    with pytest.raises(AttributeError):
        op.Conv(8, TWO).channels = 9  # type: ignore[misc]


def test_binding_puts_numbers_into_every_field() -> None:
    c, k = symbol("c"), symbol("k")
    layer = op.Conv(2 * c, (k, k), (k - 1, 1), groups=c)
    assert op.Conv(8, (3, 3), (2, 1), groups=4) == layer.bind({c: 4, k: 3})


def test_a_part_of_symbolic_channels_is_taken_on_trust() -> None:
    c = symbol("c")
    half = op.Slice(1, c, length=c)
    assert maps(c, 6, 5) == half.output(maps(2 * c, 6, 5))
    with pytest.raises(CostModelError, match=r"^channels c to 2\*c - 1 are not all"):
        half.output(maps(c, 6, 5))
    assert op.Slice(1, 29, length=29) == half.bind({c: 29})
