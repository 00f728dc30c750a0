"""The guides, walked to the letter: a function, an operator and a network of theirs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.distributions import ROOT, check, write_metadata


GUIDES = ("adding-an-operator.md", "adding-an-architecture.md")
FILES = {
    "register_function(": "added_function.py",
    "@register_operator": "added.py",
    "register_module(": "added_torch.py",
    "@architecture(": "added_architecture.py",
}
"""By what is in a block of code: the file that it is."""


def blocks() -> list[str]:
    """Return the blocks of the guides that are files, and no examples to run here."""
    pages = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in GUIDES]
    fenced = re.findall(
        r"^```(\w*)\n(.*?)^```$", "\n".join(pages), re.DOTALL | re.MULTILINE
    )
    return [block for language, block in fenced if not language]


def package(folder: Path) -> set[str]:
    """Write the package that the guides show; return the names of its files."""
    written: dict[str, str] = {}
    entries: dict[str, dict[str, str]] = {"costmodel.operators": {}}
    for block in blocks():
        if block.startswith("[project.entry-points"):
            entries |= tomllib.loads(block)["project"]["entry-points"]
            continue
        (name,) = {file for mark, file in FILES.items() if mark in block}
        assert name not in written
        written[name] = block
        (folder / name).write_text(block, encoding="utf-8")
    # The guide says so of functions in a sentence.
    entries["costmodel.operators"]["function"] = "added_function"
    write_metadata(folder, "added", entries)
    return set(written)


def test_what_the_guides_show_is_a_package_that_everything_knows(
    tmp_path: Path,
) -> None:
    assert package(tmp_path) == set(FILES.values())
    check(tmp_path, "tests/added/architecture.py")
