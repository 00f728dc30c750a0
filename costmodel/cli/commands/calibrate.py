"""The command ``calibrate``: measures random networks and fits a device profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.commands.measure import setting_options
from costmodel.cli.options import JSON, together
from costmodel.cli.process import restart_quietly
from costmodel.cli.program import main
from costmodel.errors import CostModelError
from costmodel.terminal import note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.runtime.calibrate import Draw
    from costmodel.runtime.profile import Coefficients, Profile
    from costmodel.runtime.setting import Setting

UNITS = {
    "work": "seconds per unit of the class's work",
    "activation_byte": "seconds per byte of activations read or written",
    "weight_byte": "seconds per byte of weights",
    "call": "seconds per call",
    "error": "standard error of each, in the same unit",
    "residual": "spread of log measured/predicted, kernel by kernel",
    "overhead": "a whole network's time over the sum of its kernels'",
    "spread": "of log measured/predicted sums of networks left out of a fit",
}


draw_options = together(
    click.option("--networks", type=click.IntRange(min=1), metavar="COUNT",
                 help="Number of networks to draw, 88 by default."),
    click.option("--seed", default=0, show_default=True,
                 help="Seed of the networks, their weights and inputs."),
    click.option("--batches", metavar="SIZES",
                 help="Batch sizes to draw from, such as 1,8,64."),
    click.option("--sittings", type=click.IntRange(min=1), metavar="COUNT",
                 help="Times that all networks are measured, 3 by default."),
    click.option("--rounds", type=click.IntRange(min=1), metavar="COUNT",
                 help="Turns of each network per sitting, 4 by default."),
    click.option("--quick", is_flag=True,
                 help="Measure a few networks once, as a test."),
)  # fmt: skip
"""The options for drawing networks, and for how often each is measured."""


@main.command()
@click.option("-o", "--output", required=True, metavar="FILE",
              type=click.Path(dir_okay=False, path_type=Path),
              help="The profile to write, e.g. my-cpu.json; measurements go to "
              "my-cpu.jsonl beside it.")  # fmt: skip
@click.option("--name", help="The profile's name; the file's name by default.")
@setting_options
@draw_options
@click.option("--refit", is_flag=True, help="Fit again to earlier measurements.")
@JSON
@click.pass_context
def calibrate(
    context: click.Context, output: Path, name: str | None, device: str, dtype: str,
    layout: str, mode: str, threads: int, networks: int | None, seed: int,
    batches: str | None, sittings: int | None, rounds: int | None,
    *, quick: bool, refit: bool, as_json: bool,
) -> None:  # fmt: skip
    """Calibrate this machine: measure random networks, fit a profile, write it.

    No published network is measured. An interrupted run continues where it stopped
    when it is started again; predict --device FILE uses the profile.
    """
    if output.suffix != ".json":
        raise click.BadParameter(f"{output} does not end in .json", param_hint="-o")
    if not output.parent.is_dir():
        raise CostModelError(f"{output}: there is no folder {output.parent}")
    draw = _draw(networks, seed, batches, sittings, rounds, quick=quick)
    given = (device, dtype, layout, mode, threads)
    profile = _made(context, output, name or output.stem, given, draw, refit=refit)
    if as_json:
        print_json("costmodel.calibrate/1", UNITS, file=str(output),
                   rows=str(output.with_suffix(".jsonl")), name=profile.name,
                   setting=profile.setting.to_json(), overhead=profile.overhead,
                   spread=profile.spread, notes=list(profile.notes),
                   classes={kind: _plain(found)
                            for kind, found in profile.coefficients.items()},
                   )  # fmt: skip
        return
    _print(profile, output)


def _draw(
    networks: int | None, seed: int, batches: str | None, sittings: int | None,
    rounds: int | None, *, quick: bool,
) -> Draw:  # fmt: skip
    from costmodel.runtime.calibrate import QUICK, Draw

    known = {"networks": networks, "sittings": sittings, "rounds": rounds}
    given: dict[str, Any] = {k: v for k, v in known.items() if v is not None}
    if batches is not None:
        parts = batches.split(",")
        if not all(part.strip().isdigit() and int(part) for part in parts):
            raise click.BadParameter(f"{batches} is not like 1,8,64",
                                     param_hint="--batches")  # fmt: skip
        given["batches"] = tuple(map(int, parts))
    return replace(QUICK if quick else Draw(), seed=seed, **given)


def _made(
    context: click.Context, output: Path, name: str, given: tuple[Any, ...],
    draw: Draw, *, refit: bool,
) -> Profile:  # fmt: skip
    """Measure and fit, or only fit; write the profile whole or not at all."""
    from costmodel.runtime import calibrate as at_work
    from costmodel.runtime.measure.jsonl import write_whole

    rows = output.with_suffix(".jsonl")
    if refit:
        # The file has the number of lanes of the machine that it was measured on.
        profile = at_work.refit(_measured_setting(rows, given), rows, draw, name=name)
    else:
        from costmodel.runtime.measure.measure import setting_of

        setting = setting_of(*given)
        restart_quietly(context)
        with progress("measuring", draw.networks * draw.sittings) as advance:
            profile = at_work.calibrate(setting, rows, draw, name=name, advance=advance)
    write_whole(output, profile.to_json() + "\n")
    return profile


def _measured_setting(rows: Path, given: tuple[Any, ...]) -> Setting:
    """Return the setting of a file's rows that matches the given one."""
    from costmodel.runtime.measure import jsonl
    from costmodel.runtime.setting import Setting

    asked = Setting(*given)
    for row in jsonl.read(rows):
        setting = Setting.from_json(row.get("setting", {}))
        if replace(setting, lanes=asked.lanes) == asked:
            return setting
    raise CostModelError(f"{rows}: nothing was measured there in {asked}")


def _plain(found: Coefficients) -> dict[str, Any]:
    from costmodel.runtime.profile import TERMS

    return {
        **dict(zip(TERMS, found.values)), "error": dict(zip(TERMS, found.errors)),
        "residual": found.residual, "kernels": found.samples,
        "identified": list(found.identified),
    }  # fmt: skip


def _print(profile: Profile, output: Path) -> None:
    """Print the coefficients, and note those that could not be identified."""
    click.echo(f"{profile.name}: {profile.setting}\n")
    cells = [
        [kind, str(found.samples), *(f"{value:.3g}" for value in found.values),
         f"{found.residual:.0%}"]
        for kind, found in profile.coefficients.items()
    ]  # fmt: skip
    header = ("class", "kernels", "s/work", "s/activation byte", "s/weight byte",
              "s/call", "residual")  # fmt: skip
    print_table(header, cells, right=range(1, 7))
    click.echo(f"\na whole network takes {profile.overhead:.3f} of its kernels' sum; "
               f"sums of networks left out spread by {profile.spread:.1%}")  # fmt: skip
    for said in profile.notes:
        note(said)
    note(f"written to {output}")
