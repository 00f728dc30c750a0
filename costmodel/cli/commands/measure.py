"""The command ``measure``: measures how long networks take, and records it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli import target
from costmodel.cli.options import JSON, RESOLUTION, SET, Asked, how_traced, together
from costmodel.cli.process import restart_quietly
from costmodel.cli.program import main, open_network
from costmodel.cli.sample import Sample
from costmodel.errors import CostModelError
from costmodel.terminal import note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.runtime.measure.measure import Plan
    from costmodel.runtime.measure.prepare import Job
    from costmodel.runtime.measure.result import Measurement
    from costmodel.runtime.setting import Setting

UNITS = {
    "seconds": "seconds per batch, median of all samples by the clock named",
    "wall_seconds": "seconds per batch, median by the clock on the wall",
    "iqr": "seconds between the quartiles",
    "split_half": "difference of the medians of odd and even rounds, over the median",
    "least": "seconds, the shortest sample",
    "faults": "minor page faults per run",
    "operators": "seconds of each node, run inside the network",
    "anchor": "seconds of a small fixed network in the same rounds",
}

SHOWN_OPERATORS = 12
"""Operators that the terminal lists, the slowest first."""


setting_options = together(
    click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
    click.option("--dtype", default="float32", show_default=True,
                 help="float64, float32, bfloat16 or float16."),
    click.option("--layout", default="nchw", show_default=True,
                 help="nchw or channels_last."),
    click.option("--mode", default="eager", show_default=True,
                 help="eager, folded (batch norm put into convolutions), compile, "
                 "or graph (a CUDA graph)."),
    click.option("--threads", type=click.IntRange(min=1),
                 help="Threads on a CPU; by default as many as PyTorch would use."),
)  # fmt: skip
"""The options of a setting: device, number format, layout, mode and threads."""


@main.command()
@click.argument("names", metavar="TARGET...", nargs=-1, required=True)
@how_traced
@setting_options
@SET
@RESOLUTION
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1),
              help="Samples in a batch.")  # fmt: skip
@click.option("--rounds", default=10, show_default=True, type=click.IntRange(min=2),
              help="Turns of every network.")  # fmt: skip
@click.option("--sittings", default=1, show_default=True, type=click.IntRange(min=1),
              help="Times that all networks are measured, in new groups.")  # fmt: skip
@click.option("--together", default=8, show_default=True, type=click.IntRange(min=1),
              help="Networks that take turns; rows are saved by groups.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of random numbers.")
@click.option("--per-operator", is_flag=True, help="Time every node in its place, too.")
@click.option("-o", "--output",
              type=click.Path(dir_okay=False, writable=True, path_type=Path),
              help="A file of JSON lines: measurements in it are not repeated, new "
              "ones are appended.")  # fmt: skip
@JSON
@click.pass_context
def measure(
    context: click.Context, names: tuple[str, ...], device: str, dtype: str,
    layout: str, mode: str, threads: int | None, settings: tuple[str, ...],
    resolution: Any, batch: int, rounds: int, sittings: int, together: int,
    seed: int, output: Path | None, *, per_operator: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure how long networks take, taking turns in interleaved rounds.

    Seconds are medians. On one CPU thread they are that thread's own processor time;
    with more threads, and on a GPU, they are wall-clock time, and for a CUDA graph the
    GPU's own time.
    """
    restart_quietly(context)
    from costmodel.runtime.measure.measure import Plan, setting_of

    setting = setting_of(device, dtype, layout, mode, threads)
    plan = Plan(rounds, together, per_operator, seed, sittings)
    jobs = [_job(name, settings, resolution, batch) for name in dict.fromkeys(names)]
    found = measured(jobs, setting, plan, output)
    if as_json:
        rows = [one.to_row() for one in found]
        print_json("costmodel.measure/1", UNITS, rows=rows)
        return
    _print(found, setting)


def measured(
    jobs: Sequence[Job], setting: Setting, plan: Plan, output: Path | None
) -> list[Measurement]:
    """Return every job's measurement, from the file or taken now and appended."""
    from costmodel.runtime.measure.jsonl import append, done
    from costmodel.runtime.measure.measure import measure_all, signature
    from costmodel.runtime.measure.result import Measurement, combined, key_of, rows_of

    if output and not output.parent.is_dir():
        raise CostModelError(f"{output}: there is no folder {output.parent}")
    rows = rows_of(output) if output else []
    if plan.per_operator:
        whole = {job.name for job in jobs if job.is_whole}
        rows = [row for row in rows if row["operators"] or row["name"] in whole]
    known = done(rows, key_of)
    wanted = [signature(job, setting, sitting)
              for job in jobs for sitting in range(plan.sittings)]  # fmt: skip
    missing = sum(key not in known for key in wanted)
    if missing < len(wanted):
        note(f"{output}: {len(wanted) - missing} measured before, {missing} to go")
    with progress("measuring", missing) as advance:
        for one in measure_all(jobs, setting, plan, known):
            known[one.key] = one.to_row()
            if output:
                append(output, known[one.key])
            for warning in one.warnings:
                note(warning)
            advance(one.name)
    return combined(Measurement.from_row(known[key]) for key in wanted)


def _job(name: str, settings: Sequence[str], resolution: Any, batch: int) -> Job:
    """Return what to measure: a registered network, or a user's own module."""
    from costmodel.runtime.measure.prepare import Job

    if not target.is_target(name):
        _, net, used = open_network(Asked(name, settings, resolution, str(batch)))
        return Job(name, net, batch, options=used)
    used = dict(setting.partition("=")[::2] for setting in settings)
    size, sample = None, None
    if isinstance(resolution, Sample):
        if not resolution.is_known:
            raise CostModelError(f"{name}: --input {resolution} has to be numbers")
        sample = tuple(resolution)
    elif resolution is not None:
        size = _side(name, resolution)
    return Job(name, target.real_module(name, settings), batch, size, sample, used)


def _side(name: str, text: str) -> int | tuple[int, int]:
    sides = text.replace("×", "x").split("x")
    if not all(part.strip().isdigit() for part in sides) or len(sides) > 2:
        raise CostModelError(f"{name}: --resolution {text} has to be numbers")
    return int(text) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _print(found: Sequence[Measurement], setting: Setting) -> None:
    """Print one line per network, and the slowest operators of a single one."""
    clocks = {"thread": "its thread's processor time", "wall": "the clock on the wall",
              "events": "the GPU's clock"}  # fmt: skip
    click.echo(f"{setting}; seconds by {clocks[found[0].clock]}\n")
    cells = [
        [one.name, "×".join(map(str, (one.batch, *one.shape))), _ms(one.seconds),
         _ms(one.iqr), f"{one.split_half:.1%}", _ms(one.wall_seconds),
         f"{one.faults:.0f}"]
        for one in found
    ]  # fmt: skip
    header = ("network", "input", "ms", "IQR", "halves", "wall ms", "faults")
    print_table(header, cells, right=(2, 3, 4, 5, 6))
    if len(found) == 1 and found[0].operators:
        click.echo("")
        _print_operators(found[0])


def _print_operators(one: Measurement) -> None:
    """Print the slowest operators, and the ratio of the whole to their sum."""
    rows = sorted(one.operators.items(), key=lambda item: -item[1])
    total = sum(one.operators.values())
    cells = [[node, _ms(seconds), f"{seconds / total:.1%}"]
             for node, seconds in rows[:SHOWN_OPERATORS]]  # fmt: skip
    if len(rows) > SHOWN_OPERATORS:
        rest = sum(seconds for _, seconds in rows[SHOWN_OPERATORS:])
        more = f"{len(rows) - SHOWN_OPERATORS} more"
        cells.append([more, _ms(rest), f"{rest / total:.1%}"])
    print_table(("operator", "ms", "share"), cells, right=(1, 2))
    click.echo(f"\nthe whole takes {one.overhead:.3f} of its operators' sum")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"
