"""The differential test: it finds what differs, and an old engine says the same.

The engine of an old checkout is asked where ``COSTMODEL_OLD`` names one; in full it is
``python -m tests.differential``.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy

from costmodel import H, W, alpha, make_divisible
from tests.differential.comparison import Comparison
from tests.differential.formulas import Evaluator, Formulas, UncountedError
from tests.differential.known_differences import KNOWN_DIFFERENCES, Known, renamed
from tests.differential.records import mend, read
from tests.differential.summary import Summary


ROOT = Path(__file__).parents[2]
POINTS = [{"H": 7, "W": 9, "alpha": "3/4"}, {"H": 224, "W": 32, "alpha": 1}]


@pytest.mark.skipif(
    "COSTMODEL_OLD" not in os.environ,
    reason="COSTMODEL_OLD names no checkout of an earlier version",
)
def test_an_earlier_engine_says_the_same_of_a_few_networks() -> None:
    old = os.environ["COSTMODEL_OLD"]
    asked = ["--networks", "40", "--no-registered"]
    command = [sys.executable, "-m", "tests.differential", "--old", old, *asked]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 networks" in done.stdout


@pytest.mark.parametrize(("formula", "values"), [
    (3 * sympy.floor((H + 1) / 2) * W, (108, 10752)),
    (sympy.Max(H, W) - sympy.Min(H, 8), (2, 216)),
    (H / W, (Fraction(7, 9), 7)),
    (W ** -2, (Fraction(1, 81), Fraction(1, 1024))),
    (make_divisible(32, alpha, 8), (24, 32)),
    (sympy.Mod(H, 4) + sympy.ceiling(W / 2), (8, 16)),
])  # fmt: skip
def test_formulas_are_evaluated_exactly(
    formula: sympy.Expr, values: tuple[Any, ...]
) -> None:
    assert Evaluator(Formulas(POINTS).points)(formula) == values


def test_no_count_is_a_float() -> None:
    with pytest.raises(UncountedError, match="neither a count nor text"):
        Formulas(POINTS).encoded({"macs": 0.5})


def found(then: Any, now: Any) -> list[str]:
    """Return the classes of differences between two answers."""
    before = Formulas(POINTS)
    record = json.loads(json.dumps(before.encoded(then)))
    comparison = Comparison(before.table, Formulas(POINTS))
    comparison.walk("rows", (), record, now)
    return [difference[0] for difference in comparison.found]


@pytest.mark.parametrize(("then", "now", "kinds"), [
    ({"macs": 2 * H}, {"macs": 2 * H}, []),
    ({"macs": H * (W + 1)}, {"macs": H * W + H}, []),
    ({"macs": H}, {"macs": H + 1}, ["rows: value"]),
    ({"macs": 7}, {"macs": 8}, ["rows: value"]),
    ({"macs": sympy.floor(H / 7)}, {"macs": H / 7}, []),  # at both points
    ({"macs": 2 * H}, {"macs": H + sympy.Symbol("H")}, ["rows: symbols"]),
    ([1, 2], [1, 2, 3], ["rows: length"]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["rows: order"]),
    ({"a": 1}, {"b": 1}, ["rows: in one alone", "rows: in one alone"]),
    ({"refused": "no rule"}, {"refused": "no rule"}, []),
    ({"refused": "no rule"}, {"refused": "none"}, ["rows: text of refusal"]),
    ({"refused": "no rule"}, 0, ["rows: answered now"]),
    ({"failed": "KeyError: 1"}, 0, ["rows: answered now"]),
    (0, {"refused": "no rule"}, ["rows: refused now"]),
    ({"refused": "no rule"}, {"failed": "KeyError: 1"}, ["rows: fault"]),
    ({"is": True}, {"is": 1}, ["rows: value"]),
    ({"node": "conv1"}, {"node": "conv2"}, ["rows: value"]),
    ({"one": sympy.Symbol("H") * 0 + 7}, {"one": 7}, []),
])  # fmt: skip
def test_differences_are_found(then: Any, now: Any, kinds: list[str]) -> None:
    assert found(then, now) == kinds


def test_a_formula_of_other_symbols_differs() -> None:
    # Equal at every point, since both sides are.
    points = [{"H": 5, "W": 5}, {"H": 9, "W": 9}]
    before = Formulas(points)
    then = before.encoded(H)
    comparison = Comparison(before.table, Formulas(points))
    comparison.leaf("rows", (), then, W)
    assert [difference[0] for difference in comparison.found] == ["rows: symbols"]


def test_a_file_that_was_cut_off_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl.gz"
    whole = gzip.compress(b'{"job": "tensors 0"}\n{"name": "a", "network": "1"}\n')
    path.write_bytes(whole + gzip.compress(b'{"job": "tensors 1"}\n')[:-9])
    mend(path)
    assert path.read_bytes() == whole
    assert list(read(path)) == ['{"name": "a", "network": "1"}\n']
    assert len(list(read(path, generated=True))) == 1


def test_kinds_are_renamed_in_front_of_nodes_alone() -> None:
    assert renamed('roll at "roll1": of a roll') == 'copy at "roll1": of a roll'
    (names,) = (k for k in KNOWN_DIFFERENCES if k.same is renamed)
    refused = ["fields: text of refusal", "", 'upsample at "x": why', "changed"]
    assert not names.covers("lenet5", refused)
    assert names.covers("lenet5", [*refused[:3], 'resize at "x": why'])


def test_known_faults_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Known("the old engine forgot biases", "rows: value", r"^lenet5/.*macs$")
    monkeypatch.setattr(
        "tests.differential.known_differences.KNOWN_DIFFERENCES", (fault,)
    )
    summary = Summary()
    known = ["rows: value", "conv1/macs", "1", "2"]
    other = ["rows: value", "conv1/buffers", "1", "2"]
    answer = {"name": "lenet5", "values": 9, "rewritten": 0}
    summary.add(answer | {"differences": [known]})
    assert summary.is_equal
    summary.add(answer | {"differences": [known, other]})
    assert not summary.is_equal
    assert summary.known["the old engine forgot biases"].count == 2
    assert summary.differences["rows: value"].count == 1
