"""A package adds an operator's class and its module, and everything knows them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import pytest

import costmodel as cm
from costmodel.algebra.tally import Tally
from costmodel.entry_points import import_all
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import image, network
from costmodel.network.building.builder import apply
from costmodel.network.shape import Shape
from tests.distributions import ROOT, check, environment, write_metadata


OPERATOR = '''
"""A package that adds a pooling by √Σ x² under a window."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import final

from costmodel.algebra.tally import Tally
from costmodel.network.operators import Pool, Sizes, register_operator

@register_operator
@final
@dataclass(frozen=True, slots=True)
class L2Pool(Pool):
    kind = "l2_pool"
    counted = "avg_pool"
    saved = "operand intermediate result"
    kernel: Sizes
    stride: Sizes
    padding: Sizes = (0,)

    def tally(self, output, *inputs):
        taps = prod(self.kernel)
        return Tally(mul=taps, add=taps - 1, exp=1) * output.numel
'''
MODULE = '''
"""Its module in PyTorch: an average of squares, times their number, and the root."""

from costmodel.bridge import register_module
from torch import nn
from added import L2Pool, prod

class L2(nn.Module):
    def __init__(self, layer, x=None):
        super().__init__()
        kind = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[len(layer.kernel) - 1]
        self.layer, self.pool = layer, kind(*layer.attributes.values())

    def forward(self, x):
        return (self.pool(x * x) * prod(self.layer.kernel)).sqrt()

register_module(L2Pool, L2, L2, read=lambda m: m.layer, positive=lambda m: m.pool)
'''
ENTRIES = {
    "costmodel.operators": {"added": "added"},
    "costmodel.torch": {"added": "added_torch"},
}
WRITTEN = {"added.py": OPERATOR, "added_torch.py": MODULE}
"""The package, and its entry points: four lines of its pyproject.toml."""


def code(text: str) -> list[str]:
    """Return lines of code: neither blank, nor a docstring."""
    return [s for s in text.splitlines() if s.strip() and not s.startswith('"""')]


def test_three_files_and_thirty_lines_are_all_that_an_operator_takes(
    tmp_path: Path,
) -> None:
    assert len(WRITTEN) + 1 <= 3  # and its pyproject.toml
    assert len(code(OPERATOR)) + len(code(MODULE)) <= 30
    for name, text in WRITTEN.items():
        (tmp_path / name).write_text(text.lstrip(), encoding="utf-8")
    write_metadata(tmp_path, "added", ENTRIES)
    check(tmp_path, "tests/added/operator_class.py")


class Doubled(op.Elementwise):
    """An operator that is abstract no longer, and no final dataclass either."""

    __slots__ = ()

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return an addition an element."""
        return Tally(add=output.numel)


@final
@dataclass(frozen=True, slots=True)
class Twice(Doubled):
    """An operator that is counted as one that has fields it lacks."""

    kind: ClassVar[str] = "twice"
    counted: ClassVar[str] = "batch_norm"


def refused(base: type = Doubled, **changes: object) -> type:
    """Return a class like one that could be registered, but for some attributes."""
    own = {"__slots__": (), "kind": "fresh", **changes}
    made = final(dataclass(frozen=True)(type("Fresh", (base,), own)))
    return made  # noqa: RET504 - typed as what it is decorated into


@pytest.mark.parametrize(
    ("operator", "problem"),
    [
        (int, "operator int: it is not a class derived from Operator"),
        (3, "operator 3: it is not a class derived from Operator"),
        (Doubled, "operator Doubled: it is not @final"),
        (op.Pool, "operator Pool: it is abstract; it lacks tally"),
        (final(type("Plain", (Doubled,), {"kind": "plain"})),
         "operator Plain: it is no @dataclass(frozen=True, slots=True)"),
        (refused(kind="conv"), 'operator Fresh: the kind "conv" is taken'),
        (refused(kind="relu"), 'operator Fresh: the kind "relu" is taken'),
        (refused(kind="reduction"), 'operator Fresh: the kind "reduction" is taken'),
        (refused(kind="a b"), "operator Fresh: its kind 'a b' is not an identifier"),
        (refused(kind=None), "operator Fresh: its kind None is not an identifier"),
        (refused(counted="pool"),
         'operator Fresh: counted as "pool", which is not a kind of operator'),
        (refused(saved="all operand"),
         "operator Fresh: saved ['all'] is none of intermediate, operand, result"),
        (refused(__annotations__={"size": int}, size=1),
         "operator Fresh: its module needs: from __future__ import annotations"),
        (refused(counted=5), "operator Fresh: its counted 5 is not a str"),
        (refused(saved=["operand"]),
         "operator Fresh: its saved ['operand'] is not a str"),
        (refused(is_layer="yes"), "operator Fresh: its is_layer 'yes' is not a bool"),
        (refused(__annotations__={"extra": "float"}, extra=1.5),
         "operator Fresh: its field extra is a float; costs are exact"),
        (refused(view=True),
         "operator Fresh: it is a view, and how views lie in memory is known of ours "
         "alone"),
        (op.Conv, 'operator Conv: the kind "conv" is taken'),
    ],
)  # fmt: skip
def test_what_is_no_new_operator_is_refused(operator: type, problem: str) -> None:
    before = dict(op.OPERATORS)
    with pytest.raises(CostModelError) as raised:
        op.register_operator(operator)
    assert str(raised.value) == problem
    assert before == op.OPERATORS


def offered(folder: Path, group: str, value: str, code: str) -> None:
    """Write a package that names something under an entry-point group."""
    (folder / "broken.py").write_text(code, encoding="utf-8")
    write_metadata(folder, "added", {group: {"ours": value}})


@pytest.mark.parametrize(
    ("code", "value", "problem"),
    [
        ("raise RuntimeError('no\\nreason')", "broken", "RuntimeError: no; mend"),
        ("raise SystemExit(7)", "broken", "SystemExit: 7; mend"),
        ("", "missing", "ModuleNotFoundError: No module named 'missing'; mend"),
        ("", "broken:nothing", "AttributeError: module 'broken' has no attribute"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str, problem: str
) -> None:
    offered(tmp_path, "costmodel.some", value, code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CostModelError) as raised:
        import_all("costmodel.some")
    sys.modules.pop("broken", None)
    said = f'added: its entry point "ours = {value}" of costmodel.some fails with '
    assert str(raised.value).startswith(said + problem)


@pytest.mark.parametrize("group", ["operators", "architectures"])
def test_the_command_line_says_so_in_one_line(tmp_path: Path, group: str) -> None:
    offered(tmp_path, f"costmodel.{group}", "broken", "1 / 0")
    run = subprocess.run(
        [sys.executable, "-m", "costmodel", "show", "lenet5"], cwd=tmp_path,
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (4, "")
    assert run.stderr.splitlines() == [
        f'costmodel: added: its entry point "ours = broken" of costmodel.{group} fails '
        "with ZeroDivisionError: division by zero; mend or remove it"
    ]


ONE = Tally(add=1)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"tally": 3}, "tally 3 is not a tally"),
        ({"tally": ONE, "options": 3}, "options 3 is not a mapping"),
        ({"tally": ONE, "torch": 3}, "torch 3 is not a str"),
        ({"tally": ONE, "saved": 5}, "saved 5 is not a str"),
        ({"tally": ONE, "in_place": 1}, "in_place 1 is not a bool"),
        ({"tally": Tally(add=-5)}, "operations are counted from 0"),
        ({"tally": Tally(add=cm.H)}, "operations are counted from 0"),
        ({"tally": Tally(mac=1)}, "a function of each element accumulates nothing"),
        ({"tally": ONE, "counted": "conv"}, "counted conv is none of elementwise"),
        ({"tally": ONE, "runtime": "relu bogus"}, "runtime bogus is none of clamp"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(
    columns: dict[str, object], problem: str
) -> None:
    before = dict(op.FUNCTIONS)
    with pytest.raises(CostModelError, match=problem):
        op.register_function("zz", op.Function(**columns))  # type: ignore[arg-type]
    assert before == op.FUNCTIONS


@pytest.mark.parametrize(("name", "row"), [(3, op.FUNCTIONS["relu"]), ("zz", 3)])
def test_only_a_row_under_a_name_is_registered(name: object, row: object) -> None:
    with pytest.raises(CostModelError, match=r"is not an identifier|is not a Function"):
        op.register_function(name, row)  # type: ignore[arg-type]


def test_what_is_counted_as_something_unlike_it_is_an_error() -> None:
    net = network(apply(Twice, [image(3, 4, 4)], None), batch=1)
    assert cm.cost(net).flops("torch") == 0
    message = "^twice: counted as \"batch_norm\", but it has no 'affine' to count "
    with pytest.raises(CostModelError, match=message):
        cm.cost(net).flops("fvcore")


def test_what_saves_nobody_knows_what_is_an_error() -> None:
    net = network(apply(Twice, [image(3, 4, 4)], None), batch=1)
    x = net.inputs[0].output
    from costmodel.analysis.memory.autograd_saved import Call, saved_by

    call = Call(Twice(), (x,), x, (True,), learns=False)
    with pytest.raises(CostModelError, match=r"^twice: what it saves for backward is"):
        saved_by(call)


@final
@dataclass(frozen=True, slots=True)
class Weighed(Doubled):
    """An operator that multiplies and accumulates, counted as one that does not."""

    kind: ClassVar[str] = "weighed"

    def tally(self, output: Shape, *inputs: Shape) -> Tally:  # noqa: ARG002
        """Return a multiply–accumulate an element."""
        return Tally(mac=output.numel)


def test_every_operation_is_counted_whatever_it_is_counted_as() -> None:
    net = network(apply(Weighed, [image(3, 4, 4)], None), batch=1)
    assert cm.cost(net).flops("all") == 2 * cm.cost(net).macs == 2 * 48


def test_the_guide_shows_this_very_package() -> None:
    guide = (ROOT / "docs" / "adding-an-operator.md").read_text(encoding="utf-8")
    shown = set(code(guide))
    assert set(code(OPERATOR)) | set(code(MODULE)) <= shown
