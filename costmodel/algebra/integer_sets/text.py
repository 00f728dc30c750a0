"""Periodic sets as text, such as H ≥ 33 and 16 divides H."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def written(
    intervals: Iterable[tuple[int, int | None, int, list[int]]], name: str
) -> str:
    """Write H ≥ 75, H mod 32 in {0, 31}, H in {1, 2} or H ≥ 9, or no H.

    An interval is its first number, its last one (or None), a modulus, and the
    remainders of its numbers.
    """
    points, texts = list[int](), list[str]()
    for first, last, modulus, values in intervals:
        if first == last:
            points.append(first)
        else:
            texts.append(_interval(first, last, modulus, values, name))
    if len(points) > 1:
        texts.insert(0, f"{name} in {{{', '.join(map(str, points))}}}")
    elif points:
        texts.insert(0, f"{name} = {points[0]}")
    return " or ".join(texts) or f"no {name}"


def _interval(
    first: int, last: int | None, modulus: int, values: list[int], name: str
) -> str:
    """Write H ≥ 75, 5 ≤ H ≤ 9, or H ≥ 33 and 16 divides H."""
    if last is None:
        bounds = "" if first == 1 else f"{name} ≥ {first}"
    else:
        bounds = f"{name} ≤ {last}" if first == 1 else f"{first} ≤ {name} ≤ {last}"
    if bounds and modulus == 1:
        return bounds
    remainders = _remainders(modulus, values, name)
    return f"{bounds} and {remainders}" if bounds else remainders


def _remainders(modulus: int, values: list[int], name: str) -> str:
    """Write 32 divides H, H even, H ≡ 29 (mod 32) or H mod 32 in {0, 31}."""
    if modulus == 1:
        return f"every {name}"
    if len(values) == 1:
        (rest,) = values
        if modulus == 2:
            return f"{name} {'odd' if rest else 'even'}"
        if rest == 0:
            return f"{modulus} divides {name}"
        return f"{name} ≡ {rest} (mod {modulus})"
    missing = sorted(set(range(modulus)).difference(values))
    if len(missing) < len(values) / 2:
        return f"{name} mod {modulus} not in {{{_listed(missing)}}}"
    return f"{name} mod {modulus} in {{{_listed(values)}}}"


def _listed(numbers: list[int]) -> str:
    """Write numbers, all of them; in a long list, 2, …, 9 are all from 2 to 9."""
    if len(numbers) <= _LISTED:
        return ", ".join(map(str, numbers))
    shown = list[str]()
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        texts = [str(number) for _, number in run]
        is_long = len(texts) > 2 * _ENDS + 1
        shown += [*texts[:_ENDS], "…", *texts[-_ENDS:]] if is_long else texts
    return ", ".join(shown)


_LISTED = 32
"""In longer lists, numbers that follow each other are shortened."""
_ENDS = 3
"""How many are written at either end of those."""
