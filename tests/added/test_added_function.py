"""A package adds a function of each element by one row, and everything knows it."""

from __future__ import annotations

from pathlib import Path

from tests.distributions import check, write_metadata


PACKAGE = '''
"""A package that adds sin(πx)/(πx), which is 1 at 0."""

from costmodel.algebra.tally import Tally
from costmodel.network.operators import Function, register_function

register_function("sinc", Function(
    tally=Tally(exp=1, mul=1, div=1, compare=1), torch="torch.sinc",
    traced="special_sinc",
))
'''


def test_one_row_is_all_that_a_function_takes(tmp_path: Path) -> None:
    (tmp_path / "added.py").write_text(PACKAGE, encoding="utf-8")
    write_metadata(tmp_path, "added", {"costmodel.operators": {"added": "added"}})
    check(tmp_path, "tests/added/function.py")
