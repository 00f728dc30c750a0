"""The command ``fit``: a device's profile from measured networks of a space."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.commands.search.space import SPACE, opened
from costmodel.cli.options import JSON
from costmodel.cli.program import main
from costmodel.terminal import note, print_json, print_table


if TYPE_CHECKING:
    from costmodel.nas.fit import Fitted

UNITS = {
    "mape": "mean of |predicted/measured - 1|, a fraction of 1",
    "median": "median of the same",
    "bias": "median of predicted/measured - 1",
    "tau": "Kendall's tau_b; null where either side is all ties",
    "margin": "factor within which four of five drawn networks lie, each left out",
}


@main.command()
@SPACE
@click.argument("table", metavar="TABLE.csv")
@click.option("--column", required=True, help="The column of the device's times.")
@click.option("--key", help="The column of networks, as the space writes them or as "
              "digits; by default the first that has them.")  # fmt: skip
@click.option("--unit", default="ms", show_default=True,
              help="The unit of the times: s, ms, us or ns.")  # fmt: skip
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True,
              help="How many networks are drawn and fitted to.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Which networks are drawn.")  # fmt: skip
@click.option("-o", "--output", metavar="FILE.json",
              help="Write the profile to this file.")  # fmt: skip
@JSON
def fit(
    name: str, table: str, column: str, key: str | None, unit: str, count: int,
    seed: int, settings: tuple[str, ...], output: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Fit a device's profile to a few measured networks of a SPACE.

    All other networks of the table tell how wrong the profile is, beside FLOPs,
    parameters, and a look-up of operation counts that are fitted to the same draw.
    """
    from costmodel.nas.fit import fit as find
    from costmodel.nas.fit.table import read_times

    chosen = opened(name, settings)
    times = read_times(chosen, table, column, key)
    found = find(chosen, times, count=count, seed=seed, unit=unit, name=column)
    if output is not None:
        found.save(Path(output))
    if as_json:
        print_json("costmodel.fit/1", UNITS, column=column, file=output,
                   **_contents(found))  # fmt: skip
        return
    _print(found, column)
    if output is not None:
        note(f"written to {output}")
        click.echo(f"\ncostmodel predict NETWORK --device {output}   seconds of a "
                   f'network\ncostmodel.search(space, minimize="seconds:{output}")   '
                   "the same as an objective")  # fmt: skip


def _contents(found: Fitted) -> dict[str, Any]:
    return {
        "space": found.space.name, "count": found.count, "seed": found.seed,
        "unseen": found.unseen, "margin": found.profile.margin,
        "left_out": found.profile.left_out and asdict(found.profile.left_out),
        "errors": {name: asdict(one) for name, one in found.errors.items()},
    }  # fmt: skip


def _print(found: Fitted, column: str) -> None:
    """Print how wrong the fit is on what it did not see, beside the others."""
    click.echo(f"{column}: fitted to {found.count} networks of {found.space.name}, "
               f"seed {found.seed}")  # fmt: skip
    left_out = found.profile.left_out
    if left_out is not None:
        factor = found.profile.margin
        click.echo(f"each of them left out: off by {left_out.mape:.3%} on average; "
                   f"four of five within a factor of {factor:.4g}")  # fmt: skip
    if not found.errors:
        note("every network of the table was drawn: nothing is left to be judged by")
        return
    click.echo(f"\nOn the {found.unseen:,} others:\n")
    cells = [
        [name, f"{one.mape:.3%}", f"{one.median:.3%}", f"{one.bias:+.3%}",
         "" if one.tau is None else f"{one.tau:.3f}"]
        for name, one in found.errors.items()
    ]  # fmt: skip
    header = ("fitted", "mean error", "median", "bias", "Kendall's tau")
    print_table(header, cells, right=range(1, len(header)))
