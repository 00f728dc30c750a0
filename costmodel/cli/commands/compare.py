"""Commands that compare two networks: compare, diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.commands.ask import BY, DEPTH, METRIC, open_for
from costmodel.cli.options import (
    BATCH,
    JSON,
    RESOLUTION,
    SET,
    Asked,
    how_traced,
    together,
)
from costmodel.cli.program import counted, main, options_of, partial, plain, registered
from costmodel.cli.target import is_target
from costmodel.terminal import exact_number, note, print_json, print_table


if TYPE_CHECKING:
    import sympy

    from costmodel.network.graph import Network


two_networks = together(
    how_traced,
    click.argument("first"),
    click.argument("second"),
    SET,
    click.option("--first", "of_first", multiple=True, metavar="OPTION=VALUE",
                 help="Set an option of the first network alone (repeatable)."),
    click.option("--second", "of_second", multiple=True, metavar="OPTION=VALUE",
                 help="Set an option of the second network alone (repeatable)."),
    RESOLUTION,
    BATCH,
    JSON,
)  # fmt: skip
"""The options of both commands: two networks, and options of both or of one."""


@main.command()
@METRIC
@click.option(
    "--symbol", "free", metavar="NAME",
    help="Find the values of a width, size or option at which both cost the same.",
)  # fmt: skip
@two_networks
def compare(
    first: str, second: str, metric: str, free: str | None, settings: tuple[str, ...],
    of_first: tuple[str, ...], of_second: tuple[str, ...],
    resolution: str | None, batch: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Divide one network's cost by another's, and find where they are equal."""
    from costmodel.algebra.questions.compare import compare as divide
    from costmodel.analysis.cost import METRICS

    sides = (first, of_first), (second, of_second)
    nets, symbol = _open_two(sides, settings, resolution, batch, free)
    costs = [counted(net) for net in nets]
    one, other = (totals.metric(metric) for totals in costs)
    found = divide(one, other, symbol)
    if as_json:
        print_json("costmodel.compare/1", {metric: METRICS[metric]}, first=first,
                   second=second, metric=metric, symbol=free, ratio=plain(found.ratio),
                   crossovers=list(map(str, found.crossovers)),
                   **partial(*costs))  # fmt: skip
        return
    click.echo(f"{metric} of {first} / {second} = {_ratio(found.ratio)}")
    if free is not None:
        places = " and ".join(map(_place, found.crossovers))
        click.echo(f"equal at {free} = {places}" if places else "nowhere equal")


@main.command()
@BY
@DEPTH
@two_networks
def diff(
    first: str, second: str, by: Any, depth: int, settings: tuple[str, ...],
    of_first: tuple[str, ...], of_second: tuple[str, ...],
    resolution: str | None, batch: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Show the second network's cost less the first's, part by part."""
    from costmodel.analysis.cost import METRICS
    from costmodel.analysis.cost.difference import SHOWN
    from costmodel.analysis.cost.difference import diff as subtract

    sides = (first, of_first), (second, of_second)
    nets, _ = _open_two(sides, settings, resolution, batch, None)
    costs, found = [counted(net) for net in nets], subtract(*nets)
    lines, total = found.table(by, depth), [found.delta(metric) for metric in SHOWN]
    if as_json:
        rows = [{"part": line.name, "count": line.count, "only_in": line.only_in,
                 **dict(zip(SHOWN, map(plain, line.deltas)))}
                for line in lines]  # fmt: skip
        print_json("costmodel.diff/1", {m: METRICS[m] for m in SHOWN}, first=first,
                   second=second, rows=rows,
                   total=dict(zip(SHOWN, map(plain, total))),
                   **partial(*costs))  # fmt: skip
        return
    cells = [[line.title, line.only_in or "", *map(_signed, line.deltas)]
             for line in lines]  # fmt: skip
    cells.append(["total", "", *map(_signed, total)])
    print_table(("part", "only in", *SHOWN), cells, right=(2, 3, 4))


def _open_two(
    sides: Sequence[tuple[str, Sequence[str]]], settings: Sequence[str],
    resolution: str | None, batch: str | None, free: str | None,
) -> tuple[list[Network], sympy.Symbol | None]:  # fmt: skip
    """Load two networks at one size; an option that only one has is set on that one."""
    if resolution is None and free != "resolution":
        resolution = _one_resolution([name for name, _ in sides])
    options = [options_of(name) for name, _ in sides]
    known = {key for own in options for key in own}
    nets, symbols = [], []
    for (name, own), knows in zip(sides, options):
        # An option that neither has is kept, and becomes an error of the first one.
        fitting = [s for s in settings if _key(s) in knows or _key(s) not in known]
        is_known = free in {*knows, "resolution", "batch"}
        wanted = free if is_known or free not in known else None
        asked = Asked(name, [*fitting, *own], resolution, batch)
        net, symbol = open_for(asked, wanted)
        nets.append(net)
        symbols.append(symbol)
    return nets, next((symbol for symbol in symbols if symbol is not None), None)


def _one_resolution(names: Sequence[str]) -> str | None:
    """Return the larger of the registered networks' resolutions, if there are any.

    It does not matter which network is named first.
    """
    chosen = [registered(name) for name in names if not is_target(name)]
    if not chosen:
        return None
    larger = max(chosen, key=lambda architecture: architecture.resolution)
    if len({architecture.resolution for architecture in chosen}) > 1 or (
        len(chosen) < len(names)
    ):
        note(f"both at {larger.resolution}, the resolution of {larger.name}")
    return str(larger.resolution)


def _key(setting: str) -> str:
    return setting.partition("=")[0].strip()


def _ratio(value: Any) -> str:
    """Return a fraction with its approximate value; a formula unchanged."""
    if getattr(value, "free_symbols", None):
        return str(value)
    return f"{value} = {float(value):.4g}" if not isinstance(value, int) else str(value)


def _place(root: sympy.Expr) -> str:
    """Return an exact number, with its approximate value if it is irrational."""
    return str(root) if root.is_Rational else f"{root} ≈ {float(root):.4g}"


def _signed(value: Any) -> str:
    """Return a difference with its sign; a formula unchanged."""
    if isinstance(value, int) and value:
        return f"{value:+,}"
    return exact_number(value)
