"""Calibrate a device and judge it within a few minutes: for a GPU that is borrowed.

    python -m tests.runtime.on_device cuda --minutes 9 -o FOLDER

On a GPU that is bfloat16 in channels_last and float32, eagerly and as a CUDA graph, at
batches 1, 8, 64 and 256; on a CPU one thread at batches 1 and 8. For each setting the
folder has the rows and the profile of the calibration, the rows of published networks
that no calibration saw, and the errors of every predictor on them. What is there
already is not measured again. Half of the time is for calibrating.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from costmodel.cli.commands.validate import _ours, _roofs
from costmodel.runtime.calibrate import Draw, calibrate
from costmodel.runtime.measure import jsonl
from costmodel.runtime.measure.environment import ALLOCATOR, is_quiet
from costmodel.runtime.measure.measure import Plan, measure_all, setting_of
from costmodel.runtime.measure.prepare import Job
from costmodel.runtime.measure.result import key_of
from costmodel.runtime.profile import Profile
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate import validate
from costmodel.runtime.validate.baselines import BASELINES
from costmodel.runtime.validate.cases import measurements
from tests.runtime import held_out, table


BATCHES = {"cuda": (1, 8, 64, 256), "cpu": (1, 8)}
"""Samples in a batch, by device: of calibration networks and of published ones."""

SETTINGS = {
    "cuda": [
        (dtype, layout, mode)
        for dtype, layout in (("bfloat16", "channels_last"), ("float32", "nchw"))
        for mode in ("graph", "eager")
    ],
    "cpu": [("float32", "nchw", "eager")],
}
"""Number format, layout and mode of each profile, by device."""

DRAW = Draw(networks=33, sittings=1, rounds=3)
"""Networks of a calibration, once each: a GPU's clock is steady."""

PLAN = Plan(rounds=3, sittings=1)


def run(
    device: str, folder: Path, seconds: float, draw: Draw, published: Sequence[Job]
) -> list[dict[str, Any]]:
    """Calibrate and judge each setting, within so many seconds."""
    chosen = SETTINGS[device]
    share = seconds / len(chosen) / 2
    found = []
    for dtype, layout, mode in chosen:
        setting = setting_of(device, dtype, layout, mode, 1)
        stem = f"{device}-{dtype}-{layout}-{mode}"
        rows, others = folder / f"{stem}.jsonl", folder / f"{stem}-published.jsonl"
        drawn = replace(draw, batches=BATCHES[device])
        profile = calibrate(setting, rows, drawn, name=stem, seconds=share)
        jsonl.write_whole(folder / f"{stem}.json", profile.to_json() + "\n")
        measure_published(setting, others, published, share)
        found.append({"setting": str(setting), **judged(profile, others)})
        text = json.dumps(found, indent=1, ensure_ascii=False)
        jsonl.write_whole(folder / "judged.json", f"{text}\n")
    return found


def published(device: str) -> list[Job]:
    """Return published networks at every batch, in an order that mixes them."""
    found = [
        replace(job, batch=batch, is_whole=True)
        for which in ("torchvision", "registered")
        for job in held_out.jobs(which)
        for batch in BATCHES[device]
    ]
    found = [replace(job, target=_bound(job)) for job in found]
    random.Random(0).shuffle(found)  # noqa: S311 - an order, no secret
    return found


def _bound(job: Job) -> Any:
    """Return a registered network with this job's batch; a module takes any."""
    import costmodel as cm

    if callable(job.target):
        return job.target
    return cm.load(job.name, resolution=job.target.inputs[0].output.sizes[-1],
                   batch=job.batch)  # fmt: skip


def measure_published(
    setting: Setting, path: Path, jobs: Sequence[Job], seconds: float
) -> None:
    """Append the measurements of published networks, until the time is over."""
    known = jsonl.done(jsonl.read(path), key_of)
    for one in measure_all(jobs, setting, PLAN, done=known, seconds=seconds):
        jsonl.append(path, one.to_row())


def judged(profile: Profile, path: Path) -> dict[str, Any]:
    """Return the errors of every predictor; what is fitted is to other families."""
    found = measurements(path)
    cases, estimates = table.judge(found, profile)
    ways = [*reversed(_ours(profile, found, estimates)), *BASELINES, *_roofs(profile)]
    return validate(cases, ways).to_json()


@click.command()
@click.argument("device", type=click.Choice([*SETTINGS]))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", default=9.0)
def main(device: str, output: Path, minutes: float) -> None:
    """Calibrate a device and judge it."""
    output.mkdir(parents=True, exist_ok=True)
    for found in run(device, output, 60 * minutes, DRAW, published(device)):
        click.echo(f"{found['setting']}: {len(found['rows'])} networks")
        for name, summary in found["summaries"].items():
            click.echo(f"  {summary['mape']:7.1%} {name}")


if __name__ == "__main__":
    if not is_quiet():
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **ALLOCATOR})  # noqa: S606
    main()
