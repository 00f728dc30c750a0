"""The command that says how long a network will take, why, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import sympy

from costmodel.cli.options import BATCH, JSON, RESOLUTION, SET, TARGET
from costmodel.cli.program import heading, main, open_network, plain
from costmodel.terminal import note, print_json, print_table


if TYPE_CHECKING:
    from costmodel.runtime.predict import Prediction

UNITS = {
    "seconds": "seconds a batch; a formula where symbols are left",
    "low": "seconds, lower end of an interval for 80 % of measurements",
    "high": "seconds, upper end",
    "unmodelled_share": "part of the seconds without a class of their own, of 1",
    "kernels": "how many run",
}


@main.command()
@TARGET
@click.option("--device", required=True, metavar="PROFILE",
              help="A calibrated device: a profile's name, or a file from calibrate.")  # fmt: skip
@click.option("--by", type=click.Choice(["kind", "scope", "node"]), default="kind",
              show_default=True, help="What a line of the table is.")  # fmt: skip
@click.option("--depth", type=click.IntRange(min=1), default=1, show_default=True,
              help="Levels of scope, with --by scope.")  # fmt: skip
@click.option(
    "--symbols",
    metavar="NAMES",
    default="",
    help="What stays a symbol, e.g. batch,resolution; the rest takes its default.",
)
@SET
@RESOLUTION
@BATCH
@JSON
def predict(
    name: str, device: str, by: str, depth: int, symbols: str,
    settings: tuple[str, ...], resolution: str | None, batch: str | None,
    *, as_json: bool,
) -> None:  # fmt: skip
    """Predict how long a network takes on a calibrated device.

    With symbols left, print the formula of the seconds.
    """
    from costmodel.runtime.predict import predict as find

    kept = list(dict.fromkeys(filter(None, map(str.strip, symbols.split(",")))))
    chosen, net, used = open_network(name, settings, resolution, batch, kept)
    found = find(net, device)
    groups = {
        "kind": found.by_kind,
        "node": found.by_node,
        "scope": lambda: found.by_scope(depth),
    }[by]()
    if as_json:
        print_json("costmodel.predict/1", UNITS, name=name, options=used,
                   batch=plain(net.batch), profile=found.profile.name,
                   setting=found.profile.setting.to_json(), **_contents(found),
                   by=by, parts={k: _value(v) for k, v in groups.items()})  # fmt: skip
        return
    size = net.inputs[0].output
    click.echo(heading(chosen))
    click.echo(f"on {found.profile.name} ({found.profile.setting}), input {size}, "
               f"batch {net.batch}\n")  # fmt: skip
    _print_total(found)
    _print_parts(found, by, groups)
    for warning in found.warnings:
        note(f"warning: {warning}")


def _contents(found: Prediction) -> dict[str, Any]:
    return {
        "seconds": _value(found.seconds),
        "low": _value(found.low),
        "high": _value(found.high),
        "unmodelled_share": _value(found.unmodelled_share),
        "kernels": len(found.rows),
        "warnings": list(found.warnings),
    }


def _print_total(found: Prediction) -> None:
    """Print the time and its interval; a formula by itself, for the next tool."""
    if found.seconds.free_symbols:
        click.echo(f"seconds = {found.seconds}")
        return
    share = f"{float(found.unmodelled_share):.1%} without a class of its own"
    click.echo(f"{_time(found.seconds)}, 80 % interval {_time(found.low)} to "
               f"{_time(found.high)}; {share}")  # fmt: skip


def _print_parts(found: Prediction, by: str, groups: dict[str, sympy.Expr]) -> None:
    """Print the slowest parts first, with their share of the time."""
    if found.seconds.free_symbols:
        return
    click.echo("")
    whole = float(found.seconds)
    parts = sorted(((float(v), k) for k, v in groups.items()), reverse=True)
    cells = [[part, f"{s * 1e3:.4g}", f"{s / whole:.1%}"] for s, part in parts]
    print_table((by, "ms", "share"), cells, right=(1, 2))


def _time(seconds: sympy.Expr) -> str:
    return f"{float(seconds) * 1e3:.4g} ms"


def _value(value: sympy.Expr) -> float | str:
    """Return a number as a float, and a formula as text."""
    return str(value) if value.free_symbols else float(value)
