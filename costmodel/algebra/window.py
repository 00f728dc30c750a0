"""Windows along one axis: kernel, stride, padding, ceil mode; and their composition."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from costmodel.algebra.symbols import Dim, as_dim, expand


@dataclass(frozen=True, slots=True)
class Window:
    """Size, stride and padding along one axis; paddings may differ at the two ends.

    Windows compose, first (R₁, S₁, P₁), then (R₂, S₂, P₂):

        R = R₁ + (R₂−1)·S₁        S = S₁·S₂        P = P₁ + P₂·S₁

    and ``Window()`` is the identity, so any path of layers is one single window.

    **Units**: pixels of the window's input.
    **Source**: Araujo, Norris, Sim 2019, "Computing Receptive Fields of
    Convolutional Neural Networks", equations 1 to 5.

    >>> three = Window(size=3, stride=1, before=1, after=1)
    >>> three.then(three).then(three).size
    7
    """

    size: Dim = 1
    stride: Dim = 1
    before: Dim = 0
    after: Dim = 0

    def then(self, later: Window) -> Window:
        """Return the composition of this window and a later one."""
        step = self.stride
        return Window(
            size=simple(self.size + (later.size - 1) * step),
            stride=simple(step * later.stride),
            before=simple(self.before + later.before * step),
            after=simple(self.after + later.after * step),
        )


def sliding(
    kernel: Dim,
    stride: Dim = 1,
    padding: Dim = 0,
    dilation: Dim = 1,
    *,
    ceil_mode: bool = False,
) -> Window:
    """Return the window of a convolution or pooling layer.

    The effective kernel is d(k−1)+1. PyTorch's ``ceil_mode`` starts one more window
    if a part of the input is left over, provided that it starts inside the input
    or its left padding; that is exactly min(s−1, R−1−p) more padding at the end.

    **Source**: PyTorch, ``aten/src/ATen/native/Pool.h`` (``pooling_output_shape``).

    >>> sliding(kernel=3, stride=2, ceil_mode=True)
    Window(size=3, stride=2, before=0, after=1)
    """
    size = simple(dilation * (kernel - 1) + 1)
    after = padding
    if ceil_mode:
        after = simple(padding + _minimum(stride - 1, size - 1 - padding))
    return Window(size, stride, padding, after)


def _minimum(one: Dim, other: Dim) -> Dim:
    is_known = type(one) is type(other) is int
    return min(one, other) if is_known else sympy.Min(one, other)


def simple(value: Dim) -> Dim:
    """Return a count multiplied out, so that equal polynomials are equal."""
    return value if type(value) is int else as_dim(expand(value))
