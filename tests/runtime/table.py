"""Write docs/validation.md's tables, and what the package says of its predictions.

    python -m tests.runtime.table

Nothing is measured here: predictions of the shipped profile, and every baseline fitted
to the networks that it was calibrated on, beside what `held_out` measured.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from costmodel.cli.commands.validate import _ours, _read, _roofs
from costmodel.runtime.measure.jsonl import write_whole
from costmodel.runtime.measure.result import Measurement
from costmodel.runtime.profile import load_profile
from costmodel.runtime.profile.shipped import SCHEMA, validations
from costmodel.runtime.validate import Estimate, validate
from costmodel.runtime.validate.baselines import BASELINES, Case
from costmodel.runtime.validate.cases import measurements
from tests import zoo


FOLDER = Path(__file__).parent / "measured"
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"

PROFILE = "intel-xeon-avx512-1-thread-float32"
"""The shipped profile that is judged: of the machine that the sets were measured on."""

CALIBRATION = FOLDER.with_name("calibration.jsonl.gz")
"""What the profile was calibrated on, and what baselines are fitted to."""

COMES_WITH = validations() / f"{PROFILE}.json"
"""What the package says of its own predictions."""

SETS: dict[str, tuple[str, ...]] = {
    "torchvision, for development": ("torchvision",),
    "timm, blind": ("timm",),
    "both": ("torchvision", "timm"),
    "registered architectures": ("registered",),
    "transfer: batches 1 to 8, sides 128 to 320": ("transfer",),
}
"""Sets of networks by the files that they are measured in."""

HEADER = "| predictor | MAPE | 95 % | median | p90 | max | ≤ 10 % | bias | τ |"


def files(which: str) -> list[Path]:
    """Return the files of a set; those of a set are there together or not at all."""
    return [FOLDER / f"{stem}.jsonl" for stem in SETS[which]]


def available() -> list[str]:
    """Return the sets that were measured."""
    return [which for which in SETS if all(file.exists() for file in files(which))]


@cache
def judged(which: str) -> dict[str, Any]:
    """Return what ``costmodel validate FILES --device PROFILE --fit CALIBRATION`` says.

    Each file is read once, however many sets it is in.
    """
    profile = load_profile(PROFILE)
    parts = [read(file) for file in files(which)]
    found = [one for measured, _, _ in parts for one in measured]
    cases = [case for _, some, _ in parts for case in some]
    estimates = {key: e for _, _, known in parts for key, e in known.items()}
    # First what is comparable: predictions at the speed that the machine had.
    ours = reversed(_ours(profile, found, estimates))
    ways = [*ours, *BASELINES, *_roofs(profile)]
    halves = [(m.seconds * (1 - m.split_half / 2), m.seconds * (1 + m.split_half / 2))
              for m in found]  # fmt: skip
    result = validate(cases, ways, fitted_to=calibration(), halves=halves)
    return result.to_json()


@cache
def read(file: Path) -> tuple[list[Measurement], list[Case], dict[str, Estimate]]:
    """Return a file's measurements, their totals, and what the profile predicts."""
    zoo.torchvision_models()
    zoo.timm()
    profile = load_profile(PROFILE)
    found = measurements(file)
    return found, *_read(found, profile.setting, profile, {})


@cache
def calibration() -> list[Case]:
    """Return the networks that the profile was calibrated on."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / CALIBRATION.stem
        path.write_bytes(gzip.decompress(CALIBRATION.read_bytes()))
        return _read(measurements(path), load_profile(PROFILE).setting, None, {})[0]


def lines() -> Iterator[str]:
    """Give the tables, line by line."""
    for which in available():
        found = judged(which)
        yield f"### {which[0].upper()}{which[1:]}: {len(found['rows'])} measurements"
        yield from ("", HEADER, "|---|" + "--:|" * (HEADER.count("|") - 2))
        yield from (f"| {name} | {row(s)} |" for name, s in found["summaries"].items())
        yield from ("", sentence(found), "")
    yield from (
        "### Every network",
        "",
        "| network | measured ms | predicted ms | off |",
    )
    yield "|---|--:|--:|--:|"
    for which in available():
        if len(SETS[which]) == 1:
            yield from map(network, judged(which)["rows"])


def row(s: dict[str, Any]) -> str:
    """Return one predictor's cells."""
    low, high = s["interval"]
    cells = [f"{s['mape']:.1%}", f"{low:.1%}–{high:.1%}", f"{s['median']:.1%}",
             f"{s['p90']:.1%}", f"{s['largest']:.1%}", f"{s['within']:.0%}",
             f"{s['bias']:.3f}", f"{s['tau']:.3f}"]  # fmt: skip
    return " | ".join(cells)


def sentence(found: dict[str, Any]) -> str:
    """Say what the first predictor misses most, the noise and the coverage."""
    name, summary = next(iter(found["summaries"].items()))
    worst = ", ".join(f"{net} {error:+.1%}" for net, error in found["worst"][name])
    return (
        f"Farthest off: {worst}. Halves of the measurements differ by "
        f"{found['noise_floor']:.1%}; 80 % intervals hold {summary['coverage']:.0%}."
    )


def network(one: dict[str, Any]) -> str:
    """Return one network's line."""
    seconds, ours = one["seconds"], next(iter(one["predicted"].values()))
    off = f"{ours / seconds - 1:+.1%}"
    return f"| {one['name']} | {seconds * 1e3:.2f} | {ours * 1e3:.2f} | {off} |"


def shipped() -> dict[str, Any]:
    """Return what comes with the package: errors by predictor, and every network."""
    sets = {}
    for which in available():
        if len(SETS[which]) != 1:
            continue
        found = judged(which)
        sets[which] = {
            "noise_floor": _digits(found["noise_floor"]),
            "summaries": _digits(found["summaries"]),
            "rows": [
                {
                    "name": one["name"],
                    "seconds": _digits(one["seconds"]),
                    "predicted": _digits(next(iter(one["predicted"].values()))),
                }
                for one in found["rows"]
            ],
        }
    return {"schema": SCHEMA, "profile": PROFILE, "units": "seconds", "sets": sets}


def _digits(value: Any) -> Any:
    """Return numbers to four digits: measurements have no more."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _digits(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(_digits, value))
    return value


_BLOCK = re.compile(r"(<!-- tables -->\n).*?(<!-- end of tables -->)", re.DOTALL)


def written(page: str, table: Sequence[str]) -> str:
    """Return the page with its tables replaced."""
    text = "\n".join(table)
    return _BLOCK.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(
        written(PAGE.read_text(encoding="utf-8"), list(lines())), encoding="utf-8"
    )
    COMES_WITH.parent.mkdir(exist_ok=True)
    write_whole(COMES_WITH, json.dumps(shipped(), ensure_ascii=False, indent=0) + "\n")
