"""A package adds a function of each element by one row, and everything knows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


PACKAGE = '''
"""A package that adds sin(πx)/(πx), which is 1 at 0."""

from costmodel.algebra.tally import Tally
from costmodel.network.operators import Function, register_function

register_function("sinc", Function(
    tally=Tally(exp=1, mul=1, div=1, compare=1), torch="torch.sinc",
    traced="special_sinc",
))
'''
METADATA = "Metadata-Version: 2.1\nName: added\nVersion: 1\n"
ENTRY = "[costmodel.operators]\nadded = added\n"
ROOT = Path(__file__).parents[2]


def test_one_row_is_all_that_a_function_takes(tmp_path: Path) -> None:
    (tmp_path / "added.py").write_text(PACKAGE, encoding="utf-8")
    info = tmp_path / "added-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.getenv("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider",
         "tests/added/function.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
