"""Commands that ask formulas, and put networks side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import sympy
from click.testing import CliRunner, Result

import costmodel as cm
from costmodel.algebra.symbols import alpha
from costmodel.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def parsed(*arguments: str) -> dict[str, Any]:
    """Run a command with --json, and return its object."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["schema"] == f"costmodel.{arguments[0]}/1"
    return found


def lines(*arguments: str) -> list[list[str]]:
    """Return the words of every line that a command prints."""
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.split() for line in result.stdout.splitlines()]


def test_largest_prints_the_width_and_the_next_one() -> None:
    asked = ("largest", "mobilenet_v1", "--symbol", "width", "--budget", "300M")
    assert lines(*asked)[2:] == [
        ["23/32", "299,724,592", "largest"],
        ["3/4", "325,400,448", "next", "above"],
    ]
    found = parsed(*asked)
    assert (found["value"], found["cost"]) == ("23/32", 299724592)
    assert (found["beyond"], found["beyond_cost"]) == ("3/4", 325400448)
    assert found["budget"] == 300_000_000
    assert found["same_between"] is None


@pytest.mark.parametrize(
    ("name", "settings"), [("vgg16", []), ("resnext50_32x4d", ["--set", "classes=10"])]
)
def test_largest_gives_widths_that_build(name: str, settings: list[str]) -> None:
    found = parsed("largest", name, "--symbol", "width", "--metric", "activations",
                   "--budget", "4M", *settings)  # fmt: skip
    options = dict(setting.split("=") for setting in settings[1::2])
    net = cm.load(name, width=found["value"], resolution=224, batch=1, **options)
    assert cm.cost(net).activations == found["cost"] <= 4_000_000


def test_plateaus_say_how_far_they_go() -> None:
    asked = ("largest", "mobilenet_v2", "--symbol", "width", "--budget", "300M")
    words = ["largest;", "the", "same", "between", "39/40", "and", "79/80"]
    assert lines(*asked)[2] == ["39/40", "299,896,192", *words]
    assert parsed(*asked)["same_between"] == ["39/40", "79/80"]
    assert parsed(*asked, "--step", "0.05")["value"] == "19/20"


def test_sizes_and_batches_are_asked_like_options() -> None:
    found = parsed("largest", "resnet50", "--symbol", "resolution", "--budget", "4.2G")
    assert (found["value"], found["beyond"]) == (224, 225)
    words = lines("smallest", "resnet50", "--symbol", "batch", "--goal", "1T")
    assert words[2:] == [
        ["260", "1,003,073,044,480", "smallest"],
        ["259", "999,215,071,232", "next", "below"],
    ]
    found = parsed("smallest", "resnet50", "--symbol", "batch", "--goal", "1")
    assert (found["value"], found["beyond"], found["beyond_cost"]) == (1, None, None)


def test_what_does_not_rise_is_tried_up_to_a_value() -> None:
    found = parsed("smallest", "se_resnet50", "--symbol", "reduction", "--metric",
                   "parameters", "--goal", "27M", "--upto", "30")  # fmt: skip
    assert found["value"] == 1


def test_elasticity_is_a_formula() -> None:
    asked = ("elasticity", "mobilenet_v1", "--symbol", "width")
    law = "(2107392*alpha + 57125)/(1053696*alpha + 57125)"
    assert run(*asked).stdout == f"elasticity of macs in width = {law}\n"
    assert parsed(*asked)["elasticity"] == law


def test_shares_are_percentages_and_exact_in_json() -> None:
    asked = ("share", "resnet50", "--metric", "parameters", "--depth", "1")
    rows = lines(*asked)[2:]
    assert rows[-2] == ["stage4", "14,964,736", "58.55", "%"]
    shares = [sympy.Rational(str(row[2])) for row in parsed(*asked)["rows"]]
    assert sum(shares) == 1
    kinds = [row[0] for row in parsed("share", "resnet50", "--by", "operator")["rows"]]
    assert kinds == ["conv", "linear"]


def test_shares_say_what_dominates_where() -> None:
    rows = lines("share", "resnet50", "--depth", "1", "--symbol", "width")[2:]
    assert rows == [["stem", "0", "49/576"], ["stage3", "49/576", "oo"]]


def test_compare_divides_the_first_by_the_second() -> None:
    result = run("compare", "resnet50", "mobilenet_v1")
    assert (
        result.stdout == "macs of resnet50 / mobilenet_v1 = 7535104/1110821 = 6.783\n"
    )
    result = run("compare", "vgg16", "vgg16")
    assert result.stdout == "macs of vgg16 / vgg16 = 1\n"


def test_compare_says_where_both_cost_the_same() -> None:
    asked = ("compare", "densenet121", "mobilenet_v1", "--symbol", "width")
    crossing = "-57125/2107392 + sqrt(23334082083673)/2107392"
    last = run(*asked).stdout.splitlines()[-1]
    assert last == f"equal at width = {crossing} ≈ 2.265"
    assert parsed(*asked)["crossovers"] == [crossing]
    result = run("compare", "resnet50", "mobilenet_v1", "--symbol", "width")
    assert result.stdout.splitlines()[-1] == "nowhere equal"
    law = cm.cost(cm.load("mobilenet_v1", width=alpha, resolution=224, batch=1)).macs
    net = cm.cost(cm.load("densenet121", resolution=224, batch=1))
    assert sympy.expand(law.subs(alpha, sympy.sympify(crossing)) - net.macs) == 0


def test_networks_of_two_sizes_are_compared_at_the_larger_one() -> None:
    result = run("compare", "inception_v3", "vgg16")
    assert result.stderr == "both at 299, the resolution of inception_v3\n"
    assert result.stdout.startswith("macs of inception_v3 / vgg16 = ")
    there, back = (
        parsed("diff", *pair)["total"]["macs"]
        for pair in (("inception_v3", "vgg16"), ("vgg16", "inception_v3"))
    )
    assert there == -back
    assert run("compare", "inception_v3", "vgg16", "--resolution", "224").stderr == ""


def test_diff_shows_what_a_gate_adds_to_every_block() -> None:
    asked = ("diff", "resnet50", "se_resnet50", "--set", "reduction=r")
    rows = lines(*asked)[2:]
    assert rows[0][:3] == ["stage1.block1", "×3", "512*floor(256/r)"]
    found = parsed(*asked)
    assert [row["count"] for row in found["rows"]] == [3, 4, 6, 3]
    assert found["total"]["parameters"] == found["total"]["macs"]


def test_diff_sets_options_of_one_side() -> None:
    rows = lines("diff", "resnet50", "resnet50", "--second", "variant=torchvision")[2:]
    assert rows == [
        ["stage2.block1", "0", "+77,070,336", "+301,056"],
        ["stage3.block1", "0", "+77,070,336", "+150,528"],
        ["stage4.block1", "0", "+77,070,336", "+75,264"],
        ["total", "0", "+231,211,008", "+526,848"],
    ]
    back = parsed("diff", "resnet50", "resnet50", "--first", "variant=torchvision")
    assert back["total"] == {
        "parameters": 0,
        "macs": -231211008,
        "activations": -526848,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["largest", "vgg16", "--symbol", "width"], 2, "Missing option '--budget'"),
        (["largest", "vgg16", "--budget", "3"], 2, "Missing option '--symbol'"),
        (["largest", "vgg16", "--symbol", "height", "--budget", "3"], 4,
         'vgg16: "height" cannot be a symbol'),
        (["largest", "vgg16", "--symbol", "channels", "--budget", "3"], 4,
         'vgg16: "channels" is several numbers, c1, c2, c3, c4, c5'),
        (["largest", "vgg16", "--symbol", "width", "--budget", "3"], 4,
         "largest: over the budget 3 from the start: 27559168 at alpha = 1/64"),
        (["largest", "vgg16", "--symbol", "width", "--budget", "0.3K"], 4,
         "largest: over the budget 300 from the start"),
        (["largest", "vgg16", "--symbol", "width", "--budget", "0.0003K"], 4,
         "budget 3/10 is not a whole number"),
        (["largest", "vgg16", "--symbol", "width", "--budget", "many"], 4,
         'budget "many"'),
        (["largest", "vgg16", "--symbol", "resolution", "--resolution", "9",
          "--budget", "3"], 2, "--symbol resolution and --resolution do not go"),
        (["largest", "vgg16", "--symbol", "width", "--set", "width=1",
          "--budget", "3"], 2, "--symbol width and --set width=1 do not go together"),
        (["share", "lenet5", "--metric", "flops"], 4, 'unknown metric "flops"'),
        (["compare", "lenet5"], 2, "Missing argument 'SECOND'"),
        (["diff", "lenet5", "lenet"], 4, 'unknown architecture "lenet"'),
        (["diff", "resnet50", "vgg16", "--set", "widht=2"], 4,
         'resnet50: unknown option "widht"'),
        (["diff", "resnet50", "vgg16", "--second", "shortcut=A"], 4,
         'vgg16: unknown option "shortcut"'),
    ],
)  # fmt: skip
def test_wrong_input_is_one_clear_line(
    arguments: Sequence[str], code: int, message: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_settings_are_for_the_networks_that_know_them() -> None:
    both = run("compare", "resnet50", "vgg16", "--set", "shortcut=A").stdout
    alone = run("compare", "resnet50", "vgg16", "--first", "shortcut=A").stdout
    assert both == alone


@pytest.mark.parametrize(
    "arguments",
    [
        "largest lenet5 --symbol batch --budget 1G",
        "share lenet5",
        "elasticity lenet5 --symbol batch",
        "compare lenet5 alexnet",
        "diff lenet5 alexnet",
    ],
)
def test_asking_needs_no_torch(arguments: str) -> None:
    code = (
        "import sys\n"
        "from costmodel.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.split()[-1]) == (0, "False")
