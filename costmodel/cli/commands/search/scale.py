"""The command ``scale``: the largest network of a family within a budget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli import target
from costmodel.cli.options import JSON, SIZED, TARGET, Asked, together
from costmodel.cli.program import main, open_network, plain, read_settings
from costmodel.cli.sample import Sample
from costmodel.terminal import print_json, print_table


if TYPE_CHECKING:
    from costmodel.algebra.amount import Kind
    from costmodel.nas.scaling import Law, Scaled
    from costmodel.network.graph import Network

BUDGETS = together(
    click.option("--macs", metavar="N", help="At most so many, e.g. 600M."),
    click.option("--parameters", metavar="N", help="At most so many, e.g. 5.3M."),
    click.option("--activations", metavar="N", help="At most so many, e.g. 8M."),
    click.option("--latency", metavar="TIME", help="At most so long, e.g. 5ms; with "
                 "--device."),
    click.option("--peak-memory", metavar="BYTES", help="Bytes of activations alive at "
                 "once, in float32: 20MB, 16MiB."),
)  # fmt: skip
DEVICE = click.option(
    "--device", metavar="PROFILE",
    help="A calibrated device for --latency: a profile's name, or a file.",
)  # fmt: skip
BY = click.option(
    "--by",
    metavar="AXES",
    help="What varies of depth, width, resolution; by default all that it has.",
)


@main.command()
@TARGET
@BUDGETS
@DEVICE
@BY
@SIZED
@JSON
def scale(
    asked: Asked, device: str | None, by: str | None, *, as_json: bool,
    **limits: str | None,
) -> None:  # fmt: skip
    """Find the largest network of a family within budgets; each of them holds.

    TARGET is a network that is scaled, or the name of a family. --resolution is the
    base's.
    """
    from costmodel.nas.scaling import scale as find

    budget = {name: _limit(name, text) for name, text in limits.items() if text}
    if not budget:
        raise click.UsageError("no budget is given, such as --macs 600M")
    over = None if by is None else [axis.strip() for axis in by.split(",")]
    network, options = _opened(asked)
    found = find(network, budget, over=over, device=device, **options)
    if as_json:
        _print_json(asked.name, found)
        return
    click.echo(str(found).partition("\n")[0])
    _print_table(found)


def _limit(name: str, text: str) -> Any:
    """Read a count such as 600M, a time such as 5ms, or bytes such as 20MB."""
    from costmodel.algebra.amount import amount
    from costmodel.algebra.checks import whole_number

    what = f"--{name.replace('_', '-')}"
    if name == "latency":
        return amount(text, what, "seconds")
    kind: Kind = "bytes" if name == "peak_memory" else "count"
    return whole_number(f"{what} {text}", amount(text, what, kind))


def _opened(asked: Asked) -> tuple[str | Network, dict[str, Any]]:
    """Return what is scaled, and the options of the base."""
    size = asked.resolution
    given = {} if size is None or isinstance(size, Sample) else {"resolution": size}
    if target.is_target(asked.name):
        sample = size if isinstance(size, Sample) else None
        return open_network(replace(asked, resolution=sample))[1], given
    if isinstance(size, Sample):
        raise click.UsageError("--input is for a network of one's own; --resolution")
    from costmodel.nas.scaling.family import registered

    chosen = registered(asked.name)
    return chosen.name, {**read_settings(chosen, asked.settings), **given}


def _print_table(found: Scaled) -> None:
    """Print both answers, a line each."""
    header, *rows = found.table()
    print_table(header, rows, right=range(1, len(header)))
    constants = ", ".join(f"{k} × {v:g}" for k, v in found.compound.factors.items())
    click.echo(f"\nper phi: {constants} ({found.compound.source})")


def _print_json(name: str, found: Scaled) -> None:
    from costmodel.nas.scaling.budgets import UNITS

    units = {metric: UNITS[metric] for metric in found.cost}
    law = None
    if found.law:
        law = {**_contents(found.law), "overshoot": float(found.law.overshoot)}
    print_json(
        "costmodel.scale/1", units | {"resolution": "pixels"}, name=name,
        base=found.name, budget=_numbers(found.budget), **_contents(found),
        utilisation=float(found.utilisation), law=law,
        compound={"factors": found.compound.factors, "source": found.compound.source},
    )  # fmt: skip


def _contents(found: Scaled | Law) -> dict[str, Any]:
    options = {name: plain(value) for name, value in found.options.items()}
    return {"options": options, "phi": found.phi, "cost": _numbers(found.cost)}


def _numbers(values: Any) -> dict[str, int | float]:
    """Return counts as integers, and seconds as floats."""
    return {k: v if isinstance(v, int) else float(v) for k, v in values.items()}
