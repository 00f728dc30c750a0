"""The command ``analyze``: costs, memory and input sizes of any network at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli import target
from costmodel.cli.commands.geometry import known_of, print_sides
from costmodel.cli.commands.list_show import SHOWN, blocks, print_blocks, shown
from costmodel.cli.options import JSON, NETWORK, TARGET, TRAINED, Asked
from costmodel.cli.program import (
    FREE,
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
    from costmodel.network.graph import Network
    from costmodel.network.requirement import Requirement

MEMORY = {
    "weight_bytes": "weights",
    "buffer_bytes": "buffers",
    "peak_activation_bytes": "activations, peak",
}
"""The quantities of memory, in bytes of float32."""

SHOWN_CONSTRAINTS = 8
"""Conditions on the size of the input that the terminal lists."""


@main.command()
@TARGET
@NETWORK
@TRAINED
@click.option("--depth", default=1, show_default=True, type=click.IntRange(1),
              help="Levels of scope to show; totals do not depend on it.")  # fmt: skip
@click.option("--symbolic", is_flag=True, help="Print the formulas in N, H and W.")
@JSON
def analyze(asked: Asked, depth: int, *, symbolic: bool, as_json: bool) -> None:
    """Show a network's costs, the input sizes that fit, and unknown operators.

    TARGET is a registered name, package.module:attribute, path/to/file.py:attribute,
    model.onnx or net.json. Its module is imported, and a function is called.
    Without --input only formulas are printed.
    """
    has_size = asked.resolution is not None
    chosen, net, used = open_network(asked, () if has_size else FREE)
    _, law, _ = open_network(Asked(asked.name, asked.settings), FREE)
    totals, sizes = counted(net), _sides(law)
    memory, formulas = _memory(net), {}
    if symbolic or not has_size:
        formulas = _formulas(law if has_size else net, memory)
    if as_json:
        print_json(
            "costmodel.analyze/1", UNITS | dict.fromkeys(MEMORY, "bytes of float32"),
            name=asked.name, title=chosen.summary, options=used,
            input=plain(net.inputs[0].output.sizes), batch=plain(net.batch),
            totals=shown(totals),
            memory={key: plain(value) for key, value in memory.items()},
            formulas={key: plain(value) for key, value in formulas.items()},
            rows=_rows(net, totals, depth),
            sides={axis: known_of(side) for axis, side in sizes.items()},
            constraints=[{"node": c.node, "needs": c.needs, "why": c.why}
                         for c in law.constraints],
            warnings=list(getattr(chosen, "warnings", ())), **partial(totals),
        )  # fmt: skip
        return
    click.echo(heading(chosen))
    click.echo(f"input {net.inputs[0].output}, batch {net.batch}\n")
    rows = _rows(net, totals, depth)
    titles = [[row["layer"], _operators(row["kinds"]), row["output"]] for row in rows]
    if not has_size:
        print_blocks(titles, rows, metrics=("parameters", "macs"))
    else:
        total = ["total", totals.partial, "", *shown(totals).values()]
        print_blocks(titles, rows, total)
        _print_memory(memory)
    if totals.unknown:
        click.echo(f"\nunknown: {', '.join(totals.unknown)}")
    _print_formulas(formulas, totals.partial)
    _print_sizes(sizes, law.constraints)


def _rows(net: Network, totals: Cost, depth: int) -> list[dict[str, Any]]:
    """Return the blocks of a network with their costs."""
    return [
        {"layer": block.title, "output": str(block.output),
         "kinds": dict(Counter(n.operator.kind for n in block.nodes)), **costs}
        for block, costs in blocks(net, totals, depth)
    ]  # fmt: skip


def _formulas(law: Network, known: dict[str, Any]) -> dict[str, Any]:
    """Return every quantity as a formula in the symbols of the input."""
    from costmodel.analysis.cost import cost

    totals = cost(law)
    formulas = {metric: totals.metric(metric) for metric in SHOWN}
    return {**formulas, **(_memory(law) if known else {})}


def _memory(net: Network) -> dict[str, Any]:
    """Return bytes of weights and activations.

    If an operator is unknown, those of activations are left out.
    """
    from costmodel.analysis.memory import memory

    training = bool(click.get_current_context().meta.get(target.TRAIN))
    try:
        found = memory(net, training=training)
        return {key: getattr(found, key) for key in MEMORY}
    except CostModelError as error:
        note(f"memory: {error}")
        return {}


def _sides(law: Network) -> dict[str, Side]:
    """Return the legal heights and widths, if the input is an image with symbols."""
    from costmodel.analysis.input_sizes import sides_by_name

    if not law.free_symbols - {law.batch}:
        return {}
    try:
        return sides_by_name(law)
    except CostModelError as error:
        note(str(error))
        return {}


def _operators(kinds: dict[str, int]) -> str:
    """Return the number of operators of each kind, as text."""
    return ", ".join(f"{kind} ×{n}" if n > 1 else kind for kind, n in kinds.items())


def _print_formulas(formulas: dict[str, Any], partial: str) -> None:
    """Print formulas, one per line; of a peak with several cases only their number."""
    import sympy

    if formulas:
        click.echo("")
    for key, value in formulas.items():
        text = str(value)
        if isinstance(value, sympy.Max):
            text = f"the largest of {len(value.args)} formulas; `memory` shows them"
        click.echo(f"{key} = {text}" + (f" ({partial})" if partial else ""))


def _print_memory(memory: dict[str, Any]) -> None:
    """Print bytes of float32."""
    if not memory:
        return
    click.echo("")
    cells = [[MEMORY[key], exact_number(value), human(value)]
             for key, value in memory.items()]  # fmt: skip
    print_table(("memory", "bytes", ""), cells, right=(1, 2))


def _print_sizes(sizes: dict[str, Side], constraints: Sequence[Requirement]) -> None:
    """Print which input sizes fit, and the nodes that restrict them."""
    if sizes:
        click.echo("")
        print_sides(sizes)
    told = list(_telling(constraints))
    if told:
        click.echo("")
    for constraint in told[:SHOWN_CONSTRAINTS]:
        click.echo(str(constraint))
    if (more := len(told) - SHOWN_CONSTRAINTS) > 0:
        click.echo(f"and {more} more conditions, with --json")


def _telling(constraints: Iterable[Requirement]) -> Iterable[Requirement]:
    """Return the constraints that no other one implies."""
    from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
    from costmodel.algebra.integer_sets.solve import decided

    constraints = tuple(constraints)
    known = [(c.symbols, decided(c.relation)) for c in constraints]
    for constraint, (symbols, sides) in zip(constraints, known):
        is_implied = isinstance(sides, PeriodicSet) and any(
            other != sides and other & sides == other
            for about, other in known
            if about == symbols and isinstance(other, PeriodicSet)
        )
        if not is_implied:
            yield constraint
