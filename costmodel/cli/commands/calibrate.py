"""The command ``calibrate``: measures random networks and fits a device profile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.options import JSON, together
from costmodel.cli.process import restart_quietly
from costmodel.cli.program import main
from costmodel.errors import CostModelError
from costmodel.terminal import note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.runtime.calibrate import Draw
    from costmodel.runtime.profile import Coefficients, LeftOut, Profile
    from costmodel.runtime.setting import Setting

UNITS = {
    "work": "seconds per unit of the class's work",
    "activation_byte": "seconds per byte of activations read or written",
    "weight_byte": "seconds per byte of weights",
    "call": "seconds per call",
    "residual": "median of |predicted/measured − 1|, kernel by kernel",
    "overhead": "factor of the sum of a network's kernels",
    "between": "seconds that pass before or after each kernel",
    "margin": "factor within which four of five networks left out of a fit lie",
    "left_out": "mean and median of |predicted/measured − 1|, of networks left out",
}

COMPUTED = 0.1
"""The share of a bound on time that is kept for fitting."""


def _listed(context: click.Context, parameter: click.Parameter, text: str) -> Any:
    """Read one or more words with commas between them."""
    del context, parameter
    return tuple(dict.fromkeys(word.strip() for word in text.split(",")))


def _counts(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...]:
    """Read numbers from 1 with commas between them, such as 1,8,64."""
    del context, parameter
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(p.isascii() and p.isdigit() and len(p) < 7 and int(p) for p in parts):
        raise click.BadParameter(f"{text} is not like 1,8,64")
    return tuple(dict.fromkeys(map(int, parts)))


settings_options = together(
    click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
    click.option("--dtype", default="float32", show_default=True, callback=_listed,
                 help="float64, float32, bfloat16 or float16."),
    click.option("--layout", default="nchw", show_default=True, callback=_listed,
                 help="nchw or channels_last."),
    click.option("--mode", default="eager", show_default=True, callback=_listed,
                 help="eager, folded (batch norm put into convolutions), compile, or "
                 "graph (a CUDA graph)."),
    click.option("--threads", callback=_counts,
                 help="Threads on a CPU; by default as many as PyTorch would use."),
)  # fmt: skip
"""The options of one setting or several: of some, each is calibrated by itself."""


draw_options = together(
    click.option("--networks", type=click.IntRange(min=1), metavar="COUNT",
                 help="Number of networks to draw, 99 by default."),
    click.option("--seed", default=0, show_default=True,
                 help="Seed of the networks, their weights and inputs."),
    click.option("--batches", metavar="SIZES", callback=_counts,
                 help="Batch sizes to draw from, such as 1,8,64."),
    click.option("--sittings", type=click.IntRange(min=1), metavar="COUNT",
                 help="Times that all networks are measured, 3 by default."),
    click.option("--rounds", type=click.IntRange(min=1), metavar="COUNT",
                 help="Turns of each network per sitting, 4 by default."),
    click.option("--minutes", type=click.FloatRange(min=0, min_open=True),
                 help="Stop after so long, for all settings together: with fewer "
                 "sittings, or fewer networks."),
    click.option("--quick", is_flag=True,
                 help="Measure a few networks once, as a test."),
)  # fmt: skip
"""The options for drawing networks, and for how often each is measured."""


@main.command()
@click.option("-o", "--output", required=True, metavar="FILE",
              type=click.Path(dir_okay=False, path_type=Path),
              help="The profile to write, e.g. my-cpu.json; measurements go to "
              "my-cpu.jsonl beside it. Of several settings each has a file of its "
              "own, e.g. my-cpu-2-threads.json.")  # fmt: skip
@click.option("--name", help="The profile's name; the file's name by default.")
@settings_options
@draw_options
@click.option("--refit", is_flag=True, help="Fit again to earlier measurements.")
@JSON
@click.pass_context
def calibrate(
    context: click.Context, output: Path, name: str | None, device: str,
    dtype: tuple[str, ...], layout: tuple[str, ...], mode: tuple[str, ...],
    threads: tuple[int, ...], networks: int | None, seed: int,
    batches: tuple[int, ...], sittings: int | None, rounds: int | None,
    minutes: float | None, *, quick: bool, refit: bool, as_json: bool,
) -> None:  # fmt: skip
    """Calibrate this machine: measure random networks, fit a profile, write it.

    No published network is measured. An interrupted run continues where it stopped
    when it is started again; predict --device FILE uses the profile. Several values,
    such as --threads 1,2 --layout nchw,channels_last, are as many profiles.
    """
    if output.suffix != ".json":
        raise click.BadParameter(f"{output} does not end in .json", param_hint="-o")
    if minutes is not None and math.isnan(minutes):
        raise click.BadParameter("nan is no number", param_hint="--minutes")
    if not output.parent.is_dir():
        raise CostModelError(f"{output}: there is no folder {output.parent}")
    draw = _draw(networks, seed, batches, sittings, rounds, quick=quick)
    choices = (dtype, layout, mode, threads or (None,))
    asked = [(device, *choice) for choice in product(*choices)]
    if name and len(asked) > 1:
        raise click.UsageError(f"--name {name} is of one profile; these are several")
    files = [output.with_stem(_stem(output.stem, g, choices)) for g in asked]
    # All of them before anything is measured: the last one may be refused.
    settings = [_setting(file, given, refit=refit) for file, given in zip(files, asked)]
    if not refit:
        restart_quietly(context)
    done = []
    for number, (file, setting) in enumerate(zip(files, settings)):
        part = None if refit else (60 * minutes / len(files) if minutes else math.inf)
        made = _made(file, name or file.stem, setting, draw, part)
        done.append((made, file))
        if not as_json:
            click.echo("\n" if number else "", nl=False)
            _print(made, file)
    if as_json:
        print_json("costmodel.calibrate/2", UNITS,
                   profiles=[_document(*one) for one in done])  # fmt: skip


def _stem(stem: str, given: Sequence[Any], choices: Sequence[tuple[Any, ...]]) -> str:
    """Return a file's name: with what tells its setting from the others."""
    words = [stem]
    for value, some in zip(given[1:], choices):
        if len(some) > 1:
            is_one = value == 1
            words.append(f"{value}-thread{'s' * (not is_one)}"
                         if isinstance(value, int) else str(value))  # fmt: skip
    return "-".join(words)


def _draw(
    networks: int | None, seed: int, batches: tuple[int, ...], sittings: int | None,
    rounds: int | None, *, quick: bool,
) -> Draw:  # fmt: skip
    from costmodel.runtime.calibrate import QUICK, Draw

    known = {"networks": networks, "sittings": sittings, "rounds": rounds,
             "batches": batches or None}  # fmt: skip
    given: dict[str, Any] = {k: v for k, v in known.items() if v is not None}
    return replace(QUICK if quick else Draw(), seed=seed, **given)


def _setting(file: Path, given: tuple[Any, ...], *, refit: bool) -> Setting:
    """Return a setting that can be calibrated here, or was before."""
    if refit:
        # The file has the number of lanes of the machine that it was measured on.
        return _measured_setting(file.with_suffix(".jsonl"), given)
    from costmodel.runtime.measure.measure import setting_of

    return setting_of(*given)


def _made(
    output: Path, name: str, setting: Setting, draw: Draw, seconds: float | None
) -> Profile:
    """Measure for so long and fit, or only fit; write the whole profile or nothing."""
    from costmodel.runtime import calibrate as at_work
    from costmodel.runtime.measure.jsonl import write_whole

    rows = output.with_suffix(".jsonl")
    if seconds is None:
        profile = at_work.refit(setting, rows, draw, name=name)
    else:
        count = sum(len(nets) for _, nets, _ in at_work.passes(setting, draw))
        with progress("measuring", count * draw.sittings) as advance:
            profile = at_work.calibrate(setting, rows, draw, name=name,
                                        seconds=(1 - COMPUTED) * seconds,
                                        advance=advance)  # fmt: skip
    write_whole(output, profile.to_json() + "\n")
    return profile


def _measured_setting(rows: Path, given: tuple[Any, ...]) -> Setting:
    """Return the setting of a file's rows that matches the given one."""
    from costmodel.runtime.measure.result import rows_of
    from costmodel.runtime.setting import Setting

    device, dtype, layout, mode, threads = given
    every = dict.fromkeys(Setting.from_json(row["setting"]) for row in rows_of(rows))
    asked = (device, dtype, layout, mode)
    found = [
        one
        for one in every
        if one == Setting(*asked, threads or one.threads, one.lanes)
    ]
    if len(found) != 1:
        known = "; ".join(f"{one}, {one.lanes} lanes" for one in every) or "nothing"
        raise CostModelError(
            f"{rows}: asked for {device} {dtype} {layout} {mode}"
            f"{f', threads: {threads}' if threads else ''}; measured there: {known}"
        )
    return found[0]


def _document(profile: Profile, output: Path) -> dict[str, Any]:
    found = profile.left_out
    return {
        "file": str(output), "rows": str(output.with_suffix(".jsonl")),
        "name": profile.name, "setting": profile.setting.to_json(),
        "overhead": profile.overhead, "between": profile.between,
        "margin": profile.margin, "left_out": found and asdict(found),
        "notes": list(profile.notes),
        "classes": {kind: asdict(one) for kind, one in profile.coefficients.items()},
    }  # fmt: skip


def _print(profile: Profile, output: Path) -> None:
    """Print coefficients and how wrong they are, and note what is missing."""
    click.echo(f"{profile.name}: {profile.setting}\n")
    off = profile.left_out.classes if profile.left_out else {}
    cells = []
    for kind, whole in profile.coefficients.items():
        for label, one in _parts(kind, whole):
            judged = [f"{off[kind][0]:.1%}", f"{off[kind][1]:.0%}"] \
                if one is whole and kind in off else ["", ""]  # fmt: skip
            numbers = (f"{value:.3g}" for value in one.values)
            cells.append([label, str(one.samples), *numbers, f"{one.residual:.0%}",
                          *judged])  # fmt: skip
    header = ("class, parts", "kernels", "s/work", "s/activation byte",
              "s/weight byte", "s/call", "residual", "of all time",
              "left out")  # fmt: skip
    print_table(header, cells, right=range(1, len(header)))
    click.echo(f"\na whole network takes {profile.overhead:.3f} of its kernels' sum, "
               f"and {profile.between:.2g} s for each of them")  # fmt: skip
    if profile.left_out:
        click.echo(_judged(profile, profile.left_out))
    from costmodel.runtime.predict.warnings import doubts

    for said in (*profile.notes, *doubts(profile)):
        note(said)
    note(f"written to {output}")


def _parts(
    label: str, found: Coefficients, depth: int = 1
) -> Iterator[tuple[str, Coefficients]]:
    """Give a class, and below it its parts with their limits."""
    yield label, found
    for sign, part in zip("≤>", found.parts):
        word = f"{found.split.replace('_', ' ')} {sign} {found.limit:,}"
        yield from _parts(f"{'  ' * depth}{word}", part, depth + 1)


def _judged(profile: Profile, found: LeftOut) -> str:
    """Say how wrong predictions of networks are that a fit left out."""
    others = ", ".join(f"{name} {found.baselines[name]:.1%}" for name in SHOWN
                       if name in found.baselines)  # fmt: skip
    return (
        f"{found.networks} drawn networks, each left out of the fit: off by "
        f"{found.mape:.1%} on average, {found.median:.1%} in the middle; 80 % "
        f"intervals (a factor of {profile.margin:.2f}) hold {found.coverage:.0%}; "
        f"fitted to the same networks: {others}"
    )


SHOWN = ("FLOPs + activations", "ConvMeter-like")
"""The baselines that the terminal compares with; --json has all."""
