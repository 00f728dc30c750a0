"""A device profile: how long each class of kernels takes, and how certain that is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.errors import CostModelError, known_are
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.setting import Setting, checked


TERMS = ("work", "activation_byte", "weight_byte", "call")
"""What a coefficient is multiplied by: the four terms of a class, in this order."""

FEATURES = ("work", "activation_bytes", "weight_bytes")
"""The numbers of a kernel that a calibrated box bounds."""

SCHEMA = "costmodel.profile/1"

DIGITS = 6
"""Significant digits of a coefficient: as many as are written, and all that count."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Seconds of one class: a·work + b·activation bytes + c·weight bytes + d per call.

    **Units**: seconds per unit of each term; ``residual`` is the spread of the
    logarithm of measured over predicted time, kernel by kernel.
    """

    work: float
    activation_byte: float
    weight_byte: float
    call: float
    covariance: tuple[tuple[float, ...], ...] = ((0.0,) * 4,) * 4
    """Of the four, in the order of :data:`TERMS`, from resampling networks."""
    residual: float = 0.0
    samples: int = 0
    identified: tuple[str, ...] = TERMS
    """Terms that the measurements settle, or show to be negligible."""

    def __post_init__(self) -> None:
        """Refuse negative or non-finite numbers, four zeros, and a wrong covariance."""
        spreads = [self.residual, *(n for row in self.covariance for n in row)]
        if not all(math.isfinite(n) for n in (*self.values, *spreads)):
            raise CostModelError(f"coefficients {self.values}: not all are numbers")
        if min(self.values) < 0 or max(self.values) == 0:
            raise CostModelError(
                f"coefficients {self.values}: none may be negative, nor all be 0"
            )
        if [len(row) for row in self.covariance] != [4] * 4:
            raise CostModelError("coefficients: the covariance is not 4 by 4")

    @property
    def values(self) -> tuple[float, float, float, float]:
        """The four, in the order of :data:`TERMS`."""
        return self.work, self.activation_byte, self.weight_byte, self.call

    @property
    def errors(self) -> tuple[float, ...]:
        """The standard error of each of the four."""
        return tuple(math.sqrt(self.covariance[i][i]) for i in range(4))

    @property
    def factor(self) -> tuple[tuple[float, ...], ...]:
        """Rows whose squared products with four totals add up to their variance."""
        values, vectors = np.linalg.eigh(np.array(self.covariance))
        rows = vectors.T * np.sqrt(np.maximum(values, 0.0))[:, None]
        return tuple(
            tuple(float(f"{number:.{DIGITS}g}") for number in row)
            for row in rows
            if np.abs(row).max() > 0
        )

    @property
    def unidentified(self) -> tuple[str, ...]:
        """Terms that the measurements do not settle."""
        return tuple(term for term in TERMS if term not in self.identified)


Box = Mapping[str, Mapping[str, tuple[int, int]]]
"""The least and the most of every feature that was calibrated, by class."""


@dataclass(frozen=True)
class Profile:
    """A device in one setting: coefficients by class, and what they hold for.

    ``overhead`` is a whole network's time over the sum of its kernels'. ``spread`` is
    that of the logarithm of measured over predicted sums of whole networks that were
    left out of a fit. ``peak_flop_per_s`` and ``peak_byte_per_s`` are the highest rates
    sustained in any class: a roofline's two sides, measured.

    **Units**: seconds, FLOP/s (2 per multiply–accumulate), bytes/s.
    """

    name: str
    setting: Setting
    coefficients: Mapping[str, Coefficients]
    box: Box = field(default_factory=dict)
    overhead: float = 1.0
    spread: float = 0.0
    peak_flop_per_s: float = 0.0
    peak_byte_per_s: float = 0.0
    stamp: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    notes: tuple[str, ...] = ()
    """What the calibration could not identify, in words."""

    def __post_init__(self) -> None:
        """Refuse unknown classes, and a profile without any."""
        if not self.coefficients:
            raise CostModelError(f'profile "{self.name}": no class has coefficients')
        if unknown := sorted(self.coefficients.keys() - KINDS.keys()):
            raise CostModelError(
                f'profile "{self.name}": unknown class {", ".join(unknown)}; '
                "was it made by a later version?"
            )
        if not (math.isfinite(self.overhead) and self.overhead > 0):
            raise CostModelError(f'profile "{self.name}": overhead {self.overhead!r}')

    def to_json(self) -> str:
        """Return the profile as text; :meth:`from_json` gives it back."""
        document = {"schema": SCHEMA, "units": "seconds", **asdict(self)}
        return json.dumps(document, indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str, source: str = "profile") -> Profile:
        """Return the profile of a text; ``source`` is what errors call it."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CostModelError(f"{source}: no JSON: {error}") from None
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise CostModelError(f"{source}: schema {schema!r} is not {SCHEMA}")
        try:
            return _read(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CostModelError(f"{source}: not a device profile: {error!r}") from None
        except CostModelError as error:
            raise CostModelError(f"{source}: {error}") from None


def profiles() -> dict[str, Profile]:
    """Return the profiles that come with the package, by name."""
    return dict(_shipped())


def load_profile(name: str | Path | Profile) -> Profile:
    """Return a profile: a shipped one by its name, or a file's."""
    if isinstance(name, Profile):
        return name
    known = _shipped()
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    if path.suffix != ".json" and not path.exists():
        names = known_are(name, known) if known else "none is shipped"
        raise CostModelError(
            f'no device profile "{name}"; {names}; costmodel calibrate writes one to a '
            "file, which may be named here"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CostModelError(f"{name}: {reason}") from None
    return Profile.from_json(text, str(name))


@cache
def _shipped() -> dict[str, Profile]:
    folder = resources.files("costmodel.runtime.profile") / "data"
    files = [file for file in folder.iterdir() if file.name.endswith(".json")]
    found = (
        Profile.from_json(file.read_text(encoding="utf-8"), file.name)
        for file in sorted(files, key=lambda file: file.name)
    )
    return {profile.name: profile for profile in found}


def _read(document: dict[str, Any]) -> Profile:
    known = {f.name for f in fields(Profile)}
    given = {name: value for name, value in document.items() if name in known}
    values = checked(Profile, given, "profile")
    values["setting"] = Setting.from_json(document["setting"])
    values["coefficients"] = {
        kind: Coefficients(
            **{
                key: _frozen(value)
                for key, value in checked(Coefficients, entry, f"class {kind}").items()
            }
        )
        for kind, entry in document["coefficients"].items()
    }
    values["box"] = {
        kind: {feature: tuple(bounds) for feature, bounds in features.items()}
        for kind, features in document.get("box", {}).items()
    }
    values["notes"] = tuple(document.get("notes", ()))
    return Profile(**values)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
