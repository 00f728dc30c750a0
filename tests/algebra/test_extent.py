"""Extents: one pair of integers for every size, equal to PyTorch's recurrences."""

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.extent import Extent, normal, resolve
from costmodel.algebra.step_function import StepFunction
from costmodel.algebra.symbols import Dim, H, M, W, as_dim, is_equal, rho, symbol
from costmodel.algebra.window import Window, sliding
from costmodel.errors import CostModelError
from costmodel.testing import ROOMY, extents


Layer = tuple[int, int, int, int, bool]
"""Kernel, stride, padding, dilation, ceil_mode."""


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    kernel = draw(st.integers(1, 7))
    padding = draw(st.integers(0, kernel // 2))
    return (
        kernel, draw(st.integers(1, 4)), padding, draw(st.integers(1, 3)),
        draw(st.booleans()),
    )  # fmt: skip


def pytorch(n: int, layer: Layer) -> int:
    """Return the output size as ATen's ``pooling_output_shape`` computes it."""
    kernel, stride, padding, dilation, ceil_mode = layer
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    out = (span + stride - 1) // stride + 1
    # The last window has to start inside the input or its left padding.
    return out - 1 if (out - 1) * stride >= n + padding else out


def through(extent: Extent, stack: list[Layer]) -> list[Extent]:
    """Return the extents after each layer of a stack."""
    passed = []
    for kernel, stride, padding, dilation, ceil_mode in stack:
        window = sliding(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        extent = extent.through(window)
        passed.append(extent)
    return passed


def check(expected: str, extent: Extent) -> None:
    assert expected == str(extent)


def at(extent: Extent, n: int, side: Dim = H) -> Dim:
    return extent.bind({side: n}).base


@given(st.lists(layers(), min_size=1, max_size=6))
def test_one_pair_equals_the_recurrence_at_every_size(stack: list[Layer]) -> None:
    symbolic = through(Extent(H), stack)
    smallest = max(1, *(extent.smallest_base for extent in symbolic))
    for n in range(1, smallest + 40):
        sizes = [n]
        while len(sizes) <= len(stack) and sizes[-1] >= 1:
            sizes.append(pytorch(sizes[-1], stack[len(sizes) - 1]))
        legal = sizes[-1] >= 1
        assert legal == (n >= smallest)
        if legal:
            assert sizes[1:] == [at(extent, n) for extent in symbolic]


@given(st.lists(layers(), max_size=5), st.integers(1, 99))
def test_binding_first_or_last_is_the_same(stack: list[Layer], n: int) -> None:
    bound = through(Extent(n), stack)
    assert bound == [e.bind({H: n}) for e in through(Extent(H), stack)]


@given(st.lists(layers(), max_size=4), st.lists(layers(), max_size=2))
def test_a_composed_window_goes_as_far_as_its_parts(
    stack: list[Layer], more: list[Layer]
) -> None:
    one = Window()
    for kernel, stride, padding, dilation, ceil_mode in [*stack, *more]:
        window = sliding(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        one = one.then(window)
    assert [Extent(H), *through(Extent(H), stack + more)][-1] == Extent(H).through(one)


PAIRS = st.tuples(st.integers(-12, 12), st.integers(1, 8))
"""Offset and stride."""


@given(PAIRS, PAIRS, st.sampled_from([1, 2, 3, 4, 6, 8, 12]))
def test_extents_are_equal_exactly_when_their_functions_are(
    one: tuple[int, int], other: tuple[int, int], step: int
) -> None:
    left, right = normal(step * M, *one), normal(step * M, *other)
    period = 4 * one[1] * other[1]
    same = all(
        (step * m + one[0]) // one[1] == (step * m + other[0]) // other[1]
        for m in range(1, 1 + period)
    )
    assert same == (left == right)


@given(PAIRS, st.sampled_from([1, 2, 3, 4, 6, 8, 12]), st.integers(1, 200))
def test_the_normal_form_keeps_the_function(
    pair: tuple[int, int], step: int, m: int
) -> None:
    offset, stride = pair
    extent = normal(step * M + 5, offset, stride)
    assert (step * m + 5 + offset) // stride == at(extent, m, M)


@given(st.lists(layers(), max_size=5), st.lists(layers(), max_size=5))
def test_two_stacks_agree_at_every_size_exactly_when_their_pairs_do(
    stack: list[Layer], other: list[Layer]
) -> None:
    left = [Extent(H), *through(Extent(H), stack)][-1]
    right = [Extent(H), *through(Extent(H), other)][-1]
    # Two jumps of each stair lie in twice its stride; where they agree, all do.
    span = range(2 * max(left.stride, right.stride) + 2)
    assert (left == right) == all(at(left, n) == at(right, n) for n in span)


@given(extents())
def test_smallest_base_is_the_least_that_leaves_a_position(extent: Extent) -> None:
    least = extent.smallest_base
    assert least <= ROOMY
    assert at(extent, least) == 1
    assert at(extent, least - 1) == 0


def test_five_halvings_of_32m_leave_no_floor() -> None:
    extent = Extent(32 * M)
    for _ in range(5):
        extent = extent.through(sliding(3, 2, 1))
    assert Extent(M) == extent  # 32·M / 2⁵


def test_a_remainder_of_a_divisible_side_goes_into_the_offset() -> None:
    # ⌊(32·M + 1 + 2)/4⌋ = 8·M + ⌊3/4⌋
    assert Extent(8 * M) == normal(32 * M + 1, 2, 4)
    # ⌊(6·M + 3)/4⌋ = ⌊(3·M + 1)/2⌋, since 6·M is even
    assert Extent(3 * M, 1, 2) == normal(6 * M, 3, 4)


@pytest.mark.parametrize(
    ("expected", "extent"),
    [
        ("56", Extent(56)),
        ("H", Extent(H)),
        ("⌊(H+1)/2⌋", Extent(H, 1, 2)),
        ("⌊H/2⌋", Extent(H, 0, 2)),
        ("(H-4)", Extent(H, -4, 1)),
    ],
)
def test_an_extent_is_written_as_a_formula(expected: str, extent: Extent) -> None:
    check(expected, extent)


@given(PAIRS)
def test_the_formula_is_in_the_normal_form_of_sympy(pair: tuple[int, int]) -> None:
    offset, stride = pair
    assert sympy.floor((H + offset) / sympy.Integer(stride)) == Extent(H, *pair).value


@given(extents(), extents(W))
def test_atoms_resolve_to_plain_formulas(height: Extent, width: Extent) -> None:
    opaque = 3 * height.atom * width.atom + 1
    assert is_equal(3 * height.value * width.value + 1, resolve(opaque))
    assert {H, W} == resolve(opaque).free_symbols


STEPS = st.lists(st.tuples(st.integers(-6, 6), st.integers(1, 5)), max_size=4)
"""Numbers to add, and to divide by, one after the other."""


@given(STEPS, STEPS)
def test_floors_of_floors_are_one_floor_however_they_are_written(
    steps: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    extent, size = Extent(H), H
    for offset, stride in steps:
        extent = normal(extent.base, extent.offset + extent.stride * offset,
                        extent.stride * stride)  # fmt: skip
        size = sympy.floor((size + offset) / sympy.Integer(stride))
    assert extent == normal(size, 0, 1)
    # from any floor on the way to the last one
    for offset, stride in more:
        size = sympy.floor((size + offset) / sympy.Integer(stride))
        extent = normal(extent.value, offset, stride)
    assert extent == normal(size, 0, 1)
    assert extent.base == H


def at_side(size: sympy.Expr, n: int) -> int:
    return int(size.subs(H, n))


SUMS = st.lists(
    st.tuples(st.integers(-2, 3), st.integers(-4, 4), st.integers(1, 4)),
    min_size=1, max_size=3,
).map(lambda terms: sum(a * sympy.floor((H + c) / sympy.Integer(s))
                        for a, c, s in terms))  # fmt: skip
"""Σ a·⌊(H + c)/s⌋."""


@given(SUMS, st.integers(-5, 5), st.integers(1, 4))
def test_sums_of_floors_keep_their_function(
    size: sympy.Expr, offset: int, stride: int
) -> None:
    extent = normal(as_dim(sympy.sympify(size)), offset, stride)
    for n in range(1, 40):
        expected = (at_side(sympy.sympify(size), n) + offset) // stride
        assert expected == at(extent, n)


@given(SUMS, SUMS, st.integers(1, 3), st.integers(1, 3))
def test_sums_of_floors_are_equal_where_one_floor_does_for_both(
    size: sympy.Expr, other: sympy.Expr, stride: int, step: int
) -> None:
    left = normal(as_dim(sympy.sympify(size)), 0, stride)
    right = normal(as_dim(sympy.sympify(other)), 0, step)
    span = range(1, 12 * 12 * 6 + 2) if left != right else range(1, 40)
    same = all(at(left, n) == at(right, n) for n in span)
    is_one = any(not sympy.sympify(e.base).has(sympy.floor) for e in (left, right))
    assert (left == right) <= same
    if is_one:
        assert same == (left == right)


@given(SUMS)
def test_one_floor_is_found_wherever_it_does(size: sympy.Expr) -> None:
    size = sympy.sympify(size)
    values = [at_side(size, n) for n in range(1, 50)]
    extent = normal(as_dim(size), 0, 1)
    rise = sympy.Rational(at_side(size, 1 + 12 * 9) - values[0], 12 * 9)
    slope, stride = int(rise.p), int(rise.q)
    # s·f ≤ a·n + c < s·f + s has to leave a c
    needed = [stride * v - slope * n for n, v in enumerate(values, start=1)]
    if max(needed) - min(needed) < stride:
        assert extent == normal(as_dim(slope * H), max(needed), stride)
    else:
        assert sympy.sympify(extent.base).has(sympy.floor)


@pytest.mark.parametrize(
    ("expected", "base", "offset", "stride"),
    [
        (Extent(H, 1, 2), sympy.floor(H / 2 + sympy.Rational(1, 2)), 0, 1),
        (Extent(H, 3, 4), sympy.floor(H / 2 + sympy.Rational(1, 2)), 1, 2),
        (Extent(H, 3, 4), 2 * sympy.floor(H / 4 + sympy.Rational(3, 4)), 0, 2),
        (Extent(H), sympy.floor(H / 2) + sympy.floor((H + 1) / 2), 0, 1),
        (Extent(H, 0, 2), H - sympy.ceiling(H / 2), 0, 1),
        (Extent(H, 1, 2), sympy.Max(0, 2 * sympy.ceiling(H / 2) - 1), 1, 2),
        (Extent(8 * M), sympy.floor(32 * M / sympy.Integer(4)), 0, 1),
        (Extent(M, 1, 2), sympy.floor((16 * M + 16) / sympy.Integer(8)), 0, 4),
        (Extent(7), 7 + sympy.floor(H / 2) - sympy.floor((H + 4) / 2) + 2, 0, 1),
        (Extent(H * W, 0, 4), sympy.floor(H * W / 2), 0, 2),
        (Extent(2 * sympy.floor(H / 2), 1), 2 * sympy.floor((H + 4) / 2) - 3, 0, 1),
    ],
)
def test_expressions_come_to_one_floor(
    expected: Extent, base: sympy.Expr, offset: int, stride: int
) -> None:
    assert expected == normal(as_dim(base), offset, stride)


def test_a_floor_of_what_is_no_whole_number_stays() -> None:
    side = sympy.floor(224 * rho)
    assert normal(side, 0, 1).value == side
    assert Extent(side).through(Window(stride=2)).value.subs(rho, "3/7") == 48


def test_floors_of_another_symbols_stride_are_joined() -> None:
    s = symbol("s")
    assert Extent(H, s, 2 * s) == normal(sympy.floor(H / s), 1, 2)


def test_only_multiples_of_one_symbol_are_a_line() -> None:
    assert Extent(H, 1, 2).line == (H, StepFunction(1, 1, divisor=2))
    assert normal(6 * M + 1, 0, 4).line == (M, StepFunction(3, 0, divisor=2))
    for extent in (Extent(7), Extent(H * W), Extent(H + W), normal(H, 0, symbol("s"))):
        with pytest.raises(CostModelError):
            _ = extent.line
