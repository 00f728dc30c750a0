"""The guides, walked to the letter: a function, an operator and a network of theirs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path


ROOT = Path(__file__).parents[2]
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


def package() -> dict[str, str]:
    """Return the files of the package that the guides show, by name."""
    written: dict[str, str] = {}
    entries: dict[str, dict[str, str]] = {"costmodel.operators": {}}
    for block in blocks():
        if block.startswith("[project.entry-points"):
            entries |= tomllib.loads(block)["project"]["entry-points"]
            continue
        (name,) = {file for mark, file in FILES.items() if mark in block}
        assert name not in written
        written[name] = block
    # The guide says so of functions in a sentence.
    entries["costmodel.operators"]["function"] = "added_function"
    lines = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in names.items())])
        for group, names in entries.items()
    ]
    written["added-1.dist-info/entry_points.txt"] = "\n".join(lines)
    written["added-1.dist-info/METADATA"] = (
        "Metadata-Version: 2.1\nName: added\nVersion: 1\n"
    )
    return written


def test_what_the_guides_show_is_a_package_that_everything_knows(
    tmp_path: Path,
) -> None:
    written = package()
    assert set(FILES.values()) <= set(written)
    (tmp_path / "added-1.dist-info").mkdir()
    for name, text in written.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.getenv("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider",
         "tests/added/architecture.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
