"""Write docs/validation.md's tables, and what the package says of its predictions.

    python -m tests.runtime.table

Nothing is measured here: predictions of the shipped profiles, and every baseline fitted
to the networks that each was calibrated on, beside what `held_out` measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from costmodel.cli.commands.validate import _opened, _ours, _roofs
from costmodel.network.graph import Network
from costmodel.runtime.measure.jsonl import write_whole
from costmodel.runtime.measure.result import Measurement
from costmodel.runtime.profile import Profile, load_profile
from costmodel.runtime.profile.shipped import SCHEMA, validations
from costmodel.runtime.validate import Estimate, numbered, validate
from costmodel.runtime.validate.baselines import BASELINES, Case
from costmodel.runtime.validate.cases import case_of, estimate, measurements
from tests import zoo


MEASURED = Path(__file__).parent / "measured"
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"

SETS: dict[str, tuple[str, ...]] = {
    "torchvision, for development": ("torchvision",),
    "timm, blind": ("timm",),
    "both": ("torchvision", "timm"),
    "timm, others": ("more",),
    "registered architectures": ("registered",),
    "transfer: batches 1 to 8, sides 128 to 320": ("transfer",),
}
"""Sets of networks by the files that they are measured in."""

HEADER = "| predictor | MAPE | 95 % | median | p90 | max | ≤ 10 % | bias | τ |"

LEAVE_FAMILY_OUT = ("FLOPs + activations", "ConvMeter-like")
"""Baselines that are fitted to the judged networks, too, without each one's family."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A shipped profile: its calibration, and what was measured on that machine."""

    profile: str
    title: str

    @property
    def folder(self) -> Path:
        """Return where its measurements are."""
        return MEASURED / self.profile

    def files(self, which: str) -> list[Path]:
        """Return the files of a set."""
        return [self.folder / f"{stem}.jsonl.gz" for stem in SETS[which]]

    @property
    def available(self) -> list[str]:
        """The sets that were measured there."""
        return [w for w in SETS if all(file.exists() for file in self.files(w))]


MACHINES = (
    Machine(
        "intel-xeon-avx512-1-thread-float32", "Intel Xeon with AVX-512, one thread"
    ),
    Machine("amd-epyc-avx2-1-thread-float32", "AMD EPYC with AVX2, one thread"),
    Machine("intel-xeon-amx-1-thread-float32", "Intel Xeon with AMX, one thread"),
    Machine("intel-xeon-amx-2-threads-float32", "Intel Xeon with AMX, two threads"),
)
"""Machines and settings by the profiles that come with the package."""


@cache
def judged(machine: Machine, which: str) -> dict[str, Any]:
    """Return what ``costmodel validate FILES --device PROFILE --fit CALIBRATION`` says.

    The best baselines are fitted to the networks of other families as well.
    """
    profile = load_profile(machine.profile)
    found = [one for file in machine.files(which) for one in measurements(file)]
    cases, estimates = judge(found, profile)
    # First what is comparable: predictions at the speed that the machine had.
    ours = reversed(_ours(profile, found, estimates))
    ways = [*ours, *BASELINES, *_roofs(profile)]
    halves = [(m.seconds * (1 - m.split_half / 2), m.seconds * (1 + m.split_half / 2))
              for m in found]  # fmt: skip
    result = validate(cases, ways, fitted_to=calibration(machine), halves=halves)
    document = result.to_json()
    others = validate(cases, [w for w in BASELINES if w.name in LEAVE_FAMILY_OUT])
    document["summaries"] |= {
        f"{name}, fitted to other families": summary
        for name, summary in others.to_json()["summaries"].items()
    }
    return document


def judge(
    found: Sequence[Measurement], profile: Profile
) -> tuple[list[Case], dict[str, Estimate]]:
    """Return measured networks' totals, and what the profile predicts."""
    cases, estimates = [], []
    for one in found:
        net, family = opened(one.name, one.shape, one.batch, tuple(one.options.items()))
        cases.append(case_of(one, net, family, profile.setting))
        estimates.append(estimate(net, profile))
    named = numbered(cases)
    return named, {case.name: e for case, e in zip(named, estimates)}


@cache
def opened(
    name: str, shape: tuple[int, ...], batch: int, options: tuple[Any, ...]
) -> tuple[Network, str]:
    """Return a measured network and its family: traced once for all machines."""
    zoo.torchvision_models()
    zoo.timm()
    known = {"name": name, "shape": shape, "batch": batch, "options": dict(options)}
    return _opened(SimpleNamespace(**known))  # type: ignore[arg-type]


@cache
def calibration(machine: Machine) -> list[Case]:
    """Return the networks that the profile was calibrated on."""
    profile = load_profile(machine.profile)
    return judge(measurements(machine.folder / "calibration.jsonl.gz"), profile)[0]


def lines() -> Iterator[str]:
    """Give the tables, line by line."""
    for machine in MACHINES:
        yield from (f"### {machine.title}", "")
        for which in machine.available:
            found = judged(machine, which)
            title = f"{which[0].upper()}{which[1:]}"
            yield f"**{title}: {len(found['rows'])} measurements**"
            yield from ("", HEADER, "|---|" + "--:|" * (HEADER.count("|") - 2))
            summaries = found["summaries"].items()
            yield from (f"| {name} | {row(s)} |" for name, s in summaries)
            yield from ("", sentence(found), "")
    yield from ("### Every network", "")
    for machine in MACHINES:
        yield from (f"**{machine.title}**", "")
        yield "| network | measured ms | predicted ms | off |"
        yield "|---|--:|--:|--:|"
        for which in machine.available:
            if len(SETS[which]) == 1:
                yield from map(network, judged(machine, which)["rows"])
        yield ""


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


def shipped(machine: Machine) -> dict[str, Any]:
    """Return what comes with the package: errors by predictor, and every network."""
    sets = {}
    for which in machine.available:
        if len(SETS[which]) != 1:
            continue
        found = judged(machine, which)
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
    about = {"schema": SCHEMA, "profile": machine.profile, "units": "seconds"}
    return {**about, "sets": sets}


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
    for known in MACHINES:
        text = json.dumps(shipped(known), ensure_ascii=False, indent=0)
        write_whole(validations() / f"{known.profile}.json", f"{text}\n")
