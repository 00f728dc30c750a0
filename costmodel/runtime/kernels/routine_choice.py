"""Which routine PyTorch picks for a convolution, as a formula of batch and size.

On a CPU a float32 convolution runs in oneDNN, or as im2col and a matrix product of
MKL, which PyTorch calls native. What decides is 1 or 0 at every batch and size, and a
formula of Min and Max while these are symbols.
"""

from __future__ import annotations

from functools import lru_cache

import sympy

from costmodel.algebra.extent import resolve
from costmodel.algebra.symbols import Dim, as_dim, plain
from costmodel.network.operators import Conv
from costmodel.network.operators.base import are_all
from costmodel.network.shape import Shape
from costmodel.runtime.setting import Setting


LARGE_BATCH = 16
"""From here on oneDNN runs even 1×1 convolutions of one thread."""

SMALL_INPUT = 20480
"""Elements up to which a single sample runs native, for small kernels."""


def at_least(value: Dim, least: int) -> Dim:
    """Return 1 where a positive whole number reaches ``least``, else 0.

    min(1, max(0, n − least + 1)); of real numbers it is a ramp of length 1, so that
    relaxing the rest of a formula leaves it almost a step.

    >>> from costmodel.algebra.symbols import N
    >>> at_least(7, 8), at_least(N, 16)
    (0, Min(1, Max(0, N - 15)))
    """
    return either((value, least))


@lru_cache(maxsize=4096)
def either(*pairs: tuple[Dim, int]) -> Dim:
    """Return 1 where any of some whole numbers reaches its least, else 0.

    >>> from costmodel.algebra.symbols import H, N
    >>> either((1, 2), (3, 2)), either((N, 2), (9 * H, 21))
    (1, Min(1, Max(9*H - 20, N - 1)))
    """
    beyond = [sympy.sympify(value - (least - 1)) for value, least in pairs]
    asked = [more for more in beyond if not _rises(more)]
    if any(more.is_positive for more in asked):
        return 1
    some = [more for more in beyond if more not in asked or not more.is_nonpositive]
    if not some:
        return 0
    if len(some) > 1 and not (len(some) == 2 and _rises(some[1] - some[0])):
        return plain(sympy.Min(1, sympy.Max(0, *some)))
    # What sympy would ask further takes it milliseconds, and decides nothing more.
    if not any(more in asked and more.is_nonnegative for more in some):
        some.append(sympy.S.Zero)
    return plain(sympy.Min(1, sympy.Max(*some, evaluate=False), evaluate=False))


def _rises(formula: sympy.Expr) -> bool:
    """Say whether a formula is below 0 where all symbols are 1, and above further on.

    Then no question about its sign has an answer, and sympy need not look for one.
    """
    least, most = (formula.xreplace(dict.fromkeys(formula.free_symbols, number))
                   for number in (sympy.S.One, LARGE))  # fmt: skip
    return bool(least.is_Rational and most.is_Rational and least.p < 0 < most.p)


LARGE = sympy.Integer(2**20)
"""A value of symbols at which what grows is large."""


def in_onednn(layer: Conv, x: Shape, batch: Dim, setting: Setting) -> Dim:
    """Return 1 where a convolution runs in oneDNN, 0 where it is native.

    (strided or dilated or kernel > 1 or N ≥ 16 or several threads) and (grouped or
    both sides of the kernel > 3 or N > 1 or C·H·W > 20480), for float32; float64 is
    always native, and half precision never where oneDNN takes it.

    **Source**: PyTorch 2.13, ``aten/src/ATen/native/Convolution.cpp``, ``use_mkldnn``.

    >>> from costmodel.algebra.extent import Extent
    >>> from costmodel.algebra.symbols import N
    >>> x = Shape(64, (Extent(56), Extent(56)))
    >>> in_onednn(Conv(64, (1, 1)), x, N, Setting())
    Min(1, Max(0, N - 15))
    >>> in_onednn(Conv(64, (3, 3)), x, N, Setting())
    1
    """
    if setting.dtype != "float32":
        return int(setting.dtype != "float64")
    is_plain = are_all((*layer.kernel, *layer.stride, *layer.dilation), 1)
    if is_plain and setting.threads == 1:
        # 16 samples or more are over one, so that the second condition holds as well.
        return at_least(batch, LARGE_BATCH)
    is_large = all(type(k) is int and k > 3 for k in layer.kernel)
    if layer.groups != 1 or is_large:
        return 1
    return either((batch, 2), (resolve(x.numel), SMALL_INPUT + 1))


def few_channels(setting: Setting) -> int:
    """Return the input channels from which on a convolution reads them in vectors.

    **Source**: oneDNN, ``jit_avx512_common_conv_kernel.cpp``, ``is_1stconv``: fewer
    than 16 with AVX-512, else 1 or 3. An image's on other devices.
    """
    return 16 if (setting.device, setting.lanes) == ("cpu", 16) else 5


def narrowed(sides: tuple[Dim, Dim], lanes: int) -> tuple[Dim, Dim]:
    """Return how much more a group's narrower vectors cost, and 1 where none fits.

    oneDNN pads channels to whole vectors only where there is a single group. Groups
    run in vectors of 16, 8 or 4 lanes, the widest that divides the channels on both
    sides; where 4 does not, in another routine.

    **Source**: oneDNN, ``jit_avx512_common_conv_kernel.cpp``, ``ok_to_try_lower_zmm``.

    >>> narrowed((32, 32), 16), narrowed((8, 24), 16), narrowed((10, 10), 16)[1]
    ((1, 0), (2, 0), 1)
    """
    if lanes != 16:
        return 1, _uneven(sides, lanes)
    by_16, by_8, by_4 = (_uneven(sides, width) for width in (16, 8, 4))
    return 1 + by_16 + 2 * by_8, by_4


def _uneven(sides: tuple[Dim, Dim], width: int) -> Dim:
    """Return 1 where a vector's width does not divide both sides, else 0.

    ⌈c/w⌉ − ⌊c/w⌋ is 1 where it does not divide one.
    """
    even: Dim = 1
    for side in sides:
        if type(side) is int:
            even = even * int(side % width == 0)
        else:
            vectors = sympy.sympify(resolve(side)) / width
            even = even * (1 - sympy.ceiling(vectors) + sympy.floor(vectors))
    return as_dim(1 - even)


def rounded(channels: Dim, lanes: int) -> Dim:
    """Return channels rounded up to whole vectors, as oneDNN stores them.

    >>> from costmodel.algebra.symbols import alpha
    >>> rounded(24, 16), rounded(24 * alpha, 16)
    (32, 16*ceiling(3*alpha/2))
    """
    if type(channels) is int:
        return -(-channels // lanes) * lanes
    return as_dim(lanes * sympy.ceiling(sympy.sympify(resolve(channels)) / lanes))
