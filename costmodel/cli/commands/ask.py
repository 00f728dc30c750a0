"""Commands that query a formula: largest, smallest, elasticity, share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.options import JSON, NETWORK, TARGET, Asked, together
from costmodel.cli.program import FREE, counted, main, open_network, plain
from costmodel.errors import CostModelError
from costmodel.terminal import exact_number, print_json, print_table


if TYPE_CHECKING:
    import sympy

    from costmodel.algebra.questions.budget import Limit
    from costmodel.network.graph import Network

METRIC = click.option(
    "--metric", default="macs", show_default=True,
    help="The quantity, such as macs, parameters or activations.",
)  # fmt: skip
SYMBOL = click.option(
    "--symbol", "varied", metavar="NAME", required=True,
    help="The option to vary, such as width, or resolution, or batch.",
)  # fmt: skip
STEP = click.option(
    "--step", metavar="X", help="Try only multiples of this, e.g. 0.05."
)
UPTO = click.option(
    "--upto", metavar="X", help="Try every legal value up to this one, in turn."
)
BY = click.option(
    "--by", default="scope", show_default=True,
    type=click.Choice(["scope", "operator"]), help="The parts of the network.",
)  # fmt: skip
DEPTH = click.option(
    "--depth", default=2, show_default=True, type=click.IntRange(1),
    help="Levels of scope of a part.",
)  # fmt: skip


limit_options = together(TARGET, SYMBOL, METRIC, STEP, UPTO, NETWORK, JSON)
"""The options of both commands: a network, a symbol, a quantity, settings."""


@main.command()
@click.option("--budget", required=True, help="The largest cost: 300M, 4200000.")
@limit_options
def largest(asked: Asked, budget: str, **given: Any) -> None:
    """Find the largest legal width, size or option within a budget, exactly."""
    from costmodel.algebra.questions.budget import largest as find

    _limit(asked, find, "largest", "budget", budget, **given)


@main.command()
@click.option("--goal", required=True, help="The smallest cost: 300M, 4200000.")
@limit_options
def smallest(asked: Asked, goal: str, **given: Any) -> None:
    """Find the smallest legal width, size or option that reaches a goal, exactly."""
    from costmodel.algebra.questions.budget import smallest as find

    _limit(asked, find, "smallest", "goal", goal, **given)


def _limit(
    asked: Asked, find: Callable[..., Limit], word: str, bound: str, text: str, *,
    varied: str, metric: str, step: str | None, upto: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Find the limit, at which every size of the network's tensors has to be whole."""
    from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes

    net, symbol = open_for(asked, varied)
    most = {bound: read_count(bound, text)}
    law, whole = counted(net).metric(metric), tensor_sizes(net)
    found = find(law, symbol, most[bound], whole=whole, step=step, upto=upto)
    _check_fits(net, symbol, found)
    _print_limit(word, asked.name, varied, metric, most, found, as_json=as_json)


def _check_fits(net: Network, symbol: sympy.Symbol | None, found: Limit) -> None:
    """Refuse a limit that violates the network's own constraints."""
    values = [value for value in (found.value, found.beyond) if value is not None]
    for value in values if net.constraints else ():
        try:
            net.bind({symbol: value})
        except CostModelError as error:
            raise CostModelError(f"{error}; --step gives the values to try") from None


def _print_limit(
    word: str, name: str, varied: str, metric: str, most: dict[str, int], found: Limit,
    *, as_json: bool,
) -> None:  # fmt: skip
    """Print a limit, and the next legal value on the other side of the budget."""
    from costmodel.analysis.cost import METRICS

    same, beyond = found.interval, found.beyond
    if as_json:
        print_json(
            f"costmodel.{word}/1", {metric: METRICS[metric]}, name=name, metric=metric,
            symbol=varied, **most, value=plain(found.value), cost=plain(found.cost),
            same_between=None if same is None else plain(same),
            beyond=None if beyond is None else plain(beyond),
            beyond_cost=None if beyond is None else plain(found.beyond_cost),
        )  # fmt: skip
        return
    rows = [[str(found.value), exact_number(found.cost), word]]
    if same is not None:
        rows[0][2] += f"; the same between {same[0]} and {same[1]}"
    if beyond is not None:
        side = "above" if word == "largest" else "below"
        rows.append([str(beyond), exact_number(found.beyond_cost), f"next {side}"])
    print_table((varied, metric, ""), rows, right=(0, 1))


@main.command()
@TARGET
@SYMBOL
@METRIC
@NETWORK
@JSON
def elasticity(asked: Asked, varied: str, metric: str, *, as_json: bool) -> None:
    """Show by how many percent a cost grows if an option grows by one percent."""
    from costmodel.algebra.questions.asymptotics import elasticity as slope
    from costmodel.analysis.cost import METRICS

    net, symbol = open_for(asked, varied)
    found = slope(counted(net).metric(metric), symbol)
    if as_json:
        print_json("costmodel.elasticity/1", {metric: METRICS[metric]}, name=asked.name,
                   metric=metric, symbol=varied, elasticity=plain(found))  # fmt: skip
        return
    click.echo(f"elasticity of {metric} in {varied} = {found}")


@main.command()
@TARGET
@METRIC
@BY
@DEPTH
@click.option(
    "--symbol", "varied", metavar="NAME",
    help="Show instead which part is the largest, as this option grows.",
)  # fmt: skip
@NETWORK
@JSON
def share(
    asked: Asked, metric: str, by: Any, depth: int, varied: str | None,
    *, as_json: bool,
) -> None:  # fmt: skip
    """Show the share of each part in a network's cost."""
    from costmodel.algebra.questions import compare
    from costmodel.analysis.cost import METRICS
    from costmodel.analysis.cost.difference import parts

    net, symbol = open_for(asked, varied)
    counted(net)
    found = parts(net, metric, by=by, depth=depth)
    found = {part: value for part, value in found.items() if value != 0}
    if symbol is None:
        header = ("part", metric, "share")
        shares = compare.share(found)
        rows = [(part, found[part], shares[part]) for part in found]
        cells = [[p, exact_number(v), percent(s)] for p, v, s in rows]
    else:
        header = ("part", f"from {varied}", f"to {varied}")
        regions = compare.dominant(found, symbol)
        rows = [(region.part, region.low, region.high) for region in regions]
        cells = [[p, str(low), str(high)] for p, low, high in rows]
    if as_json:
        table = [(part, plain(one), plain(other)) for part, one, other in rows]
        print_json("costmodel.share/1", {metric: METRICS[metric]}, name=asked.name,
                   metric=metric, columns=header, rows=table)  # fmt: skip
        return
    print_table(header, cells, right=(1, 2))


def open_for(asked: Asked, varied: str | None) -> tuple[Network, sympy.Symbol | None]:
    """Load a network with one option, size or batch as a symbol; return both.

    A resolution is one number for height and width.
    """
    from costmodel.algebra.symbols import H, W

    if varied is None:
        return open_network(asked)[1], None
    if varied in FREE and getattr(asked, varied) is not None:
        raise click.UsageError(f"--symbol {varied} and --{varied} do not go together")
    for setting in asked.settings:
        if setting.partition("=")[0].strip() == varied:
            raise click.UsageError(
                f"--symbol {varied} and --set {setting} do not go together"
            )
    chosen, net, _ = open_network(asked, [varied])
    if varied == "resolution":
        return net.bind({W: H}), H
    if varied == "batch":
        return net, net.batch
    symbols = chosen.options[varied].symbols
    if len(symbols) > 1:
        names = ", ".join(map(str, symbols))
        raise CostModelError(f'{asked.name}: "{varied}" is several numbers, {names}')
    return net, symbols[0]


def read_count(what: str, text: str) -> int:
    """Read 300M, 4.2e6 or 4200000 as a whole number."""
    from costmodel.algebra.amount import amount
    from costmodel.algebra.checks import whole_number

    return whole_number(what, amount(text, what))


def percent(value: Any) -> str:
    """Return a fraction of 1 as a percentage, a formula as it is."""
    if getattr(value, "free_symbols", None):
        return str(value)
    return f"{100 * float(value):.4g} %"
