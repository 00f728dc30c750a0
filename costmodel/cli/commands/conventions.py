"""The output of ``show --conventions``: every tool's count, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from costmodel.cli.program import plain
from costmodel.terminal import exact_number, print_json, print_table


if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.network.registry import Architecture
    from costmodel.network.registry.own_network import Unregistered


UNITS = {
    "MAC": "multiply-accumulates, and other operations that the tool adds to them",
    "FLOP": "floating-point operations, two per multiply-accumulate",
}


def print_conventions(
    chosen: Architecture | Unregistered, network: Network, options: Mapping[str, Any],
    *, as_json: bool,
) -> None:  # fmt: skip
    """Print the accounts of all conventions.

    torchvision's variants are counted as torchvision's own code writes them.
    """
    from costmodel.analysis.conventions import TORCHVISION_WRITES
    from costmodel.analysis.reconcile import reconcile

    is_theirs = options.get("variant") == "torchvision"
    written = TORCHVISION_WRITES.get(chosen.family, {}) if is_theirs else {}
    accounts = reconcile(network, written=written)
    if as_json:
        print_json("costmodel.conventions/1", UNITS, name=chosen.name,
                   options=dict(options), batch=plain(network.batch), written=written,
                   conventions=[_written_out(a) for a in accounts])  # fmt: skip
        return
    cells, shown = [], ""
    for name, unit, counted, operations, why in accounts.rows:
        tool = ("", "") if name == shown else (name, unit)
        cells.append([*tool, counted, exact_number(plain(operations)), why])
        shown = name
    print_table(("tool", "unit", "counted", "operations", "note"), cells, right=(3,))
    for words, form in written.items():
        click.echo(f"torchvision's code writes {words} as {form}")


def _written_out(account: Any) -> dict[str, Any]:
    """Return one account as plain values."""
    return {
        "name": account.convention.name,
        "tool": account.convention.tool,
        "unit": account.convention.unit,
        "total": plain(account.total),
        "items": [
            {"operator": item.kind, "what": item.what, "quirk": item.quirk,
             "operations": plain(item.amount)}
            for item in account.items
        ],
    }  # fmt: skip
