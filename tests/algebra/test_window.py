"""Windows compose: any path of layers is one single window."""

import pytest
from hypothesis import given

from costmodel.algebra.symbols import symbol
from costmodel.algebra.window import Window, sliding
from costmodel.testing import windows


def check(size: int, stride: int, *layers: Window) -> None:
    composed = Window()
    for layer in layers:
        composed = composed.then(layer)
    assert (size, stride) == (composed.size, composed.stride)


@given(windows(), windows(), windows())
def test_composition_is_associative(first: Window, then: Window, last: Window) -> None:
    assert first.then(then).then(last) == first.then(then.then(last))


@given(windows())
def test_the_default_window_is_the_identity(window: Window) -> None:
    assert window == Window().then(window)
    assert window == window.then(Window())


def test_two_3x3_convs_see_5x5() -> None:
    check(5, 1, sliding(3), sliding(3))  # 3 + (3−1) = 5


def test_three_3x3_convs_see_7x7() -> None:
    check(7, 1, sliding(3), sliding(3), sliding(3))  # 3 + 2 + 2 = 7


def test_a_pool_behind_alexnets_first_conv_sees_19_pixels() -> None:
    check(19, 8, sliding(11, 4), sliding(3, 2))  # 11 + (3−1)·4 = 19, 4·2 = 8


def test_dilation_spreads_the_kernel() -> None:
    check(9, 1, sliding(5, dilation=2))  # 2·(5−1) + 1 = 9


def test_paddings_are_counted_in_pixels_of_the_input() -> None:
    both = sliding(3, 2, 1).then(sliding(5, 1, 2))
    assert both.before == 5  # 1 + 2·2
    assert both.after == 5


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "after"),
    [
        (3, 2, 0, 1),  # 0 + min(2−1, 3−1−0)
        (2, 2, 0, 1),  # 0 + min(2−1, 2−1−0)
        (2, 3, 1, 1),  # 1 + min(3−1, 2−1−1)
        (3, 1, 1, 1),  # 1 + min(1−1, 3−1−1)
        (1, 3, 0, 0),  # 0 + min(3−1, 1−1−0)
    ],
)
def test_ceil_mode_pads_the_end(
    kernel: int, stride: int, padding: int, after: int
) -> None:
    window = sliding(kernel, stride, padding, ceil_mode=True)
    assert Window(kernel, stride, padding, after) == window


def test_symbolic_kernels_compose() -> None:
    k = symbol("k")
    assert 2 * k - 1 == sliding(k).then(sliding(k)).size  # k + (k−1)
    assert type(sliding(k).then(Window(size=2 - k)).size) is int
