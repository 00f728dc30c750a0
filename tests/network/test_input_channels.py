"""Every registered network takes the channels of its image: numbers and symbols.

The laws of every architecture are in ``tests/model_zoo/test_input_channels.py``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import sympy
from click.testing import CliRunner, Result
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import Dim, alpha, symbol
from costmodel.analysis.evidence.printed import verify
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network.build import Value, add, conv
from costmodel.network.registry import architecture, find, load
from costmodel.network.registry.options import RESERVED


C = symbol("C")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_first_layers_weights_by_hand() -> None:
    # 64 maps of 7·7 for each channel; nothing else of ResNet sees the image
    law = cm.cost(load("resnet50", input_channels=C)).parameters
    assert law.coeff(C) == 64 * 7 * 7
    assert cm.cost(load("resnet50", input_channels=1)).parameters == 25557032 - 2 * 3136
    assert load("lenet5").inputs[0].output.channels == 1


def test_it_goes_with_other_options_and_ties_to_their_symbols() -> None:
    net = load("mobilenet_v1", input_channels="3*alpha", width=alpha)
    assert net.free_symbols == {cm.N, cm.H, cm.W, alpha}
    assert net.bind(alpha=1) == load("mobilenet_v1")


def test_it_is_written_and_read_back() -> None:
    net = load("resnet18", input_channels=C)
    assert net == cm.Network.from_json(net.to_json())


def test_printed_figures_are_those_of_the_default() -> None:
    @architecture(
        paper="none",
        year=2000,
        resolution=8,
        input_channels=2,
        published="""
            input_channels  parameters  source
            -               76          Table 1
            5               188         Table 2
        """,
    )
    def tiny(x: Value) -> Value:
        """Tiny: one convolution."""
        return conv(x, 4, kernel=3)

    # 4·2·9 + 4 = 76 and 4·5·9 + 4 = 184
    verdicts = list(verify([find("tiny")]))
    assert [(verdict.computed, verdict.outcome) for verdict in verdicts] == [
        (76, "agrees"),
        (184, "unexplained"),
    ]


@pytest.mark.parametrize(
    ("problem", "channels"),
    [
        ("option input_channels = 0 is not positive", 0),
        ("option input_channels = -1 is not positive", -1),
        ("option input_channels = 3/2 is not a whole number", 1.5),
        ("option input_channels = 3/2 is not a whole number", "3/2"),
        (
            "option input_channels = C + 1/2 is not a whole number",
            C + sympy.Rational(1, 2),
        ),
        ("option input_channels nan is not a finite number", float("nan")),
        ("option input_channels True is not a number", True),
        ("option input_channels = N: N, H and W are batch and input size", "N"),
        ("option input_channels = 2*W: N, H and W are batch and input size", "2*W"),
        (
            'option input_channels "abc": "abc" is neither a number nor a symbol; '
            "a symbol is one letter, or a Greek one such as alpha",
            "abc",
        ),
    ],
)
def test_what_no_image_has_is_refused(problem: str, channels: object) -> None:
    with pytest.raises(CostModelError) as caught:
        load("resnet50", input_channels=channels)
    assert f"resnet50: {problem}" == str(caught.value)


def test_a_structure_that_needs_another_image_says_so() -> None:
    @architecture(paper="none", year=2000, resolution=8)
    def denoiser(x: Value, *, width: Dim = 1) -> Value:
        """Denoiser: adds to the image itself."""
        return add(x, conv(conv(x, 8 * width, kernel=3), 3, kernel=3))

    assert load("denoiser", input_channels=3) == load("denoiser")
    for options, told in (
        ({"input_channels": 1}, "input_channels = 1"),
        ({"input_channels": C}, "input_channels = C"),
        ({"input_channels": 1, "width": "1/8"}, "input_channels = 1, width = 1/8"),
    ):
        where = f'denoiser, {told}: add at "add1": '
        problem = f"{where}operands differ: {options['input_channels']}×H×W and 3×H×W"
        with pytest.raises(CostModelError, match=f"^{re.escape(problem)}"):
            load("denoiser", **options)


@pytest.mark.parametrize("name", RESERVED)
def test_no_function_takes_what_every_network_has(name: str) -> None:
    register = architecture(paper="none", year=2000, resolution=8)
    taken: dict[str, Any] = {}
    exec(f"def own(x, *, {name}: int = 1): return x", taken)  # noqa: S102
    problem = f"own: {name} is not a keyword of its own, `load` takes it"
    with pytest.raises(CostModelError, match=f"^{re.escape(problem)}"):
        register(taken["own"])


def test_no_member_presets_it_and_a_default_is_a_number_of_channels() -> None:
    def own(x: Value) -> Value:
        """Own: nothing."""
        return x

    given: dict[str, Any] = {"paper": "none", "year": 2000, "resolution": 8}
    with pytest.raises(CostModelError, match=r"^own: input_channels is not a keyword"):
        architecture(**given, members={"own1": {"input_channels": 1}})(own)
    for default in (0, -1, 1.0, True, C):
        with pytest.raises(CostModelError, match=r"is not a positive integer$"):
            architecture(**given, input_channels=default)(own)


def test_the_command_line_takes_it_as_any_option() -> None:
    shown = run("show", "resnet18", "--set", "input_channels=1", "--json")
    told = json.loads(shown.stdout)
    assert told["options"]["input_channels"] == 1
    assert told["totals"]["parameters"] == 11689512 - 2 * 3136
    law = run("formula", "resnet18", "--metric", "parameters", "--symbols",
              "repeats,input_channels")  # fmt: skip
    assert "3136*input_channels" in law.stdout
    side = run("show", "resnet18", "--set", "input_channels=C", "--input", "Cx64x64")
    assert "input C×64×64" in side.stdout
    known = json.loads(run("list", "--family", "lenet5", "--json").stdout)
    assert "input_channels" in known["architectures"][0]["options"]
    assert "input_channels" in run("list", "--help").stdout
    assert "input_channels" in run("show", "--help").stdout


def test_a_sample_of_other_channels_says_how_to_ask_for_it() -> None:
    result = run("show", "resnet18", "--input", "1x64x64")
    assert result.exit_code == 4
    assert result.stderr.strip() == (
        "costmodel: resnet18: its input is 3×height×width, not 1×64×64; "
        "--set input_channels=1 makes it so"
    )
    assert run("show", "resnet18", "--set", "input_channels=1",
               "--input", "1x64x64").exit_code == 0  # fmt: skip


def test_two_networks_are_compared_at_other_images() -> None:
    result = run(
        "diff", "resnet18", "resnet18", "--second", "input_channels=1", "--json"
    )
    assert json.loads(result.stdout)["total"]["parameters"] == -2 * 3136


def test_a_users_own_network_is_as_it_was() -> None:
    module = nn.Conv2d(5, 2, 3)
    assert cm.trace(module, (5, 8, 8)).inputs[0].output.channels == 5
