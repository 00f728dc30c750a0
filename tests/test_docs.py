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


def listed() -> dict[Path, set[str]]:
    """Return the rooms that ARCHITECTURE.md draws, and the files named in each."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\n(costmodel/\n.*?)```", page, re.DOTALL)
    rooms: dict[Path, set[str]] = {}
    above: list[Path] = []
    room = Path()
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        text = re.sub(r" \([^)]*\)", "", line.replace("(files here)", "files_here"))
        first, *rest = re.split(r"\s{2,}", text.strip())
        if depth > 4:  # more names of the room in the line before
            rooms[room] |= set(first.strip(",").split(", "))
            continue
        room = above[depth - 1] if depth else Path()
        if first.endswith("/"):
            room = {"costmodel/reports": Path("reports"), "tests": Path("tests")}.get(
                (room / first).as_posix(), room / first
            )
            above[depth:] = [room]
            names = rest[1] if len(rest) > 1 else ""
        elif first == "files_here":
            names = rest[0]
        else:
            names = first.replace(".py", "")
        known = rooms.setdefault(room, set())
        known |= {name for name in names.strip(",").split(", ") if name}
    return rooms


def test_the_architecture_page_names_every_file() -> None:
    there: dict[Path, set[str]] = {}
    for top in ("costmodel", "reports"):
        for path in (ROOT / top).rglob("*.py"):
            names = there.setdefault(path.parent.relative_to(ROOT), set())
            names |= {path.stem} - {"__init__", "__main__"}
    drawn = {room: names - {"__init__"} for room, names in listed().items()}
    assert {room: drawn.get(room) for room in there} == there
