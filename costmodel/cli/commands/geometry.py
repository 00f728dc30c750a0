"""Commands about geometry: receptive fields, and input sizes that fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.options import JSON, SIZED, TARGET, Asked
from costmodel.cli.program import FREE, main, open_network, plain
from costmodel.errors import CostModelError
from costmodel.terminal import note, print_json, print_table


if TYPE_CHECKING:
    from costmodel.analysis.input_sizes import Remainder, Side
    from costmodel.analysis.receptive_field import ReceptiveField
    from costmodel.analysis.receptive_field.field import Field, Misalignment

QUANTITIES = ("size", "stride", "padding", "offset", "padding_after", "smallest",
              "largest")  # fmt: skip
"""The quantities of a field, as (height, width) pairs."""

PIXELS = {
    **dict.fromkeys(
        ("size", "stride", "padding", "padding_after", "smallest", "largest"),
        "pixels of the input, [height, width]; null: unbounded, or of no single value",
    ),
    "offset": "pixels from the input's first one to the centre of position 0's field",
}  # fmt: skip
TABLE = ("layer", "size", "stride", "padding", "first centre", "windows of paths")
WINDOW = {"size": "size", "stride": "stride", "padding": "before",
          "padding after": "after"}  # fmt: skip
"""The columns of a table of windows, and the fields that they show."""


@main.command()
@TARGET
@SIZED
@click.option("--depth", default=1, show_default=True, type=click.IntRange(1),
              help="Levels of scope to show.")  # fmt: skip
@click.option("--at", "layer", metavar="LAYER", help="Show this layer alone.")
@click.option("--windows", is_flag=True,
              help="List every distinct window of a path.")  # fmt: skip
@click.option("--ignore-gates", is_flag=True,
              help="Leave out gates that see the whole input.")  # fmt: skip
@click.option("--same", is_flag=True,
              help="Pad as TensorFlow's SAME does; needs a resolution.")  # fmt: skip
@JSON
def field(
    asked: Asked, depth: int, layer: str | None,
    *, windows: bool, ignore_gates: bool, same: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show what each layer sees of the input: its receptive field."""
    from costmodel.analysis.receptive_field import receptive_field

    _, net, used = open_network(asked, FREE)
    found = receptive_field(net, ignore_gates=ignore_gates, same=same)
    rows = _rows(found, depth) if layer is None else [(layer, found.of(layer))]
    if as_json:
        listed = {"windows": _windows(found, layer)} if windows else {}
        print_json(
            "costmodel.field/1", PIXELS, name=asked.name, options=used,
            layer=found.name, beyond=found.beyond, rows=[_facts(*row) for row in rows],
            misalignments=list(map(_unlike, found.misalignments)), **listed,
        )  # fmt: skip
        return
    if windows:
        print_table(tuple(WINDOW), [list(w.values()) for w in _windows(found, layer)])
        return
    print_table(TABLE, [
        [title, *(_text(_pair(row, of)) for of in QUANTITIES[:4]), _span(row)]
        for title, row in rows
    ])  # fmt: skip
    if layer is None:
        _print_last(found)


def _rows(found: ReceptiveField, depth: int) -> list[tuple[str, Field]]:
    """Return the field of the last node of each block, up to the last feature map."""
    from costmodel.network.table import outline

    rows: list[tuple[str, Field]] = []
    for block in outline(found.network, depth):
        row = found.of(block.repeats[-1][-1].name)
        if found.name in (node.name for nodes in block.repeats for node in nodes):
            return [*rows, (block.title, found.of(found.name))]
        rows.append((block.title, row))
    return rows


def _print_last(found: ReceptiveField) -> None:
    """Print the last feature map, what follows it, and misaligned nodes."""
    end = found.beyond and f'; outputs see the whole input through "{found.beyond}"'
    click.echo(f'\nthe last feature map is "{found.name}"{end or ""}')
    if found.unbounded:
        note(f'"{found.unbounded}" sees the whole input; --ignore-gates leaves it out')
    if found.repeats:
        note(
            f'padding of "{found.repeats}" repeats pixels: positions at borders see '
            "those, which their windows do not name"
        )
    for misalignment in found.misalignments:
        note(str(misalignment))


def _facts(title: str, row: Field) -> dict[str, Any]:
    import sympy

    known = {quantity: _pair(row, quantity) for quantity in QUANTITIES}
    return {
        "layer": title, "node": row.name,
        **{k: None if p is None or sympy.oo in p else plain(p)
           for k, p in known.items()},
        "unbounded": row.unbounded, "aligned": row.is_aligned,
        "repeats": row.repeats,
    }  # fmt: skip


def _unlike(misalignment: Misalignment) -> dict[str, Any]:
    operands = [
        {"layer": name, "stride": plain(stride), "offset": plain(centre)}
        for name, stride, centre in misalignment.operands
    ]
    return {"layer": misalignment.name, "axis": misalignment.axis, "operands": operands}


def _span(row: Field) -> str:
    """Return the smallest and the largest window of a path."""
    least, most = _text(_pair(row, "smallest")), _text(_pair(row, "largest"))
    span = least if least == most else f"{least} to {most}"
    return span if row.is_aligned else f"{span}, not aligned"


def _pair(row: Field, quantity: str) -> tuple[Any, ...] | None:
    """Return a quantity of a field, or None if it has no single value."""
    try:
        pair: tuple[Any, ...] = getattr(row, quantity)
    except CostModelError:
        return None
    return pair


def _text(pair: tuple[Any, ...] | None) -> str:
    return "—" if pair is None else "×".join(map(str, pair)).replace("oo", "∞")


def _windows(found: ReceptiveField, layer: str | None) -> list[dict[str, str]]:
    """Return every distinct window of a path, as text."""
    return [
        {part: "×".join("∞" if w is None else str(getattr(w, of)) for w in pair)
         for part, of in WINDOW.items()}
        for pair in found.windows(layer)
    ]  # fmt: skip


@main.command()
@TARGET
@SIZED
@JSON
def sizes(asked: Asked, *, as_json: bool) -> None:
    """Show which input sizes fit: all admissible ones, and those without a remainder.

    With a --resolution, also the remainders of strides there.
    """
    from costmodel.analysis.input_sizes import (
        joint_conditions,
        remainders,
        sides_by_name,
    )

    _, net, used = open_network(asked, FREE)
    left = None
    if asked.resolution is not None and not net.free_symbols - {net.batch}:
        left = remainders(net)
        _, net, used = open_network(replace(asked, resolution=None), FREE)
    sides = sides_by_name(net)
    joint = [str(condition) for condition in joint_conditions(net)]
    if as_json:
        print_json("costmodel.sizes/1", {"smallest": "pixels", "rows": "pixels"},
                   name=asked.name, options=used,
                   sides={axis: known_of(side) for axis, side in sides.items()},
                   joint=joint,
                   remainders=left and [
                       {"layer": r.name, "axis": r.axis, "rows": r.rows, "lost": r.lost}
                       for r in left
                   ])  # fmt: skip
        return
    print_sides(sides)
    for condition in joint:
        click.echo(f"both: {condition}")
    if left is not None:
        _print_remainders(left, str(asked.resolution))


def print_sides(sides: dict[str, Side]) -> None:
    """Print which heights and widths fit, and why none fits exactly."""
    header = ("side", "admissible", "smallest", "needed by", "fits exactly",
              "first exact")  # fmt: skip
    print_table(header, [
        [axis, str(side.admissible), str(side.smallest), side.needed_by,
         str(side.exact), "—" if side.first_exact is None else str(side.first_exact)]
        for axis, side in sides.items()
    ])  # fmt: skip
    for axis, side in sides.items():
        if side.why:
            note(f"no {axis} fits exactly: {side.why}")


def known_of(side: Side) -> dict[str, Any]:
    """Return the legal values of a side as plain values."""
    return {
        "admissible": str(side.admissible),
        "smallest": side.smallest, "needed_by": side.needed_by,
        "exact": str(side.exact), "first_exact": side.first_exact,
        "modulus": side.exact.modulus, "remainders": list(side.exact.residues),
        "why_not": side.why, "symbol": str(side.symbol),
    }  # fmt: skip


def _print_remainders(left: tuple[Remainder, ...], resolution: str) -> None:
    if not left:
        click.echo(f"\n{resolution}: every stride divides")
        return
    click.echo(f"\n{resolution}: remainders of strides, and lost pixels among them")
    cells = [[r.name, r.axis, str(r.rows), str(r.lost)] for r in left]
    print_table(("layer", "axis", "remainder", "lost"), cells, right=(2, 3))
