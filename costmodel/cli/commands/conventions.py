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
    """Print the accounts of all conventions, and what the code writes as no module."""
    from costmodel.analysis.reconcile import reconcile

    written, accounts = _forms(network), reconcile(network)
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
        click.echo(f"the code writes {words} as {form}")


def _forms(network: Network) -> dict[str, str]:
    """Return the forms other than modules of what tools count, by kind or by layer."""
    from costmodel.analysis.conventions import CONVENTIONS

    tools = [tool for name, tool in CONVENTIONS.items() if name != "all"]
    by_kind: dict[str, dict[str, str]] = {}
    for node in network.nodes:
        if node.operator.is_unknown:
            continue
        rules = (rule for tool in tools for rule in tool.of(node.operator))
        if any(node.form in rule.seen or "module" in rule.seen for rule in rules):
            by_kind.setdefault(node.operator.kind, {})[node.name] = node.form
    found: dict[str, str] = {}
    for kind, forms in by_kind.items():
        one = set(forms.values())
        named = {kind: one.pop()} if len(one) == 1 else forms
        found |= {word: form for word, form in named.items() if form != "module"}
    return found


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
