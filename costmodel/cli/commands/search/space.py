"""The command ``space``: how many networks there are, and what one costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.commands.search.tables import read_column
from costmodel.cli.options import JSON, together
from costmodel.cli.program import main
from costmodel.cli.target import options_from
from costmodel.errors import CostModelError
from costmodel.terminal import exact_number, print_json, print_table


if TYPE_CHECKING:
    from costmodel.nas.spaces.space import Space

SPACE = together(
    click.argument("name", metavar="SPACE"),
    click.option(
        "--set", "--option", "settings", multiple=True, metavar="OPTION=VALUE",
        help="Set an option of the space, e.g. --set dataset=cifar100. Of an "
        "architecture, a list is what may be chosen: --set width=[0.5,1].",
    ),
)  # fmt: skip
"""The argument SPACE, and its options."""

COUNTED = 50_000
"""Points up to which the command counts what is one at a level by listing them."""


@main.command()
@SPACE
@click.option("--sample", "count", metavar="N", type=click.IntRange(1), default=3,
              show_default=True, help="Random networks to show.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--point", "texts", metavar="TEXT", multiple=True,
              help="Show this network instead, as the space writes it "
              "(repeatable).")  # fmt: skip
@click.option("--audit", "table", metavar="TABLE.csv:COLUMN",
              help="Say instead which rows of a published table are not what networks "
              "cost.")  # fmt: skip
@click.option("--metric", default="parameters", show_default=True,
              help="What the table's column has.")  # fmt: skip
@click.option("--unit", type=click.Choice(["1", "K", "M"]), default="1",
              show_default=True, help="The column's unit.")  # fmt: skip
@JSON
def space(
    name: str, settings: tuple[str, ...], count: int, seed: int,
    texts: tuple[str, ...], table: str | None, metric: str, unit: str, *, as_json: bool,
) -> int | None:  # fmt: skip
    """Count a space of networks exactly, and show what some of them cost.

    SPACE is nasbench101, nasbench201, nats_size, nasnet, mobile, regnet, or an
    architecture's name.
    """
    if table is not None:
        return _audit(opened(name, settings), table, metric, unit, as_json=as_json)
    _show(name, settings, count, seed, texts, as_json=as_json)
    return None


def _audit(
    space: Space, table: str, metric: str, unit: str, *, as_json: bool
) -> int:  # fmt: skip
    """Print the wrong rows of a table; return 1 if there are any."""
    from costmodel.nas.audit import audit
    from costmodel.nas.metrics import unit as unit_of

    path, _, column = table.rpartition(":")
    rows = read_column(space, path, column)
    found = audit(space, rows, metric, {"1": 1, "K": 10**3, "M": 10**6}[unit])
    if as_json:
        print_json(
            "costmodel.audit/1", {metric: unit_of(metric)}, name=space.name,
            table=path, rows=len(rows), metric=metric,
            wrong=[{"text": one.text, "published": float(one.published),
                    "computed": one.computed, "means": one.means}
                   for one in found],
        )  # fmt: skip
        return int(bool(found))
    for one in found:
        click.echo(str(one))
    click.echo(f"{len(found)} of {len(rows)} rows are not what the networks cost")
    return int(bool(found))


def _show(
    name: str, settings: tuple[str, ...], count: int, seed: int,
    texts: tuple[str, ...], *, as_json: bool,
) -> None:  # fmt: skip
    """Print the sizes of a space, and the costs of some of its networks."""
    from random import Random

    from costmodel.nas.metrics import USUAL, unit

    found = opened(name, settings)
    random = Random(seed)  # noqa: S311
    points = [found.point(text) for text in texts]
    points = points or [found.sample(random) for _ in range(count)]
    sizes = {
        level: size_at(found, level) for level in ("encoding", "graph", "function")
    }
    rows = [(found.text(point), found.cost(point)) for point in points]
    if as_json:
        print_json(
            "costmodel.space/1", {metric: unit(metric) for metric in USUAL}, name=name,
            options=_plain(found.options), size=sizes,
            points=[{"text": text, **dict(zip(USUAL, costs))} for text, costs in rows],
        )  # fmt: skip
        return
    click.echo(repr(found))
    for level, size in sizes.items():
        if size is not None:
            click.echo(f"{level:>9}  {size:,}")
    click.echo()
    cells = [[text, *map(exact_number, costs)] for text, costs in rows]
    print_table(("network", *USUAL), cells, right=range(1, 1 + len(USUAL)))


def opened(name: str, settings: tuple[str, ...]) -> Space:
    """Return a space by name, with options as users write them."""
    from costmodel.nas.spaces.catalogue import space as make

    try:
        found = make(name, **options_from(settings))
        found.network(found.sample())  # options that no network is built with
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise CostModelError(f"{name}: an option has a wrong value: {error}") from error
    return found


def size_at(space: Space, level: Any) -> int | None:
    """Return a size; None where all points would have to be listed, and are many."""
    try:
        is_counted = level == "encoding" or space.is_counted(level)
        if not is_counted and space.size() > COUNTED:
            return None
        return space.size(level)
    except CostModelError:
        return None


def _plain(options: Any) -> dict[str, Any]:
    return {key: value if isinstance(value, (int, str)) else str(value)
            for key, value in options.items()}  # fmt: skip
