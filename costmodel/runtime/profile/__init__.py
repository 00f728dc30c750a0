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

from costmodel.errors import CostModelError, known_are
from costmodel.runtime.kernels.classes import KINDS, SUBSTITUTES
from costmodel.runtime.kernels.kernel import NUMBERS
from costmodel.runtime.setting import Setting, checked


TERMS = ("work", "activation_byte", "weight_byte", "call")
"""What a coefficient is multiplied by: the four terms of a class, in this order."""

FEATURES = ("work", "activation_bytes", "weight_bytes")
"""The numbers of a kernel that a calibrated box bounds."""

MULTIPLIED = (*FEATURES, "calls")
"""The number of a kernel that each of a class's four coefficients multiplies."""

SCHEMA = "costmodel.profile/2"

SLOWEST = 1e3
"""Seconds for one operation, byte or call above which a coefficient is a mistake."""

UNJUDGED = 2.0
"""The factor that stands for the interval of a profile that nothing was left out of."""

MOST_SPLITS = 20
"""Parts of parts that a file may have."""

DIGITS = 6
"""Significant digits of a coefficient: as many as are written, and all that count."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Seconds of one class: a·work + b·activation bytes + c·weight bytes + d per call.

    A class that is not the same everywhere is in two ``parts``: kernels whose number
    ``split`` (one of :data:`NUMBERS`) is at most ``limit``, and all others. Its own
    four are those of the whole class.

    **Units**: seconds per unit of each term; ``residual`` is the median of
    |predicted/measured − 1|, kernel by kernel, without its parts.
    """

    work: float
    activation_byte: float
    weight_byte: float
    call: float
    residual: float = 0.0
    samples: int = 0
    split: str = ""
    limit: int = 0
    parts: tuple[Coefficients, ...] = ()

    def __post_init__(self) -> None:
        """Refuse negative or non-finite numbers, four zeros, and half a split."""
        if not all(math.isfinite(n) for n in (*self.values, self.residual)):
            raise CostModelError(f"coefficients {self.values}: not all are numbers")
        if min(*self.values, self.residual) < 0 or max(self.values) == 0:
            raise CostModelError(
                f"coefficients {self.values}: none may be negative, nor all be 0"
            )
        if max(self.values) > SLOWEST:
            raise CostModelError(f"coefficients {self.values}: no device is so slow")
        is_split = len(self.parts) == 2 and self.split in NUMBERS
        if not is_split and (self.parts or self.split):
            raise CostModelError(
                f'coefficients: {len(self.parts)} parts, by "{self.split}"; a class is '
                f"in two parts, by one of {', '.join(NUMBERS)}"
            )

    @property
    def values(self) -> tuple[float, float, float, float]:
        """The four, in the order of :data:`TERMS`."""
        return self.work, self.activation_byte, self.weight_byte, self.call

    @property
    def leaves(self) -> tuple[Coefficients, ...]:
        """What it consists of in the end: itself if it has no parts."""
        return tuple(leaf for part in self.parts for leaf in part.leaves) or (self,)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How well drawn networks are predicted by fits that left them out.

    **Units**: fractions of 1: ``mape`` and ``median`` of |predicted/measured − 1|,
    whole networks; ``coverage`` is the share that lies in an 80 % interval made without
    them.
    """

    networks: int
    mape: float
    median: float
    coverage: float
    classes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By class its share of all seconds, and the mean error of its sums."""
    baselines: Mapping[str, float] = field(default_factory=dict)
    """The mean error of other predictors, fitted to the same networks."""

    @property
    def better(self) -> dict[str, float]:
        """Those of the baselines that err less."""
        return {name: e for name, e in self.baselines.items() if e < self.mape}


ASKED = ("name", "setting", "coefficients", "box", "overhead", "between", "margin")
"""What a file has to say: without it, predictions would be others."""

Box = Mapping[str, Mapping[str, tuple[int, int]]]
"""The least and the most of every feature that was calibrated, by class."""


@dataclass(frozen=True)
class Profile:
    """A device in one setting: coefficients by class, and what they hold for.

    A network takes ``overhead`` times the sum of its kernels, and ``between`` for each
    of them. ``margin`` is the factor within which four of five networks lie that were
    left out of a fit, and ``left_out`` how wrong these were. ``peak_flop_per_s`` and
    ``peak_byte_per_s`` are the highest rates sustained in any class: a roofline's two
    sides, measured.

    **Units**: seconds, FLOP/s (2 per multiply–accumulate), bytes/s.
    """

    name: str
    setting: Setting
    coefficients: Mapping[str, Coefficients]
    box: Box = field(default_factory=dict)
    overhead: float = 1.0
    between: float = 0.0
    margin: float = 1.0
    left_out: LeftOut | None = None
    peak_flop_per_s: float = 0.0
    peak_byte_per_s: float = 0.0
    stamp: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    notes: tuple[str, ...] = ()
    """What the calibration lacks, in words."""

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
        if not (math.isfinite(self.between) and self.between >= 0):
            raise CostModelError(f'profile "{self.name}": between {self.between!r}')
        if not (math.isfinite(self.margin) and self.margin >= 1):
            raise CostModelError(f'profile "{self.name}": margin {self.margin!r}')
        anchor = self.stamp.get("anchor", 1.0)
        if type(anchor) not in (int, float) or not 0 < anchor < SLOWEST:
            raise CostModelError(f'profile "{self.name}": anchor {anchor!r}')
        if min(self.peak_flop_per_s, self.peak_byte_per_s) < 0:
            raise CostModelError(f'profile "{self.name}": a peak rate is below 0')

    def class_of(self, kind: str) -> str:
        """Return the class whose coefficients a kernel of some class takes here.

        It is its own, unless the profile has none; then another stands in, a guess.
        """
        known = self.coefficients
        while kind not in known and kind in SUBSTITUTES:
            kind = SUBSTITUTES[kind]
        if kind not in known:
            kind = "copy" if "copy" in known else next(iter(known))
        return kind

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
            is_older = str(schema).startswith("costmodel.profile/")
            older = "a profile of an earlier version is made anew by"
            raise CostModelError(
                f"{source}: schema {schema!r} is not {SCHEMA}; "
                + (f"{older} costmodel calibrate --refit" if is_older
                   else "it is no profile, as costmodel calibrate writes one")
            )  # fmt: skip
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
    if not isinstance(name, (str, Path)):
        raise CostModelError(
            f"a device is the name of a profile, a file or a profile, not {name!r}"
        )
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
    for what, names, found in (
        ("profile", ASKED, document),
        ("setting", [f.name for f in fields(Setting)], document["setting"]),
    ):
        if missing := [repr(name) for name in names if name not in found]:
            raise CostModelError(f"{what}: field {', '.join(missing)} is missing")
    values["coefficients"] = {
        kind: _coefficients(entry, f"class {kind}")
        for kind, entry in document["coefficients"].items()
    }
    if values.get("left_out") is not None:
        left_out = checked(LeftOut, values["left_out"], "left_out")
        pairs = left_out.get("classes", {})
        left_out["classes"] = {kind: tuple(pair) for kind, pair in pairs.items()}
        values["left_out"] = LeftOut(**left_out)
    values["box"] = {
        kind: {feature: tuple(bounds) for feature, bounds in features.items()}
        for kind, features in document.get("box", {}).items()
    }
    values["notes"] = tuple(document.get("notes", ()))
    return Profile(**values)


def _coefficients(entry: Any, what: str, depth: int = 0) -> Coefficients:
    """Return a class, and its parts in turn."""
    values = checked(Coefficients, entry, what)
    parts = values.get("parts", ())
    if depth > MOST_SPLITS:
        raise CostModelError(f"{what}: split over {MOST_SPLITS} times")
    values["parts"] = tuple(_coefficients(part, what, depth + 1) for part in parts)
    return Coefficients(**values)
