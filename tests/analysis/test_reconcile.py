"""Accounts: items that add up, forms that tools do not see, and how they are shown."""

from __future__ import annotations

import json

import pytest
import sympy
from click.testing import CliRunner
from hypothesis import given

import costmodel as cm
from costmodel.algebra.symbols import is_equal
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network.build import adaptive_avg_pool, conv, image, network, relu, scope
from costmodel.network.graph import Network
from costmodel.testing import networks
from tests.analysis.test_conventions import COUNTS, ours
from tests.peers.networks import SMALL


@given(networks())
def test_the_items_of_every_account_add_up(net: Network) -> None:
    macs = cm.cost(net).by_operator()
    common = sum(macs[kind].macs for kind in ("conv", "table_conv", "linear")
                 if kind in macs)  # fmt: skip
    for account in cm.reconcile(net):
        first, *others = (item.amount for item in account.items)
        assert is_equal(first, common)
        total = ours(net, account.convention.name)
        assert is_equal(total, sympy.Add(common, *others))
        assert account.total == total


def pooled() -> Network:
    """Return a network with two layers that code may write otherwise."""
    with scope("body"):
        x = relu(conv(image(3, 6, 6), 2, kernel=1, bias=False))
    return network(adaptive_avg_pool(x, 1), batch=1)


@pytest.mark.parametrize(
    ("written", "ptflops", "thop", "fvcore"),
    [
        ({}, 216 + 4 * 72, 216 + 72 + 2, 216 + 72),
        ({"relu": "function"}, 216 + 3 * 72, 216 + 72 + 2, 216 + 72),
        ({"adaptive_avg_pool": "function"}, 216 + 3 * 72, 216, 216 + 72),
        ({"adaptive_avg_pool": "arithmetic"}, 216 + 2 * 72, 216, 216),
        ({"body.conv1": "function"}, 4 * 72, 72 + 2, 216 + 72),
        ({"body": "function"}, 3 * 72, 72 + 2, 216 + 72),
        ({"body": "function", "relu": "module"}, 4 * 72, 72 + 2, 216 + 72),
    ],
)
def test_what_is_no_module_is_not_seen_by_hooks(
    written: dict[str, str], ptflops: int, thop: int, fvcore: int
) -> None:
    counts = cm.cost(pooled())
    expected = {"ptflops": ptflops, "thop": thop, "fvcore": fvcore}
    assert expected == {name: counts.flops(name, written=written) for name in expected}
    everything = 2 * 216 + 72 + 72  # our own count is of what is computed
    assert everything == counts.flops("all", written=written)


def test_a_form_or_a_word_that_is_not_there_is_refused() -> None:
    counts = cm.cost(pooled())
    with pytest.raises(
        CostModelError, match=r"^written: relu = 'macro' is none of module, function,"
    ):
        counts.flops("thop", written={"relu": "macro"})
    with pytest.raises(
        CostModelError, match=r'^written: no layer, scope or operator "tail"$'
    ):
        counts.flops("thop", written={"tail": "function"})
    assert counts.flops("thop", written={"silu": "function"}) == counts.flops("thop")


def test_an_unknown_convention_names_the_known_ones() -> None:
    for ask in (cm.cost(pooled()).flops, cm.reconcile(pooled()).__getitem__):
        with pytest.raises(
            CostModelError,
            match=r'^unknown convention "flops"; known are fvcore, torch',
        ):
            ask("flops")


def test_quirks_are_items_with_a_sentence() -> None:
    quirks = {
        (account.convention.name, str(item)): (item.amount, item.quirk[:20])
        for account in cm.reconcile(SMALL["maps of three"])
        for item in account.items
        if item.quirk and item.kind in ("", "relu", "adaptive_avg_pool", "subsample")
    }
    assert ("thop", "adaptive_avg_pool: a unit lost") in quirks
    assert quirks["thop", "adaptive_avg_pool: a unit lost"][0] == -1


def run(*arguments: str) -> str:
    """Return what the command line prints."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_the_command_line_shows_accounts_that_add_up() -> None:
    shown = json.loads(
        run("show", "googlenet", "--set", "variant=torchvision", "--conventions",
            "--json")
    )  # fmt: skip
    assert shown["schema"] == "costmodel.conventions/1"
    assert shown["written"] == {"relu": "function"}
    totals = {}
    for account in shown["conventions"]:
        totals[account["name"]] = account["total"]
        assert account["total"] == sum(i["operations"] for i in account["items"])
        assert account["unit"] in shown["units"]
    for tool in set(COUNTS) & set(totals):
        assert totals[tool] == COUNTS[tool]["googlenet"]["torchvision"]


def test_the_command_line_shows_a_table() -> None:
    lines = run("show", "lenet5", "--conventions", "--batch", "2").splitlines()
    table = [line.split("   ") for line in lines]
    assert lines[0].split() == ["tool", "unit", "counted", "operations", "note"]
    assert [row[0].strip() for row in table if row[0].strip()][2:] == list(CONVENTIONS)
    assert "of one sample" in "".join(lines)


def test_units_are_said() -> None:
    units = {name: convention.unit for name, convention in CONVENTIONS.items()}
    flop = {"torch", "deepspeed", "xla", "all"}
    assert {name for name, unit in units.items() if unit == "FLOP"} == flop
    assert {
        name for name, unit in units.items() if unit == "MAC"
    } == units.keys() - flop
