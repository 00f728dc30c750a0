"""The command that says everything at once of a network, anybody's own included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.field import known_of, print_sides
from costmodel.cli.look import SHOWN
from costmodel.cli.program import (
    BATCH,
    JSON,
    RESOLUTION,
    SET,
    TARGET,
    UNITS,
    counted,
    heading,
    main,
    open_network,
    partial,
    plain,
)
from costmodel.errors import CostModelError
from costmodel.terminal import exact_number, human, note, print_json, print_table


if TYPE_CHECKING:
    from costmodel.analysis.cost import Cost
    from costmodel.analysis.input_sizes import Side
    from costmodel.network.constraint import Constraint
    from costmodel.network.graph import Network

BYTES = ("weights", "buffers", "activations_peak")
"""What is said of memory, in bytes of float32."""

SHOWN_CONSTRAINTS = 8
"""Conditions on the size of the input that the terminal lists."""


@main.command()
@TARGET
@SET
@RESOLUTION
@BATCH
@click.option("--depth", default=1, show_default=True, type=click.IntRange(1),
              help="Levels of scope to show; totals do not depend on it.")  # fmt: skip
@click.option("--symbolic", is_flag=True, help="Print the formulas in N, H and W.")
@JSON
def analyze(
    name: str, settings: tuple[str, ...], resolution: Any, batch: str | None,
    depth: int, *, symbolic: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say what a network costs, what fits into it, and what is unknown of it.

    TARGET is a registered name, package.module:attribute, path/to/file.py:attribute,
    model.onnx or net.json. What it names is imported and, if it can be called, called.
    Without --input everything is a formula.
    """
    kept = ("resolution", "batch")
    chosen, net, used = open_network(
        name, settings, resolution, batch, kept if resolution is None else ()
    )
    _, law, _ = open_network(name, settings, None, None, kept)
    totals, rows = counted(net), _rows(net, depth)
    formulas = _formulas(law) if symbolic or resolution is None else {}
    bytes_there = _memory(net, training=used_mode())
    sides, constraints = _sides(law), law.constraints
    if as_json:
        print_json(
            "costmodel.analyze/1", UNITS | dict.fromkeys(BYTES, "bytes of float32"),
            name=name, title=chosen.summary, options=used,
            input=plain(net.inputs[0].output.sizes), batch=plain(net.batch),
            totals=_totals(totals), memory=bytes_there,
            formulas={key: plain(value) for key, value in formulas.items()},
            rows=rows, sides={axis: known_of(side) for axis, side in sides.items()},
            constraints=list(map(_written, constraints)),
            warnings=list(getattr(chosen, "warnings", ())), **partial(totals),
        )  # fmt: skip
        return
    click.echo(heading(chosen))
    click.echo(f"input {net.inputs[0].output}, batch {net.batch}\n")
    _print_rows(rows, totals)
    _print_memory(bytes_there)
    _print_formulas(formulas, totals.partial)
    _print_sizes(sides, constraints)
