"""Commands that answer for every architecture."""

from __future__ import annotations

import pathlib

import pytest

from tests.cli import test_process
from tests.cli.test_cli import parsed, run


def test_list_names_every_architecture_with_exact_numbers() -> None:
    rows = {row["name"]: row for row in parsed("list")["architectures"]}
    assert rows["vgg16"]["parameters"] == 138357544
    assert rows["resnet152"]["layers"] == 152
    table = run("list").stdout
    assert all(name in table for name in rows)


def test_verify_passes_and_says_what_departs() -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert "departure: alexnet, activations 253440" in result.stdout
    assert parsed("verify", "lenet5")["wrong"] == 0
    rows = parsed("verify", "alexnet")["rows"]
    assert [row["computed"] for row in rows if row["outcome"] == "recorded"] == [None]


@pytest.mark.skipif(
    not pathlib.Path("/dev/full").exists(), reason="no device is full here"
)
@pytest.mark.parametrize("command", ["list", "list --json"])
def test_a_full_device_is_one_clear_line(command: str) -> None:
    test_process.check_full_device(command)


@pytest.mark.parametrize("command", ["verify"])
def test_a_stream_that_knows_few_characters_is_written_to(command: str) -> None:
    test_process.check_few_characters(command)


@pytest.mark.parametrize("command", ["list --json"])
def test_a_reader_that_leaves_is_no_error_and_nothing_false(command: str) -> None:
    test_process.check_reader_leaves(command)


@pytest.mark.parametrize("command", [["list"]], ids=lambda command: command[0])
def test_commands_without_modules_leave_torch_alone(command: list[str]) -> None:
    test_process.check_no_torch(command)
