"""The command ``search``: the best networks of a space, within limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.commands.search.space import SPACE, opened
from costmodel.cli.commands.search.tables import read_table
from costmodel.cli.options import JSON
from costmodel.cli.program import main
from costmodel.errors import CostModelError
from costmodel.terminal import exact_number, note, print_json, print_table, progress


if TYPE_CHECKING:
    from costmodel.nas import Found
    from costmodel.nas.objectives import Source
    from costmodel.nas.spaces.space import Space
    from costmodel.terminal import Advance

STEPS = 20
USUAL = 1000

OBJECTIVE = (
    "a metric, such as macs, parameters, flops:fvcore, seconds:PROFILE or "
    "proxy:naswot; or NAME=TABLE.csv:COLUMN, a number for each network; or "
    "NAME=package.module:function, which takes a network (repeatable)."
)


@main.command()
@SPACE
@click.option("--minimize", "low", metavar="WHAT", multiple=True,
              help=f"What is to be small: {OBJECTIVE}")  # fmt: skip
@click.option("--maximize", "high", metavar="WHAT", multiple=True,
              help="What is to be large, in the same way.")  # fmt: skip
@click.option("--constraint", "limits", metavar="LIMIT", multiple=True,
              help='A limit of a metric, e.g. "macs <= 100M" or "seconds:PROFILE <= '
              '5ms", or of an objective by its name (repeatable).')  # fmt: skip
@click.option("--engine", metavar="NAME",
              help="exhaustive, branch-and-bound, random, evolution, optuna:nsga2, "
              "optuna:nsga3 or optuna:tpe; by default exhaustive where the space is "
              "small, and else evolution.")  # fmt: skip
@click.option("--evaluations", metavar="N", type=click.IntRange(1),
              help="Distinct networks to evaluate; by default all of a small space, "
              "and else 1000.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--level", metavar="LEVEL",
              help="What counts as one network: encoding, graph or "
              "function.")  # fmt: skip
@click.option("--batch", metavar="N", type=click.IntRange(1),
              help="Networks tried between two decisions, and so the most that can be "
              "evaluated at a time; by default 10.")  # fmt: skip
@click.option("--journal", metavar="FILE",
              help="Append each evaluation to this file; a search that was stopped "
              "goes on from it.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Networks to evaluate at a time, where that takes "
              "long.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS",
              help="Evaluate on a dask cluster: tcp://HOST:PORT.")  # fmt: skip
@click.option("-o", "--output", metavar="FOLDER",
              help="Write the front: table, chart, drawings, and a file for each "
              "network.")  # fmt: skip
@JSON
def search(
    name: str, settings: tuple[str, ...], low: tuple[str, ...], high: tuple[str, ...],
    limits: tuple[str, ...], output: str | None, *, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Search a space of networks for those that no other is better than.

    Costs are exact and come from formulas; no network is trained. Limits are checked
    before a network is built.
    """
    from costmodel.nas import search as find

    if not low and not high:
        raise click.UsageError("give --minimize or --maximize, such as --minimize macs")
    if output is not None:
        from costmodel.reports import check_front_folder

        check_front_folder(Path(output))
    space = opened(name, settings)
    wanted = given["evaluations"] or min(space.size(), USUAL)
    with progress("evaluated", STEPS) as advance:
        found = find(
            space, minimize=[_objective(space, text) for text in low],
            maximize=[_objective(space, text) for text in high], constraints=limits,
            advance=_Steps(wanted, advance), **given,
        )  # fmt: skip
    if output is not None:
        _write(found, Path(output))
    if as_json:
        told = found.to_dict()
        print_json("costmodel.search/1", told.pop("units"), name=name, **told)
        return
    _print(found)


class _Steps:
    """Tells of every twentieth part of a search."""

    def __init__(self, wanted: int, advance: Advance) -> None:
        self.wanted, self.advance, self.step = wanted, advance, 0

    def __call__(self, count: int) -> None:
        step = min(STEPS, STEPS * count // self.wanted)
        if step > self.step:
            self.step = step
            self.advance(f"{count:,}")


def _write(found: Found, folder: Path) -> None:
    """Write the front's files, beside what a random search of as many finds."""
    from costmodel.nas import search as find
    from costmodel.reports import write_front

    header, count = found.header, len(found.evaluations)
    is_quick = all(
        one.metric or not isinstance(one.source, str) for one in found.objectives
    )
    baseline = None
    if is_quick and header["engine"] not in (
        "random",
        "exhaustive",
        "branch-and-bound",
    ):
        given: dict[str, Any] = {way: {one.name: one.source for one in found.objectives
                       if one.is_maximized is (way == "maximize")}
                 for way in ("minimize", "maximize")}  # fmt: skip
        baseline = find(
            found.space, **given, constraints=map(str, found.constraints),
            engine="random", evaluations=count, seed=header["seed"],
        )  # fmt: skip
    note(f"written: {write_front(found, folder, baseline)}")


def _print(found: Found) -> None:
    """Print the front, and how it was found."""
    names = [one.name for one in found.objectives]
    rows = [
        [
            *(exact_number(v) if isinstance(v, int) else f"{v:.6g}" for v in e.values),
            e.text,
        ]
        for e in found.front
    ]
    print_table((*names, "network"), rows, right=range(len(names)))
    told = found.provenance
    click.echo(
        f"\n{len(found.front)} of {told['evaluations']:,} evaluated, of "
        f"{told['size']:,} networks; engine {told['engine']}, seed {told['seed']}"
        + (f"; {found.rejected:,} out of limits" if found.rejected else "")
    )
    for one in found.objectives:
        if str(one.source).startswith("proxy:"):
            note(f"{one.name} is no accuracy: the score of an untrained network")


def _objective(space: Space, text: str) -> str | dict[str, Source]:
    """Read a metric, or a name with a table or a function."""
    name, equals, source = text.partition("=")
    if not equals:
        return text
    path, _, column = source.rpartition(":")
    if path.endswith((".csv", ".csv.gz")):
        return {name: read_table(space, path, column)}
    from costmodel.cli.importing import imported

    with imported(source) as attribute:
        if not callable(attribute):
            raise CostModelError(f"{source}: is no function of a network")
        return {name: attribute}
