"""Commands that answer for every architecture."""

from __future__ import annotations

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
