"""Named functions: each is entered once, on its class, and all of its codes agree."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.code.numpy_code import exactly
from costmodel.algebra.code.source_code import FORMATS
from costmodel.algebra.parse import parse
from costmodel.algebra.questions.monotone import direction
from costmodel.algebra.rounding import (
    FUNCTIONS,
    Rounded,
    Rounding,
    common_divisor,
    counted_in_doubles,
    make_divisible,
    printed_digits,
)
from costmodel.algebra.symbols import H, W, alpha, symbol
from costmodel.errors import CostModelError
from costmodel.network.build import conv, image, network
from costmodel.reports.formulas.javascript import javascript_function


K = symbol("K")

ARGUMENTS: dict[type[Rounding], list[list[int]]] = {
    make_divisible: [[3, 11, 32, 400], [1, 2, 3], [1, 4, 8]],
    common_divisor: [[1, 6, 49, 97], [1, 7, 12]],
    counted_in_doubles: [[1, 7, 8], [4, 9], [1, 3, 7], [1, 3], [3, 21]],
    # A tie is 12345 or 12355; past 1e21 JavaScript writes an exponent, and 2**53 ends.
    printed_digits: [[1, 9, 1234, 12345, 12355, 99995, 123456, 10**15 + 7, 2**53 - 1]],
}
"""Values for each argument of every function."""


def of_symbols(function: type[Rounding]) -> tuple[Rounding, list[sympy.Symbol]]:
    """Return a function of as many symbols as it has arguments, in their order."""
    symbols = [symbol(letter) for letter in "ABCDE"[: len(ARGUMENTS[function])]]
    return function(*symbols), symbols


def test_every_function_has_arguments_here() -> None:
    named = [f for f in FUNCTIONS.values() if issubclass(f, Rounding)]
    assert named == [*ARGUMENTS]


@pytest.mark.parametrize("function", ARGUMENTS)
def test_values_arrays_and_python_agree(function: type[Rounding]) -> None:
    formula, symbols = of_symbols(function)
    points = [*product(*ARGUMENTS[function])]
    expected = [int(function(*point)) for point in points]
    assert expected == [exactly(formula, symbols)(*point) for point in points]
    columns = [np.array(column) for column in zip(*points, strict=True)]
    assert expected == cm.lambdify(formula, symbols)(*columns).tolist()
    program: dict[str, Any] = {}
    exec(FORMATS["python"](formula, "f"), program)  # noqa: S102 - the thing tested
    assert expected == [program["f"](*point) for point in points]


@pytest.mark.parametrize("function", ARGUMENTS)
def test_javascript_agrees(function: type[Rounding]) -> None:
    formula, symbols = of_symbols(function)
    points = [*product(*ARGUMENTS[function])]
    expected = [int(function(*point)) for point in points]
    shared = javascript_function({0: formula}, [str(s) for s in symbols])
    assert expected == run_javascript(FORMATS["js"](formula, "f"), points)
    assert expected == run_javascript(
        f"const f = (...a) => ({shared})(...a)[0]", points
    )


def run_javascript(source: str, points: list[Any]) -> list[int]:
    """Return the values of a JavaScript function ``f`` at points."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no JavaScript engine: node is not on PATH")
    calls = json.dumps([list(map(float, point)) for point in points])
    program = f"{source}\nconsole.log(JSON.stringify({calls}.map(a => f(...a))))"
    done = subprocess.run([node, "-e", program], capture_output=True, check=True)
    values: list[int] = json.loads(done.stdout)
    return values


@pytest.fixture
def rounded_up() -> Iterator[type[Rounding]]:
    """Define a function that the package does not have: this is all it takes."""

    class rounded_up(Rounding):  # noqa: N801 - a function, printed as one
        nargs = 2
        is_positive = True
        python = (
            "def rounded_up(value, step):\n    return int(-(-value // step) * step)\n"
        )
        javascript = "const rounded_up = (v, step) => Math.ceil(v / step) * step;\n"

        @classmethod
        def eval(cls, *arguments: sympy.Expr) -> sympy.Expr | None:
            value, step = map(sympy.sympify, arguments)
            if value.is_Rational and step.is_Integer:
                return sympy.Integer(cls.value(Fraction(value), Fraction(step)))
            return None

        @staticmethod
        def value(*numbers: Fraction) -> int:
            value, step = numbers
            return int(-(-value // step) * step)

        def rounded(self) -> Rounded:
            value, step = self.args
            return Rounded(value, (step,))

    yield rounded_up
    del FUNCTIONS["rounded_up"]


def test_a_new_function_is_entered_once(rounded_up: type[Rounding]) -> None:
    maps = rounded_up(30 * alpha, 8)
    assert rounded_up(30, 8) == maps.subs(alpha, 1) == 32
    assert maps.is_integer
    assert maps.is_positive
    # text, and back
    assert FORMATS["text"](maps, "maps") == "maps = rounded_up(30*alpha, 8)"
    assert parse("rounded_up(30*alpha, 8)") == maps
    with pytest.raises(CostModelError, match=r"^rounded_up: '30' is not a number$"):
        rounded_up("30", 8)
    net = network(conv(image(3, 8, 8), maps, kernel=1))
    assert cm.cost(cm.Network.from_json(net.to_json())).parameters == 3 * maps + maps
    # programs
    assert FORMATS["latex"](maps, "maps") == (
        r"\mathrm{maps} = \operatorname{rounded}_{up}{\left(30 \, \alpha,8 \right)}"
    )
    widths = [0.25, 0.5, 1.0]
    program: dict[str, Any] = {}
    exec(FORMATS["python"](maps, "maps"), program)  # noqa: S102 - the thing tested
    assert [program["maps"](width) for width in widths] == [8, 16, 32]
    source = FORMATS["js"](maps, "f")
    assert run_javascript(source, [[width] for width in widths]) == [8, 16, 32]
    assert cm.lambdify(maps, [alpha])(np.array(widths)).tolist() == [8, 16, 32]
    assert exactly(maps, [alpha])(Fraction(8, 30)) == 8
    # questions
    assert cm.relax(maps * sympy.floor(H / 2)) == 15 * alpha * H
    assert cm.elasticity(maps**2, alpha) == 2
    assert direction(maps, alpha) == 1
    assert direction(rounded_up(H, K), K) is None
    found = cm.largest(9 * maps, alpha, 9 * 16)
    assert (found.value, found.cost, found.beyond_cost) == (sympy.S.Half, 144, 216)
    assert found.interval == (sympy.Rational(4, 15), sympy.Rational(8, 15))


def test_only_strings_are_refused() -> None:
    with pytest.raises(CostModelError, match=r"^printed_digits: '12' is not a number$"):
        printed_digits("12")
    assert counted_in_doubles(H, W, 1, 1, 3) == 3 * (H * W + 1)


def reference(channels: float, divisor: int = 8) -> int:
    """Round as torchvision's ``_make_divisible`` does, min_value being the divisor."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@given(
    st.integers(1, 4000),
    st.decimals("0.01", 4, places=2),
    st.sampled_from([1, 2, 4, 8, 10, 16]),
)
def test_make_divisible_is_the_reference_code(
    channels: int, width: object, divisor: int
) -> None:
    rounded = make_divisible(channels, sympy.Rational(str(width)), divisor)
    assert reference(channels * float(str(width)), divisor) == rounded


def test_make_divisible_rounds_in_floats_as_the_reference_does() -> None:
    # Exactly, 0.29·400 + 4 = 120 is a multiple of 8; in floats it is a bit less.
    assert make_divisible(400, sympy.Rational("0.29"), 8) == 112
    assert Fraction("0.29") * 400 + 4 == 120


def test_make_divisible_never_takes_a_tenth_away() -> None:
    # 11 rounds to 8, which is under 0.9·11 = 9.9, so it becomes 16.
    assert make_divisible(11, 1, 8) == 16


def test_make_divisible_waits_for_its_numbers() -> None:
    waiting = make_divisible(32, alpha, 8)
    assert isinstance(waiting, make_divisible)
    assert waiting.subs(alpha, sympy.Rational(3, 4)) == 24  # 32·3/4
    assert waiting.is_integer
    assert waiting.is_positive


@given(st.integers(1, 999), st.integers(1, 999))
def test_common_divisor_is_the_greatest_one(left: int, right: int) -> None:
    divisors = [d for d in range(1, left + 1) if left % d == 0 and right % d == 0]
    waiting = common_divisor(H, right)
    assert max(divisors) == waiting.subs(H, left) == common_divisor(left, right)
