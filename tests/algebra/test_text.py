"""Formulas are plain sympy and plain text; text is read, and never run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sympy
from click.testing import CliRunner
from hypothesis import given

import costmodel as cm
from costmodel.algebra.code.source_code import javascript, latex, python
from costmodel.algebra.parse import exact, parse
from costmodel.algebra.rounding import FUNCTIONS, common_divisor, make_divisible
from costmodel.algebra.symbols import (
    H,
    M,
    N,
    W,
    alpha,
    exact_div,
    floor,
    is_equal,
    maximum,
    symbol,
)
from costmodel.algebra.tally import KINDS
from costmodel.analysis.cost import METRICS, Totals
from costmodel.cli import main
from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.shape import Shape
from costmodel.testing import networks


def every_formula(sums: Totals) -> set[sympy.Expr]:
    """Return every quantity and every kind of primitive operation."""
    found = [sums.metric(metric) for metric in METRICS]
    found += [getattr(sums.tally, kind) for kind in KINDS]
    return set(map(sympy.sympify, found))


def check(formula: sympy.Expr) -> None:
    """Write a formula, and read it twice: by sympy, and by the safe parser."""
    names = {s.name: symbol(s.name) for s in formula.free_symbols}
    text = str(formula)
    assert sympy.sympify(text, locals=names | FUNCTIONS) == formula
    assert parse(text) == formula


@given(networks())
def test_every_formula_of_any_network_is_read_back(net: cm.Network) -> None:
    for formula in every_formula(cm.cost(net)):
        check(formula)


def test_every_answer_is_read_back() -> None:
    for name in ("mobilenet_v1", "mobilenet_v2", "se_resnet18"):
        net = cm.load(name, width=alpha)
        macs = cm.cost(net).macs
        at = {H: 32 * M, W: 32 * M}
        answers = [
            cm.relax(macs),
            cm.leading(cm.relax(macs.subs(sympy.Max(1, alpha), alpha)), alpha),
            cm.elasticity(macs, N),
            cm.elasticity(macs.subs(sympy.Max(1, alpha), alpha), alpha),
            *cm.share(cm.parts(net)).values(),
            cm.compare(macs, cm.cost(cm.load("resnet18")).macs, at=at).ratio,
            *(c.delta("macs") for c in cm.diff(net, cm.load("resnet18")).by_scope()),
        ]
        for answer in answers:
            check(sympy.sympify(answer))


def test_every_function_is_read_back() -> None:
    samples = {
        "floor": sympy.floor(H / 2),
        "ceiling": sympy.ceiling(H / 2),
        "Max": sympy.Max(1, alpha),
        "Min": sympy.Min(H, 7),
        "make_divisible": make_divisible(32, alpha, 8),
        "common_divisor": common_divisor(H, 7),
        "counted_in_doubles": FUNCTIONS["counted_in_doubles"](H, W, 3, 3, N),
        "printed_digits": FUNCTIONS["printed_digits"](H * W),
    }
    assert samples.keys() == FUNCTIONS.keys()
    for formula in samples.values():
        check(formula)


NET = cm.load("lenet5")
X = build.image()
LAW = cm.cost(cm.load("mobilenet_v1", width=alpha)).macs
AT = {N: 1, H: 224, W: 224}

ENTRIES: dict[str, Callable[[str], Any]] = {
    "load": cm.load,
    "load, option": lambda text: cm.load("mobilenet_v1", width=text),
    "load, options": lambda text: cm.load("mobilenet_v1", channels=[text] * 13),
    "load, resolution": lambda text: cm.load("mobilenet_v1", resolution=text),
    "load, batch": lambda text: cm.load("mobilenet_v1", batch=text),
    "bind": lambda text: NET.bind(H=text),
    "bind, name": lambda text: NET.bind({text: 1}),
    "from_json": cm.Network.from_json,
    "from_json, batch": lambda text: cm.Network.from_json(
        NET.to_json().replace('"batch": "N"', f'"batch": "{text}"')
    ),
    "from_json, channels": lambda text: cm.Network.from_json(
        NET.to_json().replace('"channels": 6', f'"channels": "{text}"')
    ),
    "symbol": cm.symbol,
    "exact": exact,
    "parse": parse,
    "relax": cm.relax,
    "leading": lambda text: cm.leading(text, H),
    "leading, symbol": lambda text: cm.leading(LAW, text),
    "elasticity": lambda text: cm.elasticity(text, H),
    "elasticity, symbol": lambda text: cm.elasticity(LAW, text),
    "lambdify": lambda text: cm.lambdify(text, [H]),
    "interpolate": lambda text: cm.interpolate(lambda _: text, [symbol("n")]),
    "interpolate, symbol": lambda text: cm.interpolate(lambda n: n, [text]),
    "lambdify, symbol": lambda text: cm.lambdify(LAW, [text]),
    "share": cm.share,
    "share, part": lambda text: cm.share({"part": text}),
    "dominant": lambda text: cm.dominant(text, H),
    "dominant, symbol": lambda text: cm.dominant(LAW, text),
    "compare": lambda text: cm.compare(text, LAW),
    "compare, at": lambda text: cm.compare(LAW, LAW, at={N: text}),
    "largest": lambda text: cm.largest(text, alpha, 1),
    "largest, symbol": lambda text: cm.largest(LAW, text, 1),
    "largest, budget": lambda text: cm.largest(LAW, alpha, text, at=AT),
    "largest, at": lambda text: cm.largest(LAW, alpha, 1, at={"N": text}),
    "largest, at's name": lambda text: cm.largest(LAW, alpha, 1, at={text: 1}),
    "largest, whole": lambda text: cm.largest(LAW, alpha, 1, at=AT, whole=[text]),
    "largest, step": lambda text: cm.largest(LAW, alpha, 1, at=AT, step=text),
    "smallest, upto": lambda text: cm.smallest(LAW, alpha, 1, at=AT, upto=text),
    "solutions": lambda text: cm.solutions(LAW, {alpha: [text]}, 1, at=AT),
    "diff": lambda text: cm.diff(NET, text),
    "parts": lambda text: cm.parts(NET, text),
    "make_divisible": lambda text: cm.make_divisible(text, 1, 8),
    "common_divisor": lambda text: common_divisor(text, 8),
    "image": build.image,
    "image, side": lambda text: build.image(3, text),
    "conv": lambda text: build.conv(X, text, kernel=3),
    "conv, kernel": lambda text: build.conv(X, 8, kernel=text),
    "network, batch": lambda text: build.network(X, batch=text),
    "operator": lambda text: op.Conv(text, (3, 3)),
    "input": lambda text: op.Input(Shape(text)),
    "by layer": lambda text: cm.cost(NET).of(text),
    "metric": lambda text: cm.cost(NET).metric(text),
    "flops": lambda text: cm.cost(NET).flops(text),
    "flops, layer": lambda text: cm.cost(NET).flops("thop", written={text: "module"}),
    "reconcile": lambda text: cm.reconcile(NET)[text],
    "receptive field, layer": lambda text: cm.receptive_field(NET).of(text),
    "memory, dtype": lambda text: cm.memory(NET, dtype=text),
    "optimizer": lambda text: cm.memory(NET).optimizer_bytes(text),
    "peak": lambda text: cm.memory(NET).peak(N=text, H=32, W=32),
    "crossovers": lambda text: cm.memory(NET).crossovers(text, N=1),
    "crossovers, at": lambda text: cm.memory(NET).crossovers("H", {W: text}, N=1),
    "printed as LaTeX": lambda text: latex(text, "macs"),
    "printed as Python": lambda text: python(text, "macs"),
    "printed as JavaScript": lambda text: javascript(text, "macs"),
}
INTERNAL: dict[str, Callable[[str], Any]] = {
    "floor": floor,
    "maximum": lambda text: maximum(text, 1),
    "exact_div": lambda text: exact_div(text, 2),
    "is_equal": lambda text: is_equal(text, 2),
}
"""What architectures call: whatever they raise, they run nothing."""


@pytest.mark.parametrize("entry", ENTRIES)
def test_code_in_a_string_is_an_error_and_never_runs(
    entry: str, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(cm.CostModelError):
        ENTRIES[entry](f"__import__('pathlib').Path('{mark}').touch() or 1")
    assert not mark.exists()


@pytest.mark.parametrize("entry", INTERNAL)
def test_helpers_run_no_code_either(entry: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises((cm.CostModelError, sympy.SympifyError)):
        INTERNAL[entry](f"__import__('pathlib').Path('{mark}').touch() or 1")
    assert not mark.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "{}"],
        ["show", "lenet5", "--resolution", "{}"],
        ["show", "lenet5", "--batch", "{}"],
        ["show", "mobilenet_v1", "--set", "width={}"],
        ["formula", "lenet5", "--metric", "{}"],
        ["formula", "lenet5", "--symbols", "{}"],
        ["largest", "mobilenet_v1", "--symbol", "width", "--budget", "{}"],
        ["largest", "mobilenet_v1", "--symbol", "{}", "--budget", "3"],
        [
            "largest",
            "mobilenet_v1",
            "--symbol",
            "width",
            "--budget",
            "9",
            "--step",
            "{}",
        ],
        ["smallest", "lenet5", "--symbol", "batch", "--goal", "9", "--upto", "{}"],
        ["elasticity", "lenet5", "--symbol", "{}"],
        ["share", "lenet5", "--symbol", "{}"],
        ["compare", "lenet5", "alexnet", "--symbol", "{}"],
        ["diff", "lenet5", "alexnet", "--first", "classes={}"],
    ],
)
def test_no_command_runs_code(arguments: list[str], tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"__import__('pathlib').Path('{mark}').touch() or 1"
    result = CliRunner().invoke(main, [word.format(code) for word in arguments])
    assert result.exit_code == 4
    assert not mark.exists()
