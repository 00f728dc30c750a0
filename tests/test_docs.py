"""Commands in prose print what the prose says; links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from costmodel.cli import main


ROOT = Path(__file__).parent.parent
PAGES = [
    *(page for page in ROOT.glob("*.md")),
    *(page for page in (ROOT / "docs").rglob("*.md")),
]
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
COMMANDS = [
    (command, output)
    for page in PAGES
    for block in CONSOLE.findall(page.read_text(encoding="utf-8"))
    for command, output in re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n?)*)", block)
]


def test_there_are_commands_to_check() -> None:
    assert COMMANDS


@pytest.mark.parametrize(("command", "output"), COMMANDS)
def test_a_command_prints_what_the_prose_says(command: str, output: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "costmodel"
    result = CliRunner().invoke(main, arguments)
    assert output.strip() == result.stdout.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []
