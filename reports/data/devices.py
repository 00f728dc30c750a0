"""The devices that seconds are predicted for: coefficients, and prediction errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.profile import Coefficients, Profile, profiles
from costmodel.runtime.profile.shipped import validation


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class of kernels: its coefficients, number of samples, and scatter."""

    kind: str
    unit: str
    fitted: Coefficients

    left_out: float | None
    """How far the sums of networks were off that a fit left out, on average."""

    @property
    def split(self) -> str:
        """Into how many parts the class is split, and by what, in words."""
        names = dict.fromkeys(_splits(self.fitted))
        if not names:
            return ""
        return f"{len(self.fitted.leaves)}: {', '.join(names).replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Networks that were left out of calibration, and the errors of each predictor."""

    title: str
    summaries: Mapping[str, Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    noise_floor: float | None


@dataclass(frozen=True, slots=True)
class Device:
    """A shipped profile, and what it was validated on."""

    profile: Profile
    classes: tuple[ClassRow, ...]
    sets: tuple[JudgedSet, ...]

    @property
    def setting(self) -> str:
        """How networks run there."""
        return str(self.profile.setting)

    @property
    def ridge(self) -> float:
        """FLOP per byte from which on computing limits the speed."""
        if not self.profile.peak_byte_per_s:
            return 0.0
        return self.profile.peak_flop_per_s / self.profile.peak_byte_per_s


def devices() -> tuple[Device, ...]:
    """Return every profile that comes with the package."""
    return tuple(_device(profile) for profile in profiles().values())


def _splits(found: Coefficients) -> Iterator[str]:
    """Give the numbers by which a class, and its parts, are split."""
    if found.parts:
        yield found.split
    for part in found.parts:
        yield from _splits(part)


def _device(profile: Profile) -> Device:
    off = profile.left_out.classes if profile.left_out else {}
    classes = tuple(
        ClassRow(kind, KINDS[kind], fitted, off[kind][1] if kind in off else None)
        for kind, fitted in sorted(profile.coefficients.items())
    )
    found = validation(profile.name) or {"sets": {}}
    sets = tuple(
        JudgedSet(title, one["summaries"], one["rows"], one["noise_floor"])
        for title, one in found["sets"].items()
    )
    return Device(profile, classes, sets)
