"""The command line: data, one clear line for wrong input, and exit codes."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from costmodel.cli import main


def run(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, arguments)


def parsed(*arguments: str) -> dict[str, object]:
    """Run a command with --json, and return its object."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    # ruff: noqa: E501 - a message is one line
    [
        (["show", "resnt50"], 4,
         'unknown architecture "resnt50"; did you mean resnet50, '),
        (["show", "vgg16", "--set", "widht=2"], 4,
         'vgg16: unknown option "widht"; did you mean width? options are variant, '
         "channels, width, hidden, classes, input_channels, resolution, batch"),
        (["show", "vgg16", "--set", "variant=mine"], 4,
         "vgg16: option variant = 'mine'; allowed are paper, torchvision"),
        (["show", "alexnet", "--resolution", "0"], 4,
         "alexnet: resolution 0 is not a positive integer"),
        (["show", "alexnet", "--resolution", "40"], 4,
         'alexnet: H = 40 is too small; max_pool "max_pool3" needs H ≥ 67'),
        (["show", "mobilenet_v1", "--set", "width=wide"], 4,
         'mobilenet_v1: option width "wide": "wide" is neither a number nor a symbol; a '
         "symbol is one letter, or a Greek one such as alpha"),
        (["show", "mobilenet_v1", "--set", "width=0"], 4,
         "mobilenet_v1: option width = 0 is not positive"),
        (["show", "mobilenet_v1", "--set", "width=0.3"], 4,
         'conv at "stem.conv1": channels 48/5 is not an integer, with alpha = 3/10; '
         "alpha has to be a multiple of 1/32 here"),
        (["formula", "resnet50", "--metric", "flops"], 4,
         'unknown metric "flops"; known are parameters, macs, activations, connections, '
         "buffers, bytes_read, bytes_written"),
        (["formula", "resnet50", "--symbols", "depth"], 4,
         'resnet50: "depth" cannot be a symbol; repeats, channels, expansion, width, '
         "classes, input_channels, resolution, batch can"),
        (["verify", "lenet"], 4, 'unknown architecture "lenet"; did you mean lenet5'),
        (["list", "--family", "vg"], 4, 'no family "vg"; families are alexnet, amoe'),
        (["show", "no\nnet"], 4, r'unknown architecture "no\nnet"'),
        (["show", "lenet5", "--resolution", "1" * 5000 + "x32"], 4, "lenet5: resolution"),
        (["show", "lenet5", "--batch", ""], 4, "lenet5: batch"),
        (["report", "lenet5", "-o", "x" * 300], 4, "File name too long"),
        (["report", "lenet5", "-o", "."], 4, ". is the current folder or holds it"),
        (["report", "lenet5", "-o", "/"], 4, "/ is the current folder or holds it"),
        (["report", "lenet5", "-o", "/dev/null/x"], 4, "/dev/null/x: Not a directory"),
        (["report", "lenet5", "-o", ""], 2, "-o names no folder"),
        (["report", "lenet5", "--all"], 2, "name architectures, or give --all"),
        (["show", "lenet5", "--set", "width"], 2, '--set "width" is not OPTION=VALUE'),
        (["formula", "lenet5", "--format", "word"], 2, "'word' is not one of"),
        (["report"], 2, "name architectures, or give --all"),
        (["shwo"], 2, "No such command 'shwo'"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_clear_line(
    arguments: Sequence[str], code: int, message: str
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, SystemExit)
    assert code == result.exit_code
    assert message in result.stderr
    assert result.stdout == ""
    if code == 4:
        assert result.stderr.startswith("costmodel: ")
        assert result.stderr.count("\n") == 1


def test_show_totals_do_not_depend_on_depth() -> None:
    totals = [parsed("show", "resnet18", "--depth", d)["totals"] for d in "123"]
    assert totals[0] == totals[1] == totals[2]
    assert totals[0]["parameters"] == 11689512
    sums = [
        sum(row["macs"] for row in parsed("show", "resnet18", "--depth", d)["rows"])
        for d in "123"
    ]
    assert sums == [totals[0]["macs"]] * 3


def test_show_takes_height_and_width() -> None:
    rows = parsed("show", "vgg16", "--resolution", "224x320")["rows"]
    assert rows[0]["output"] == [3, 224, 320]


def test_show_tells_the_options_in_use() -> None:
    told = run("show", "vgg11", "--set", "width=0.50", "--set", "variant=torchvision")
    assert "variant=torchvision, channels=64,128,256,512,512, width=1/2" in told.stdout
    options = parsed("show", "vgg11", "--set", "width=2")["options"]
    assert options["width"] == 2
    assert options["channels"] == [64, 128, 256, 512, 512]


def test_a_narrow_terminal_keeps_numbers_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("NO_COLOR", "1"), ("COLUMNS", "20")):
        monkeypatch.setenv(name, value)
    lines = run("show", "resnet18", "--depth", "1").stdout.splitlines()
    assert any("7×7 conv, 64," in line and "118,013,952" in line for line in lines)


@pytest.mark.parametrize("style", ["text", "latex", "mathml", "python", "js", "json"])
def test_formula_writes_every_format(style: str) -> None:
    result = run("formula", "resnet18", "--symbols", "width", "--format", style)
    assert result.exit_code == 0
    assert "118525952" in re.sub(r"\D", "", result.stdout)


def test_python_formula_runs_and_gives_the_count() -> None:
    source = run("formula", "resnet50", "--format", "python").stdout
    names: dict[str, object] = {}
    exec(source, names)  # noqa: S102 - the printed formula is what is tested
    assert names["macs"](H=224, N=2, W=224) == 2 * 3857973248


def test_relaxed_formula_has_no_floor() -> None:
    assert "floor" in run("formula", "resnet50").stdout
    assert "floor" not in run("formula", "resnet50", "--relax").stdout


def test_stages_add_up_to_the_total() -> None:
    formulas = parsed("formula", "vgg11", "--by-stage", "--symbols", "batch")[
        "formulas"
    ]
    stages = [int(text.split("*")[0]) for text in map(str, formulas.values())]
    assert sum(stages[:-1]) == stages[-1]


def test_verify_fails_on_an_unexplained_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    from costmodel.network import registry

    lenet = registry.find("lenet5")
    rows = [registry.Published("parameters", "60,001", (), None, None, "nowhere")]
    changed = dataclasses.replace(lenet, published=tuple(rows))
    monkeypatch.setitem(registry._REGISTRY, "lenet5", changed)
    result = run("verify", "lenet5")
    assert result.exit_code == 1
    assert "unexplained" in result.stdout


def test_doctor_names_every_part() -> None:
    parts = {finding["part"] for finding in parsed("doctor")["findings"]}
    assert {"sympy", "torch", "pygraphviz", "device"} <= parts


def test_report_writes_pages_and_checks_them_with_oracles(tmp_path: Path) -> None:
    out = tmp_path / "site"
    content = parsed("report", "lenet5", "resnet20_cifar", "-o", str(out))
    assert content["pages"] == 2
    assert content["disagreements"] == []
    assert (out / "index.html").exists()
    assert "FlopCounterMode" in (out / "architectures" / "lenet5.html").read_text()


def test_report_refuses_a_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    result = run("report", "lenet5", "--no-oracles", "-o", str(tmp_path))
    assert result.exit_code == 4
    assert (tmp_path / "thesis.tex").read_text() == "precious"
    assert "Traceback" not in result.stderr


def test_report_refuses_a_file_as_its_folder(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file")
    result = run("report", "lenet5", "--no-oracles", "-o", str(tmp_path / "site"))
    assert result.exit_code == 4
    assert (tmp_path / "site").read_text() == "a file"
