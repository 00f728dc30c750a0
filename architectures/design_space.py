"""The design space of RegNets: widths along a line, quantized to stages."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from costmodel.algebra.rounding import make_divisible
from costmodel.algebra.symbols import Dim, Rational
from costmodel.network.build import require


def widths(blocks: int, initial: int, slope: Dim, factor: Dim) -> Counter[int]:
    """Return the widths of the stages, with their numbers of blocks.

    Block j is w_0·w_m^s wide, s = log(1 + w_a·j/w_0)/log w_m, with s rounded to a whole
    number and then the width to a multiple of 8. Whole numbers are found by comparing
    fractions, without rounding errors.

    **Source**: Radosavovic et al. 2020, arXiv:2003.13678, equations 2 to 4.

    >>> widths(13, 24, Rational("36.44"), Rational("2.49"))
    Counter({368: 7, 152: 4, 24: 1, 56: 1})
    """
    require(initial % 8 == 0, f"initial = {initial} is not a multiple of 8")
    require(factor > 1, f"factor = {factor} multiplies widths; give more than 1")
    # Python's fractions are exact as sympy's, and round without numerical evaluation.
    slope, factor = (Fraction(str(Rational(x))) for x in (slope, factor))
    found: Counter[int] = Counter()
    exponent = 0
    for block in range(blocks):
        line = 1 + slope * Fraction(block, initial)
        while factor ** (2 * exponent + 1) < line**2:  # s is over exponent + 1/2
            exponent += 1
        found[8 * round(initial * factor**exponent / 8)] += 1
    return found


def fit(size: int, group: int, *, nearest: bool) -> int:
    """Return a width near the given one that a group width divides.

    The nearest multiple is the authors' choice; the other is never 10 % thinner.

    >>> fit(136, 16, nearest=True), fit(392, 16, nearest=True)
    (128, 384)
    >>> fit(136, 16, nearest=False), fit(392, 16, nearest=False)
    (144, 400)
    """
    if nearest:
        return int(max(group, group * round(Fraction(size, group))))
    return int(make_divisible(size, 1, group))
