"""The commands space, search and fit: what they print, write and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import costmodel as cm
from costmodel.cli import main


CELLS = "--set dataset=imagenet16 --set cells=1"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, [*words])


def ran(text: str) -> Result:
    result = run(*text.split())
    assert result.exit_code == 0, result.output
    return result


def test_space_tells_sizes_and_costs() -> None:
    told = json.loads(ran("space nasbench201 --sample 2 --json").stdout)
    assert told["size"] == {"encoding": 15_625, "graph": 12_751, "function": 5_260}
    space = cm.space("nasbench201")
    for row in told["points"]:
        costs = space.cost(space.point(row["text"]))
        assert (row["macs"], row["parameters"], row["activations"]) == costs
    shown = ran("space nats_size --point 8:8:8:16:32").stdout
    assert "32,768" in shown
    assert "49,202" in shown


def test_an_audit_says_which_rows_are_wrong(tmp_path: Path) -> None:
    space = cm.space("nasbench201")
    table = tmp_path / "table.csv"
    right, wrong = space.text((0,) * 6), space.text((3, 3, 4, 0, 3, 4))
    table.write_text(f"cell,size\n{right},0.073306\n{wrong},0.6403993\n")
    result = run("space", "nasbench201", "--audit", f"{table}:size", "--unit", "M")
    assert result.exit_code == 1
    assert wrong in result.stdout
    assert right not in result.stdout
    assert "1 of 2 rows" in result.stdout


def test_a_front_is_written_and_its_networks_are_read(tmp_path: Path) -> None:
    for library in ("altair", "pygraphviz", "torch"):
        pytest.importorskip(library)
    folder = tmp_path / "front"
    words = f"search nasbench201 {CELLS} --minimize macs --maximize parameters"
    result = ran(f"{words} --evaluations 50 -o {folder} --json")
    told = json.loads(result.stdout)
    with (folder / "front.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["macs"]) for row in rows] == [row["macs"] for row in told["front"]]
    assert json.loads((folder / "front.json").read_text())["front"] == told["front"]
    assert (folder / "front.svg").read_text().startswith("<svg")
    for number, row in enumerate(told["front"]):
        assert "<svg" in (folder / f"{number:02}-cell.svg").read_text()
        network = cm.load(str(folder / f"{number:02}.json"))
        costs = cm.cost(network)
        assert (costs.macs, costs.parameters) == (row["macs"], row["parameters"])
    module = cm.compile(network)
    assert sum(p.numel() for p in module.parameters()) == row["parameters"]
    ran(f"report {folder}/00.json --no-oracles -o {tmp_path / 'site'}")
    shown = json.loads(ran(f"analyze {folder}/00.py:network --json").stdout)
    assert shown["totals"]["macs"] == told["front"][0]["macs"]
    ran(f"{words} --evaluations 50 -o {folder}")  # an earlier front is replaced
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept.txt").write_text("mine")
    result = run(*words.split(), "-o", str(tmp_path / "other"))
    assert result.exit_code == 4
    assert "no earlier search's" in result.stderr
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["kept.txt"]


def test_a_table_is_an_objective_and_may_have_a_limit(tmp_path: Path) -> None:
    space = cm.space("nats_size")
    points = [space.sample(seed) for seed in range(40)]
    table = tmp_path / "times.csv"
    lines = [f"{space.text(p)},{sum(p)}" for p in dict.fromkeys(points)]
    table.write_text("\n".join(["network,ms", *lines]) + "\n")
    result = run("search", "nats_size", "--minimize", f"ms={table}:ms")
    assert result.exit_code == 4
    assert 'table of "ms": no row for' in result.stderr


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("space nasbench301", 4, "did you mean nasbench201, nasbench101?"),
        ("space nasbench201 --set dataset=svhn", 4, "unknown dataset"),
        ("space nasbench201 --set cells=many", 4, "cells = many; allowed are"),
        ("space nasbench201 --set cells", 2, "not KEY=VALUE"),
        ("space nasbench201 --point cell", 4, "is no cell"),
        ("space nasbench201 --audit none.csv:size", 4, "No such file"),
        ("space mobilenet_v2 --set width=[0.5,wide]", 4, "mobilenet_v2"),
        ("space mobilenet_v2 --set width=[0.5,1/2]", 4, "width has a value twice"),
        ("space nats_size --set widths=8", 4, "give a list of values"),
        ("space nasnet --set operations=conv_3x3", 4, "give a list of values"),
        ("search nasbench201", 2, "give --minimize or --maximize"),
        ("search nasbench201 --minimize speed", 4, 'unknown metric "speed"'),
        ("search nasbench201 --minimize macs --engine pso", 4, "unknown engine"),
        ("search nasbench201 --minimize macs --constraint macs<=1", 4, "keeps the"),
        ("search nasbench201 --minimize macs --constraint macs", 4, "is not like"),
        ("search nasbench201 --minimize macs --constraint macs<=5ms", 4, "K, M, G, T"),
        ("search nasbench201 --minimize seconds:abacus", 4, "abacus"),
        ("search nasbench201 --maximize a=none.csv:a", 4, "No such file"),
        ("search nasbench201 --maximize a=nowhere:a", 4, "nowhere"),
        ("search nasbench201 --minimize macs --evaluations 0", 2, "evaluations"),
        ("search nasbench201 --minimize macs --journal /dev/null/x", 4, "/dev/null"),
        ("search nasbench201 --minimize macs -o /dev/null", 4, "not a folder"),
        ("fit nasbench201 none.csv --column a", 4, "none.csv"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(text: str, code: int, message: str) -> None:
    result = run(*text.split())
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    if code == 4:
        assert len(result.stderr.strip().splitlines()) == 1
