"""The figures of ``tests.size``: what counts as read, and as named."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests import size


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "costmodel/errors.py", "class CostModelError(Exception): ...\n")
    write(tmp_path, "costmodel/analysis/later.py", "\n" * 7)
    write(tmp_path, "costmodel/analysis/typed.py", "\n" * 100)
    write(tmp_path, "costmodel/analysis/cost/__init__.py", """\
        from typing import TYPE_CHECKING
        from costmodel.errors import CostModelError
        from costmodel.network import operators as op

        if TYPE_CHECKING:
            from costmodel.analysis.typed import Typed

        def flops() -> None:
            from costmodel.analysis import later
        """)  # fmt: skip
    write(tmp_path, "costmodel/network/operators/__init__.py", """\
        from costmodel.network.operators.layers import Add, MaxPool
        """)  # fmt: skip
    write(tmp_path, "costmodel/network/operators/layers.py", """\
        class Operator: ...
        class Windowed(Operator): ...
        class Add(Operator):
            kind: ClassVar[str] = "add"
        class MaxPool(Windowed):
            kind = "max_pool"
        class Weight: ...
        """)  # fmt: skip
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(dedent(text), encoding="utf-8")


def test_the_closure_is_what_importing_executes(root: Path) -> None:
    # cost 9, errors 1, operators 1, layers 7
    assert size.figures(root)["closure"] == 9 + 1 + 1 + 7


def test_imports_inside_of_functions_are_counted_apart(root: Path) -> None:
    assert size.figures(root)["deferred"] == 9 + 1 + 1 + 7 + 7


def test_concrete_operators_are_those_that_none_derives_from(root: Path) -> None:
    assert size.operators(root) == {"Add": "add", "MaxPool": "max_pool"}


def test_a_room_is_a_folder_and_its_files_the_python_files_in_it(root: Path) -> None:
    assert size.figures(root)["room"] == 2  # later and typed
    write(root, "reports/a.py", "")
    write(root, "reports/pages/__init__.py", "")
    assert {str(room): len(files) for room, files in size.rooms(root).items()} == {
        "costmodel": 1, "costmodel/analysis": 2, "costmodel/analysis/cost": 1,
        "costmodel/network/operators": 2, "reports": 1, "reports/pages": 1,
    }  # fmt: skip


def test_circles_are_found_in_functions_and_across_folders(root: Path) -> None:
    assert size.circles(root) == []
    write(root, "reports/page.py", "from costmodel.bridge import run\n")
    write(root, "costmodel/bridge/run.py", """\
        def ask() -> None:
            from costmodel.reports.page import page
        """)  # fmt: skip
    found = [Path("costmodel/bridge/run.py"), Path("reports/page.py")]
    assert size.circles(root) == found


@pytest.mark.parametrize(("text", "named"), [
    ("from costmodel.network.operators import Add", {"Add"}),
    ("from costmodel.network import operators as op\nop.Add", {"Add"}),
    ("import costmodel.network.operators as op\nop.MaxPool", {"MaxPool"}),
    ("import sympy\nsympy.Add", set()),
    ("from sympy import Add", set()),
    ("TABLE = 'conv max_pool'", {"MaxPool"}),
    ("'add'", set()),
    ("'''A sentence about max_pool, as prose.'''", set()),
])  # fmt: skip
def test_a_file_names_an_operator(root: Path, text: str, named: set[str]) -> None:
    path = Path("costmodel/analysis/table.py")
    write(root, str(path), text)
    known = size.operators(root)
    by_kind = {"max_pool": "MaxPool"}
    assert size.mentions(root, path, set(known), by_kind) == named


def test_standing_tells_limits_from_goals() -> None:
    limit = size.Limit(5, 10, "files")
    said = [size.standing(value, limit) for value in (12, 10, 7, 5)]
    assert said == [
        "2 ABOVE ITS LIMIT", "5 above its goal", "2 above its goal; lower its limit",
        "goal met; lower its limit",
    ]  # fmt: skip
