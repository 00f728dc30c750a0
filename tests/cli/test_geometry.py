"""The command line's fields and input sizes."""

from __future__ import annotations

import json

from click.testing import CliRunner

from costmodel.cli import main


def run(*arguments: str) -> str:
    """Run the command line, and return what it prints to stdout."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_line_shows_fields_by_stage() -> None:
    lines = run("field", "resnet50").splitlines()
    assert (
        "stage4   483×483   32×32    241×241   0×0            11×11 to 483×483" in lines
    )
    assert lines[-1] == (
        'the last feature map is "stage4.block3.relu3"; outputs see the whole input '
        'through "head.avg_pool1"'
    )
    last = run("field", "se_resnet50").splitlines()[-3].split()
    assert last == ["stage4", "∞×∞", "32×32", "∞×∞", "—", "11×11", "to", "∞×∞"]


def test_the_command_line_gives_fields_as_json() -> None:
    found = json.loads(run("field", "se_resnet50", "--json"))
    last = found["rows"][-1]
    assert (last["size"], last["stride"], last["offset"]) == (None, [32, 32], None)
    assert (last["unbounded"], last["smallest"]) == (
        "stage1.block1.avg_pool1",
        [11, 11],
    )
    found = json.loads(run("field", "nasnet_a_mobile", "--json"))
    operands = found["misalignments"][0]["operands"]
    assert [operand["offset"] for operand in operands] == [1, 3]


def test_the_command_line_lists_windows_and_pads_as_tensorflow() -> None:
    at = ("--at", "inception_3a.concat1")
    sizes = [line.split()[0] for line in run("field", "googlenet", "--windows", *at)
             .splitlines()[2:]]  # fmt: skip
    assert sizes == ["27×27", "43×43", "59×59"]
    same = run("field", "mobilenet_v1", "--same", "--resolution", "224")
    assert "315×315   32×32    126×126" in same


def test_the_command_line_shows_input_sizes() -> None:
    lines = run("sizes", "inception_v3").splitlines()
    assert lines[2].split() == [
        "height", "H", "≥", "75", "75", "mixed_7a.conv2", "H", "≡", "11", "(mod", "32)",
        "75",
    ]  # fmt: skip
    lines = run("sizes", "vgg16", "--resolution", "224").splitlines()
    assert lines[-1] == "224: every stride divides"
    lines = run("sizes", "alexnet", "--resolution", "224x227").splitlines()
    assert "conv1       height           1      1" in lines
    assert not any("width" in line for line in lines[4:])


def test_the_command_line_says_why_no_size_fits() -> None:
    result = CliRunner().invoke(main, ["sizes", "resnet50", "--resolution", "32*M"])
    assert result.exit_code == 0
    assert 'no height fits exactly: "stem.conv1" leaves a remainder' in result.stderr
    assert result.stdout.splitlines()[2].split()[-3:] == ["no", "M", "—"]


def test_the_command_line_gives_input_sizes_as_json() -> None:
    found = json.loads(run("sizes", "alexnet", "--resolution", "224", "--json"))
    height = found["sides"]["height"]
    assert (height["smallest"], height["needed_by"]) == (67, "max_pool3")
    assert (height["modulus"], height["remainders"]) == (32, [3])
    first = {"layer": "conv1", "axis": "height", "rows": 1, "lost": 1}
    assert found["remainders"][0] == first
