"""How a network is run: a device profile belongs to exactly one such setting."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from costmodel.analysis.memory.weights import DTYPES
from costmodel.errors import CostModelError


DEVICES = ("cpu", "cuda")
LAYOUTS = ("nchw", "channels_last")
MODES = ("eager", "folded", "compile", "graph")


@dataclass(frozen=True, slots=True)
class Setting:
    """Device, number format, memory layout, how the graph is lowered, CPU threads.

    ``mode``: every operator by itself (``eager``), batch norm folded into convolutions
    (``folded``), chains of pointwise operators as one (``compile``), or eager operators
    replayed as one CUDA graph (``graph``). ``lanes`` is what the device's convolutions
    round channels up to: the float32 lanes of a vector register, 16 on AVX-512, 8 on
    AVX2, and 1 where nothing is rounded.

    >>> print(Setting(threads=2))
    cpu float32 nchw eager, 2 threads
    """

    device: str = "cpu"
    dtype: str = "float32"
    layout: str = "nchw"
    mode: str = "eager"
    threads: int = 1
    lanes: int = 16

    def __post_init__(self) -> None:
        """Refuse values that no network can be run with."""
        known = {
            "device": DEVICES, "dtype": tuple(DTYPES), "layout": LAYOUTS, "mode": MODES
        }  # fmt: skip
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise CostModelError(
                    f"setting: {name} {getattr(self, name)!r} is none of "
                    f"{', '.join(words)}"
                )
        for name in ("threads", "lanes"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise CostModelError(
                    f"setting: {name} {count!r} is no whole number from 1"
                )
        if self.mode == "graph" and self.device != "cuda":
            raise CostModelError(
                f"setting: mode graph is a CUDA graph; the device is {self.device}"
            )

    @property
    def element_bytes(self) -> int:
        """Bytes per element of its tensors."""
        return DTYPES[self.dtype]

    def to_json(self) -> dict[str, Any]:
        """Return the setting as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> Setting:
        """Return the setting of plain values."""
        return Setting(**checked(Setting, values, "setting"))

    def __str__(self) -> str:
        """Write cpu float32 nchw eager, 1 thread."""
        text = f"{self.device} {self.dtype} {self.layout} {self.mode}"
        if self.device != "cpu":
            return text
        return f"{text}, {self.threads} thread{'' if self.threads == 1 else 's'}"


def checked(kind: type, values: object, what: str) -> dict[str, Any]:
    """Return JSON's values of a dataclass, each of which its field's type admits.

    **Errors**: no object; a field that is missing, unknown, or of another type.
    """
    if not isinstance(values, dict):
        raise CostModelError(f"{what}: {_shown(values)} is no JSON object")
    known = {f.name: f for f in fields(kind)}
    if unknown := sorted(values.keys() - known.keys()):
        raise CostModelError(f"{what}: unknown field {', '.join(map(repr, unknown))}")
    for name, field in known.items():
        if name in values:
            if not _FITS[str(field.type)](values[name]):
                raise CostModelError(
                    f"{what}: {name} is {_shown(values[name])}, not {field.type}"
                )
        elif field.default is MISSING and field.default_factory is MISSING:
            raise CostModelError(f"{what}: field {name!r} is missing")
    return dict(values)


def _shown(value: object) -> str:
    text = str(value) if type(value) is not int or abs(value) < 2**63 else "too large"
    return text if len(text) < 60 else f"{text[:57]}…"


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: object) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and abs(value) < 2**63


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a check of a list, or of the values of an object."""

    def all_fit(value: Any) -> bool:
        return isinstance(value, (list, tuple)) and all(map(fits, value))

    return all_fit


def _values(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_FITS: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "int": _is_count,
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
    "tuple[int, ...]": _each(_is_count),
    "tuple[str, ...]": _each(_is_text),
    "Mapping[str, Any]": lambda value: isinstance(value, dict),
    "Mapping[str, str]": _values(_is_text),
    "Mapping[str, float]": _values(_is_number),
    "Mapping[str, Coefficients]": _values(lambda value: isinstance(value, dict)),
    "Mapping[str, tuple[float, float]]": _values(
        lambda v: _each(_is_number)(v) and len(v) == 2
    ),
    "tuple[Coefficients, ...]": _each(lambda value: isinstance(value, dict)),
    "LeftOut | None": lambda value: value is None or isinstance(value, dict),
    "Box": _values(_values(lambda v: _each(_is_count)(v) and len(v) == 2)),
    "Setting": lambda value: isinstance(value, dict),
}
"""What JSON gives for a field, by the type that the field is declared with."""
