"""What a profile says of each kernel, and why that may be doubted.

A kernel may lie outside of what was calibrated, or be guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy

from costmodel.algebra.symbols import Dim, as_dim
from costmodel.runtime.kernels.kernel import Kernel
from costmodel.runtime.profile import FEATURES, UNJUDGED, Profile


MOST_UNMODELLED = 0.05
"""The share of seconds that may be guessed without a warning."""


@dataclass(frozen=True, slots=True)
class Row:
    """A kernel and its seconds, the network's overhead included.

    Each is 0 wherever another kernel runs in its place.

    **Units**: seconds.
    """

    kernel: Kernel
    compute: Dim
    memory: Dim
    call: Dim
    is_modelled: bool
    """False: without a class of its own in the profile; another class stands in."""

    @property
    def name(self) -> str:
        """The node that the kernel is named after."""
        return self.kernel.name

    @property
    def nodes(self) -> tuple[str, ...]:
        """The network's nodes that the kernel runs."""
        return self.kernel.nodes

    @property
    def kind(self) -> str:
        """The kernel's class, which another may stand in for."""
        return self.kernel.kind

    @property
    def seconds(self) -> Dim:
        """What computing, moving and calling take together."""
        return as_dim(sympy.Add(self.compute, self.memory, self.call))


def warnings_of(rows: Sequence[Row], profile: Profile) -> Iterator[str]:
    """Give a sentence for each reason to doubt the seconds of a network's kernels."""
    yield from doubts(profile)
    seconds = [row.seconds for row in rows]
    yield from _guessed(rows, seconds)
    free = set().union(*(s.free_symbols for s in map(sympy.sympify, seconds)))
    if names := ", ".join(sorted(map(str, free))):
        yield (
            f"{names} {'is a symbol' if len(free) == 1 else 'are symbols'}: what is "
            "inside of the calibrated range is known once every size is a number"
        )
        if stepped := ", ".join(
            sorted({row.kind for row in rows if _steps(row, profile)})
        ):
            yield f"steps in the formula, by size: {stepped}"
    groups: dict[tuple[str, str], list[tuple[float, str, int]]] = {}
    for row in rows:
        for feature, times, value in _outside(row, profile):
            found = groups.setdefault((row.kind, feature), [])
            found.append((times, row.name, value))
    for (kind, feature), found in groups.items():
        yield _sentence(profile, kind, feature, found)


def doubts(profile: Profile) -> Iterator[str]:
    """Say if simpler predictors did better on what a calibration left out."""
    found = profile.left_out
    if found is None and profile.margin == UNJUDGED:
        yield (
            f"nobody knows how good {profile.name} is: fewer networks were measured "
            "than are needed to leave some out; its interval is a guess"
        )
    if found and found.better:
        name = min(found.better, key=found.better.__getitem__)
        yield (
            f"{profile.name} is no good: networks that its calibration left out are "
            f"predicted {found.better[name]:.1%} off by {name}, and {found.mape:.1%} "
            "by this profile; was the machine busy, or too little measured?"
        )


def _guessed(rows: Sequence[Row], seconds: Sequence[Dim]) -> Iterator[str]:
    """Say what has no class of its own, and how much of the time that is."""
    guessed = [row for row in rows if not row.is_modelled]
    if not guessed:
        return
    names = ", ".join(sorted({row.kind for row in guessed}))
    where = guessed[0].name
    if len(guessed) > 1:
        where = f"{where} and {len(guessed) - 1} more"
    share = sympy.Add(*(row.seconds for row in guessed)) / sympy.Add(*seconds)
    if share.free_symbols:
        yield f"without a class of their own: {names}, at {where}"
    elif share > MOST_UNMODELLED:
        yield (
            f"{float(share):.1%} of the time is guessed, without a class of its own: "
            f"{names}, at {where}"
        )


def _steps(row: Row, profile: Profile) -> bool:
    """Say whether symbols decide in which part of its class a kernel is."""
    found = [profile.coefficients[row.kind]] if row.is_modelled else []
    while found:
        one = found.pop()
        found += one.parts
        if one.parts and sympy.sympify(row.kernel.number(one.split)).free_symbols:
            return True
    return False


def _outside(row: Row, profile: Profile) -> Iterator[tuple[str, float, int]]:
    """Give the features of a kernel that leave the calibrated box, and how far."""
    kernel = row.kernel
    box = profile.box.get(kernel.kind, {}) if row.is_modelled else {}
    for feature in FEATURES:
        value = getattr(kernel, feature)
        if feature not in box or type(value) is not int or kernel.when == 0:
            continue
        low, high = box[feature]
        if value > high:
            yield feature, value / high if high else float("inf"), value
        elif value < low:
            yield feature, value / low, value


def _sentence(
    profile: Profile, kind: str, feature: str, found: list[tuple[float, str, int]]
) -> str:
    """Return one sentence for one feature of one class: the farthest, and how many."""
    times, name, value = max(found, key=lambda one: max(one[0], 1 / (one[0] or 1e-9)))
    low, high = profile.box[kind][feature]
    more = "" if len(found) == 1 else f" and {len(found) - 1} more"
    far = f"{times:.3g} times the {'most' if times > 1 else 'least'}"
    word = feature.replace("_", " ")
    return (
        f"{kind}: {word} {value:,} of {name}{more} is outside of the calibrated range "
        f"{low:,} to {high:,}: {far}"
    )
