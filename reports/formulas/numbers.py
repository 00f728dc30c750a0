"""Numbers as people read them: three digits and a unit, or every digit."""

from __future__ import annotations

from fractions import Fraction


UNITS = ((3, "K"), (6, "M"), (9, "G"), (12, "T"))
"""Decimal powers and their letters."""


def human(count: int) -> str:
    r"""Return a count to three digits with K, M, G or T; small counts are exact.

    >>> human(999), human(25557032), human(4089184256), human(999_960)
    ('999', '25.6\xa0M', '4.09\xa0G', '1.00\xa0M')
    """
    if abs(count) < 1000:
        return str(count)
    for power, unit in UNITS:
        for decimals in (2, 1, 0):
            digits = round(Fraction(count, 10 ** (power - decimals)))
            if abs(digits) < 1000:
                return f"{digits / 10**decimals:.{decimals}f}\N{NO-BREAK SPACE}{unit}"
    return digits_of(count)


def digits_of(count: int) -> str:
    """Return every digit of a count, in groups of three.

    >>> digits_of(25557032)
    '25,557,032'
    """
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    r"""Return a part of a whole in percent, without decimals.

    >>> share(1, 3)
    '33\xa0%'
    """
    return f"{round(Fraction(100 * part, whole or 1))}\N{NO-BREAK SPACE}%"


def milliseconds(seconds: float) -> str:
    r"""Return seconds as milliseconds, to three digits.

    >>> milliseconds(0.0123456), milliseconds(1.5)
    ('12.3\xa0ms', '1500\xa0ms')
    """
    text = f"{seconds * 1e3:.3g}"
    if "e" in text:
        text = f"{seconds * 1e3:.0f}"
    return f"{text}\N{NO-BREAK SPACE}ms"
