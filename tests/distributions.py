"""Packages for a test, which need no installing: a folder on the import path."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


ROOT = Path(__file__).parent.parent


def write_metadata(
    folder: Path, name: str, groups: Mapping[str, Mapping[str, str]], version: str = "1"
) -> None:
    """Write what pip writes of a package: its name, version and entry points."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(about, encoding="utf-8")
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{key} = {at}" for key, at in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process that finds the packages of a folder first."""
    path = os.pathsep.join([str(folder), *filter(None, [os.getenv("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def check(folder: Path, tests: str) -> None:
    """Run a file of tests in an interpreter that has the packages of a folder."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider",
         tests],
        cwd=ROOT, env=environment(folder), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
