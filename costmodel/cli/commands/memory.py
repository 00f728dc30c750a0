"""The command ``memory``: the bytes of weights and activations, and their peak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.options import JSON, NETWORK, SYMBOLS, TARGET, TRAINED, Asked
from costmodel.cli.program import heading, main, open_network, plain
from costmodel.terminal import exact_number, human, print_json, print_table


if TYPE_CHECKING:
    from costmodel.analysis.memory import Memory, Moment

UNITS = {"bytes": "bytes", "first": "the first value of the symbol, with the last"}

SHOWN_TENSORS = 8
"""Tensors at the peak that the terminal lists, the largest first."""


@main.command()
@TARGET
@click.option("--training", is_flag=True, help="A training step, not an inference.")
@click.option("--dtype", default="float32", show_default=True,
              help="float64, float32, bfloat16, float16, float8 or int8.")  # fmt: skip
@click.option("--in-place", is_flag=True, help="ReLUs overwrite their operand.")
@click.option("--timeline", is_flag=True, help="Bytes alive while each node runs.")
@SYMBOLS
@NETWORK
@TRAINED
@JSON
def memory(
    asked: Asked, dtype: str, symbols: Sequence[str],
    *, training: bool, in_place: bool, timeline: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show the memory of weights and activations, and the peak.

    With one symbol left, as in --resolution S, show the peak's node by that symbol.
    """
    from costmodel.analysis.memory import memory as find

    chosen, net, used = open_network(asked, symbols)
    found = find(net, training=training, dtype=dtype, in_place=in_place)
    if as_json:
        steps = {"timeline": list(map(_moment, found.timeline))} if timeline else {}
        print_json("costmodel.memory/1", UNITS, name=asked.name, options=used,
                   batch=plain(net.batch), dtype=dtype, training=training,
                   in_place=in_place, **_contents(found), **steps)  # fmt: skip
        return
    size, what = net.inputs[0].output, "training step" if training else "inference"
    click.echo(heading(chosen))
    click.echo(f"{what}, input {size}, batch {net.batch}, {dtype}\n")
    _print_totals(found)
    _print_peak(found)
    if timeline:
        click.echo("")
        cells = [[m.node, m.step.stage, exact_number(m.bytes)] for m in found.timeline]
        print_table(("node", "pass", "bytes alive"), cells, right=(2,))


def _print_totals(found: Memory) -> None:
    """Print weights and their gradients and optimizer state, then activations."""
    totals = _totals(found)
    if len(found.peaks) > 1:  # a Max of formulas that are printed below
        del totals[-1]
    cells = [[what, exact_number(count), human(count) if type(count) is int else ""]
             for what, count in totals]  # fmt: skip
    print_table(("memory", "bytes", ""), cells, right=(1, 2))


def _print_peak(found: Memory) -> None:
    """Print the peak and its tensors, or its node by intervals of a symbol."""
    click.echo("")
    if len(found.peaks) > 1:
        click.echo("The peak is the largest of these, depending on the symbols:\n")
        cells = [[m.node, m.step.stage, str(m.bytes)] for m in found.peaks]
        print_table(("node", "pass", "bytes alive"), cells)
        for part in _ranges(found):
            last = "on" if part["last"] is None else f"to {part['last']}"
            click.echo(f"from {part['first']} {last}: {', '.join(part['nodes'])}")
        return
    (moment,) = found.peaks
    click.echo(f"The peak is at {moment.node}, {moment.step.stage}; there are:\n")
    alive: list[Any] = [(t.bytes, t.node, t.role) for t in found.alive(moment)]
    if type(moment.bytes) is int:
        alive.sort(key=lambda tensor: -tensor[0])
    cells = [[node, role, exact_number(count)]
             for count, node, role in alive[:SHOWN_TENSORS]]  # fmt: skip
    if len(alive) > SHOWN_TENSORS:
        cells.append([f"and {len(alive) - SHOWN_TENSORS} more", "", ""])
    print_table(("of", "tensor", "bytes"), cells, right=(2,))


def _totals(found: Memory) -> list[tuple[str, Any]]:
    from costmodel.analysis.memory.weights import OPTIMIZERS

    rows: list[tuple[str, Any]] = [
        ("weights", found.weight_bytes),
        ("buffers", found.buffer_bytes),
    ]
    if found.training:
        rows.append(("gradients of weights", found.gradient_bytes))
        rows += [(f"optimizer state, {name}", found.optimizer_bytes(name))
                 for name in OPTIMIZERS]  # fmt: skip
        rows.append(("saved for backward", found.saved_bytes))
    rows.append(("activations, all together", found.all_activation_bytes))
    return [*rows, ("activations, peak", found.peak_activation_bytes)]


def _contents(found: Memory) -> dict[str, Any]:
    return {
        "bytes": {what: plain(count) for what, count in _totals(found)},
        "peaks": list(map(_moment, found.peaks)),
        "ranges": _ranges(found),
    }


def _ranges(found: Memory) -> list[dict[str, Any]]:
    """Return the peak's nodes by intervals, if they depend on a single symbol."""
    symbols = list(found.network.free_symbols)
    if len(symbols) != 1 or not symbols[0].is_integer or len(found.peaks) == 1:
        return []
    return [
        {"first": part.first, "last": part.last,
         "nodes": [moment.node for moment in part.moments]}
        for part in found.crossovers(symbols[0])
    ]  # fmt: skip


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "node": moment.node, "pass": moment.step.stage, "bytes": plain(moment.bytes)
    }  # fmt: skip
