"""Formulas that are copied out run as they stand, and give the exact counts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.code.source_code import FORMATS
from costmodel.algebra.parse import parse
from costmodel.algebra.rounding import common_divisor, make_divisible
from costmodel.algebra.symbols import H, N, W, alpha
from costmodel.testing import networks


FORMULAS = [
    sympy.floor(H / 49 + sympy.Rational(3, 49)) * N,  # (1/49)*49 is below 1 in floats
    sympy.floor((H - 19) / 16) * sympy.floor(W / 3) + 7,
    make_divisible(32, alpha, 8) * sympy.floor(H / 2),
    common_divisor(H, 7) * W,
    sympy.Integer(12),
]
POINTS = [(n, h, w, 0.75) for n in (1, 3) for h in (31, 49, 97) for w in (7, 12)]


def as_python(formula: sympy.Expr) -> Callable[..., int]:
    names: dict[str, Callable[..., int]] = {}
    exec(FORMATS["python"](formula, "f"), names)  # noqa: S102 - the thing tested
    return names["f"]


def expected(formula: sympy.Expr, point: tuple[float, ...]) -> int:
    exact = [sympy.Rational(str(value)) for value in point]
    return int(formula.subs(dict(zip((N, H, W, alpha), exact, strict=True))))


def arguments(formula: sympy.Expr, point: tuple[float, ...]) -> dict[str, float]:
    known = dict(zip("NHW", point, strict=False)) | {"alpha": point[3]}
    return {str(s): known[str(s)] for s in formula.free_symbols}


@pytest.mark.parametrize("formula", FORMULAS, ids=str)
def test_python_gives_the_exact_count(formula: sympy.Expr) -> None:
    function = as_python(formula)
    computed = [function(**arguments(formula, point)) for point in POINTS]
    assert [expected(formula, point) for point in POINTS] == computed


@pytest.mark.parametrize("formula", FORMULAS, ids=str)
def test_javascript_gives_the_exact_count(formula: sympy.Expr) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no JavaScript engine: node is not on PATH")
    calls = [
        [value for _, value in sorted(arguments(formula, point).items())]
        for point in POINTS
    ]
    source = FORMATS["js"](formula, "f")
    program = f"{source}\nconsole.log(JSON.stringify({calls}.map(a => f(...a))))"
    done = subprocess.run([node, "-e", program], capture_output=True, check=True)
    assert [expected(formula, point) for point in POINTS] == json.loads(done.stdout)


@given(networks(), st.integers(16, 400), st.integers(16, 400))
def test_python_of_a_networks_macs_is_the_bound_networks(
    net: cm.Network, height: int, width: int
) -> None:
    macs = cm.cost(net).macs
    known = {"N": 2, "H": height, "W": width}
    names = {str(symbol) for symbol in sympy.sympify(macs).free_symbols}
    computed = as_python(macs)(**{key: known[key] for key in names})
    assert cm.cost(net.bind(known)).macs == computed


@given(networks())
def test_text_is_read_back_as_the_same_formula(net: cm.Network) -> None:
    macs = cm.cost(net).macs
    assert macs == parse(FORMATS["text"](macs, "macs").removeprefix("macs = "))
