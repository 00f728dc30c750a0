"""Commands that show networks: list, show, formula."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.commands.conventions import print_conventions
from costmodel.cli.options import JSON, NETWORK, TARGET, Asked
from costmodel.cli.program import (
    UNITS,
    counted,
    heading,
    main,
    open_network,
    options_of,
    partial,
    plain,
)
from costmodel.errors import CostModelError
from costmodel.terminal import exact_number, human, note, print_json, print_table


if TYPE_CHECKING:
    from costmodel.analysis.cost import Cost, Totals
    from costmodel.network.graph import Network
    from costmodel.network.table import Block

SHOWN = ("parameters", "macs", "activations")
"""The quantities in the columns of tables of layers and networks."""

NAMES = {"macs": "MACs"}
"""Names of quantities in tables, where they differ."""


@main.command("list")
@click.option("--family", help="Only architectures of this family, e.g. resnet.")
@JSON
def list_(family: str | None, *, as_json: bool) -> None:
    """List the architectures, with their costs at the published resolution.

    --json names the options of each. All have input_channels: 1 for grey images.
    """
    from costmodel.analysis.cost import cost
    from costmodel.analysis.cost.depth import depth
    from costmodel.network.registry import architectures, load

    chosen = [a for a in architectures().values() if family in (None, a.family)]
    if not chosen:
        known = sorted({a.family for a in architectures().values()})
        raise CostModelError(f'no family "{family}"; families are {", ".join(known)}')
    rows = []
    for a in chosen:
        net = load(a.name, resolution=a.resolution, batch=1)
        sums = cost(net)
        rows.append({
            "name": a.name, "family": a.family, "year": a.year, "paper": a.paper,
            "resolution": a.resolution, "layers": depth(net),
            "parameters": sums.parameters, "macs": sums.macs,
            "activations": sums.activations, "options": list(a.options),
            "summary": a.summary,
        })  # fmt: skip
    if as_json:
        print_json("costmodel.list/1", UNITS, architectures=rows)
        return
    header = ("name", "year", "input", "layers", "parameters", "MACs", "paper")
    keys = ("name", "year", "resolution", "layers", "parameters", "macs", "paper")
    cells = [[human(row[key]) if key in SHOWN else str(row[key]) for key in keys]
             for row in rows]  # fmt: skip
    print_table(header, cells, right=(1, 2, 3, 4, 5))


@main.command()
@TARGET
@NETWORK
@click.option("--depth", default=2, show_default=True, type=click.IntRange(1),
              help="Levels of scope to show; totals do not depend on it.")  # fmt: skip
@click.option("--conventions", is_flag=True,
              help="Show instead what each tool counts, and why.")  # fmt: skip
@JSON
def show(asked: Asked, depth: int, *, conventions: bool, as_json: bool) -> None:
    """Show a network layer by layer, with its costs."""
    from costmodel.network.table import summary

    chosen, net, used = open_network(asked)
    if conventions:
        print_conventions(chosen, net, used, as_json=as_json)
        return
    totals = counted(net)
    rows = [
        {"layer": block.title, "operators": summary(block.nodes),
         "output": plain(block.output.sizes), **costs}
        for block, costs in blocks(net, totals, depth)
    ]  # fmt: skip
    whole = shown(totals)
    if as_json:
        print_json("costmodel.show/1", UNITS, name=asked.name, options=used,
                   batch=plain(net.batch), rows=rows, totals=whole,
                   **partial(totals))  # fmt: skip
        return
    size, options = net.inputs[0].output, ", ".join(map(_setting, used.items()))
    click.echo(heading(chosen))
    told = f"; options: {options}" if options else ""
    click.echo(f"input {size}, batch {net.batch}{told}\n")
    titles = [[row["layer"], "; ".join(row["operators"]),
               "×".join(map(str, row["output"]))] for row in rows]  # fmt: skip
    print_blocks(titles, rows, ["total", totals.partial, "", *whole.values()])


def _setting(option: tuple[str, Any]) -> str:
    """Return an option as --set takes it."""
    name, value = option
    return f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"


def shown(totals: Totals) -> dict[str, Any]:
    """Return the quantities in the columns of a table as plain values."""
    return {metric: plain(totals.metric(metric)) for metric in SHOWN}


def blocks(
    net: Network, totals: Cost, depth: int
) -> Iterator[tuple[Block, dict[str, Any]]]:
    """Give the blocks of a network with their costs."""
    from costmodel.network.table import outline

    for block in outline(net, depth):
        names = (node.name for nodes in block.repeats for node in nodes)
        yield block, shown(totals.of_nodes(names))


def print_blocks(
    titles: Sequence[list[str]], rows: Sequence[dict[str, Any]],
    total: Sequence[Any] = (), metrics: Sequence[str] = SHOWN,
) -> None:  # fmt: skip
    """Print the blocks, and the totals if they are numbers."""
    header = ("layer", "operators", "output", *(NAMES.get(m, m) for m in metrics))
    cells = [[*title, *(exact_number(row[metric]) for metric in metrics)]
             for title, row in zip(titles, rows)]  # fmt: skip
    cells += [list(map(exact_number, total))] if total else []
    print_table(header, cells, right=range(3, 3 + len(metrics)))


@main.command()
@TARGET
@click.option("--metric", default="macs", show_default=True,
              help="macs, parameters, activations, connections, buffers, bytes_read or "
              "bytes_written.")  # fmt: skip
@click.option("--symbols", metavar="NAMES", default="batch,resolution",
              show_default=True, help="Options that stay symbols, e.g. width,batch; "
              "others take their defaults.")  # fmt: skip
@NETWORK
@click.option("--relax", is_flag=True, help="Drop floors and channel rounding.")
@click.option("--by-stage", is_flag=True, help="One formula per stage, then the total.")
@click.option(
    "--format",
    "style",
    default="text",
    show_default=True,
    type=click.Choice(["text", "latex", "mathml", "python", "js", "json"]),
)
@JSON
def formula(
    asked: Asked, metric: str, symbols: str, style: str,
    *, relax: bool, by_stage: bool, as_json: bool,
) -> None:  # fmt: skip
    """Derive a cost formula of a network."""
    from costmodel.algebra.questions import asymptotics
    from costmodel.analysis.cost import METRICS

    kept = list(dict.fromkeys(word.strip() for word in symbols.split(",")))

    def derive(*more: str, kept: Sequence[str] = kept) -> tuple[dict[str, Any], Any]:
        """Return the formulas with further settings, and their symbols."""
        settings = [*asked.settings, *more]
        _, net, _ = open_network(replace(asked, settings=settings), kept)
        found = _formulas(net, metric, by_stage=by_stage)
        if relax:
            found = {key: asymptotics.relax(value) for key, value in found.items()}
        return found, net.free_symbols

    formulas, free = _by_repetitions(asked.name, kept, derive)
    if as_json or style == "json":
        written = {key: plain(value) for key, value in formulas.items()}
        free = sorted(map(str, free))
        print_json("costmodel.formula/1", {metric: METRICS[metric]}, name=asked.name,
                   metric=metric, symbols=free, formulas=written)  # fmt: skip
        return
    for key, value in formulas.items():
        click.echo(_written(value, key, style))


def _formulas(net: Network, metric: str, *, by_stage: bool) -> dict[str, Any]:
    """Return the formula of each stage that has costs, if wanted, and the total."""
    totals = counted(net)
    sums = totals.by_scope(1) if by_stage else {}
    formulas = {stage: part.metric(metric) for stage, part in sums.items()}
    formulas = {stage: value for stage, value in formulas.items() if value != 0}
    return {**formulas, metric: totals.metric(metric)}


def _by_repetitions(
    name: str, kept: list[str], derive: Callable[..., tuple[dict[str, Any], Any]]
) -> tuple[dict[str, Any], Any]:
    """Derive formulas, by interpolation for those in numbers of blocks."""
    from costmodel.algebra.questions.interpolation import interpolate

    options = options_of(name)
    counted = [key for key in kept if key in options and options[key].is_repetition]
    if not counted:
        return derive()
    others = [key for key in kept if key not in counted]
    lengths = [len(options[key].symbols) for key in counted]
    symbols = [symbol for key in counted for symbol in options[key].symbols]

    @cache
    def at(*numbers: int) -> tuple[dict[str, Any], Any]:
        rest = iter(map(str, numbers))
        more = [f"{key}={','.join(islice(rest, length))}"
                for key, length in zip(counted, lengths)]  # fmt: skip
        return derive(*more, kept=others)

    def law(key: str) -> Any:
        """Return one formula; the first repetition may differ from all later ones."""
        try:
            return interpolate(lambda *numbers: at(*numbers)[0][key], symbols)
        except CostModelError:
            found = interpolate(lambda *numbers: at(*numbers)[0][key], symbols, start=2)
            names = ", ".join(map(str, symbols))
            note(f"{key}: holds where {names} are 2 or more")
            return found

    formulas, free = at(*(2,) * len(symbols))
    return {key: law(key) for key in formulas}, {*free, *symbols}


def _written(value: Any, name: str, style: str) -> str:
    from costmodel.algebra.code.source_code import FORMATS

    if style == "mathml":
        from costmodel.reports.formulas.mathml import mathml

        return mathml(value)
    return FORMATS[style](value, re.sub(r"\W", "_", name))
