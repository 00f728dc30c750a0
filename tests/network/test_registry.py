"""Networks by name: exact options, symbols, and errors that suggest what was meant."""

import re
from fractions import Fraction
from typing import Any

import pytest
import sympy

import costmodel as cm
from costmodel.algebra.symbols import H, M, N, W, alpha, symbol
from costmodel.errors import CostModelError
from costmodel.network.build import Value, conv, relu
from costmodel.network.registry import architecture, find, load


def check(problem: str, name: str, **options: Any) -> None:
    with pytest.raises(CostModelError) as caught:
        load(name, **options)
    assert problem == str(caught.value)


def test_a_network_is_symbolic_until_it_is_bound() -> None:
    assert {N, H, W} == load("resnet18").free_symbols
    assert {N} == load("resnet18", resolution=224).free_symbols
    assert set() == load("resnet18", resolution=(224, 160), batch=8).free_symbols
    assert {N, M, alpha} == load(
        "mobilenet_v1", width=alpha, resolution=32 * M
    ).free_symbols


@pytest.mark.parametrize(
    "half", [0.5, "0.5", "1/2", Fraction(1, 2), sympy.Rational(1, 2)]
)
def test_the_same_number_is_the_same_network(half: object) -> None:
    net = load("mobilenet_v1", width=half)
    assert load("mobilenet_v1", width=alpha).bind(alpha="1/2") == net


@pytest.mark.parametrize("side", [224, "224", 224.0, (224, 224), ("224", 224.0)])
def test_the_same_resolution_is_the_same_network(side: object) -> None:
    assert load("lenet5", resolution=224) == load("lenet5", resolution=side)


def test_a_resolution_is_height_by_width() -> None:
    net = load("lenet5", resolution=(40, 32))
    assert net["input"].output.sizes == (1, 40, 32)


def test_symbols_may_be_written() -> None:
    net = load("vgg11", width="alpha", classes="C", resolution="32*M", batch="N")
    assert {N, M, alpha, symbol("C")} == net.free_symbols
    assert load("vgg11", width=alpha, classes=symbol("C"), resolution=32 * M) == net


def test_members_of_a_family_preset_its_keywords() -> None:
    assert "resnet" == find("resnet18").family == find("plain34").family
    known = {"repeats", "shortcut", "variant", "channels", "width", "classes"}
    known |= {"input_channels"}
    assert known == set(find("resnet18").options)
    assert known - {"shortcut", "variant"} == set(find("plain18").options)
    with pytest.raises(CostModelError, match=r'plain34: unknown option "shortcut"'):
        load("plain34", shortcut="B")


def test_architectures_are_in_order_of_their_years() -> None:
    names = list(cm.architectures())
    years = [cm.architectures()[name].year for name in names]
    assert sorted(years) == years
    assert names[0] == "lenet5"
    assert names.index("resnet18") < names.index("resnet101")


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        ("did you mean resnet50", "resnet5"),
        ("did you mean mobilenet_v2, mobilenet_v1", "MobileNet"),
        ("did you mean vgg16", "vgg-16"),
        ("see `costmodel list`", "zzz"),
        ("see `costmodel list`", ""),
    ],
)
def test_an_unknown_name_suggests_the_nearest(hint: str, name: str) -> None:
    with pytest.raises(CostModelError, match=f'^unknown architecture "{name}"; {hint}'):
        load(name)


OPTIONS = (
    "options are variant, towers, width, hidden, classes, input_channels, resolution, "
    "batch, trained"
)


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (
            f'alexnet: unknown option "widht"; did you mean width? {OPTIONS}',
            {"widht": 1},
        ),
        (f'alexnet: unknown option "zzz"; {OPTIONS}', {"zzz": 1}),
        (
            "alexnet: option variant = 'keras'; allowed are paper, torchvision",
            {"variant": "keras"},
        ),
        ("alexnet: option width = 0 is not positive", {"width": 0}),
        ("alexnet: option width = -1 is not positive", {"width": -1}),
        ("alexnet: option width = -1/2 is not positive", {"width": "-0.5"}),
        ("alexnet: option width nan is not a finite number", {"width": float("nan")}),
        ("alexnet: option width inf is not a finite number", {"width": float("inf")}),
        ("alexnet: option width True is not a number", {"width": True}),
        (
            'alexnet: option width "abc": "abc" is neither a number nor a symbol; '
            "a symbol is one letter, or a Greek one such as alpha",
            {"width": "abc"},
        ),
        (
            'alexnet: option width "nan": "nan" is neither a number nor a symbol; '
            "a symbol is one letter, or a Greek one such as alpha",
            {"width": "nan"},
        ),
        (
            'alexnet: option width "1 2" is not a number or an expression such as 0.5, '
            "3/4, 32*M",
            {"width": "1 2"},
        ),
        (
            "alexnet: option width None is neither an integer nor an "
            "exact expression; a "
            "count is never a float",
            {"width": None},
        ),
        ("alexnet: resolution 0 is not a positive integer", {"resolution": 0}),
        ("alexnet: resolution -3 is not a positive integer", {"resolution": -3}),
        ("alexnet: resolution 1.5 is not a positive integer", {"resolution": 1.5}),
        ("alexnet: resolution True is not a number", {"resolution": True}),
        (
            "alexnet: resolution (1, 2, 3) is no (height, width)",
            {"resolution": (1, 2, 3)},
        ),
        (
            'alexnet: resolution "xyz": "xyz" is neither a number nor a '
            "symbol; a symbol "
            "is one letter, or a Greek one such as alpha",
            {"resolution": "xyz"},
        ),
        (
            'alexnet: H = 66 is too small; max_pool "max_pool3" needs H ≥ 67',
            {"resolution": 66},
        ),
        ("alexnet: batch 0 is not a positive integer", {"batch": 0}),
        ("alexnet: batch 1/2 is not a positive integer", {"batch": "1/2"}),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    problem: str, options: dict[str, Any]
) -> None:
    check(problem, "alexnet", **options)


def test_alexnets_smallest_side_by_hand() -> None:
    # backwards: 1 ← 3 ← 2·(3−1) + 3 = 7 ← 2·(7−1) + 3 = 15 ← 4·(15−1) + 11 = 67
    assert load("alexnet").smallest(H) == (67, "max_pool3")


def test_a_fraction_of_channels_says_which_ones_would_do() -> None:
    with pytest.raises(CostModelError, match=r"has to be a multiple of 1/32 here$"):
        load("mobilenet_v1", width="1/3")


def test_a_name_is_registered_once() -> None:
    register = architecture(paper="none", year=2000, resolution=1)

    def lenet5(x: Value) -> Value:
        return relu(x)

    with pytest.raises(
        CostModelError, match=r'^architecture "lenet5" is registered twice$'
    ):
        register(lenet5)


def test_a_keyword_needs_a_default() -> None:
    def unfinished(x: Value, *, width: int) -> Value:
        return conv(x, width, kernel=1)

    with pytest.raises(CostModelError, match=r"^unfinished: width has no default$"):
        architecture(paper="none", year=2000, resolution=1)(unfinished)


def test_a_stages_widths_are_symbols_or_numbers() -> None:
    stages = find("resnet18").options["channels"].symbol
    assert tuple(map(str, stages)) == ("c1", "c2", "c3", "c4")
    symbolic = load("resnet18", channels=stages, resolution=224, batch=1)
    values = dict(zip(stages, (64, 128, 256, 512), strict=True))
    assert cm.cost(symbolic.bind(values)).macs == 1814073344
    written = load("resnet18", channels="64,128,256,512", resolution=224, batch=1)
    assert cm.cost(written).macs == 1814073344


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("resnet18", {"channels": "8,16"}, "give 4 numbers, such as 64,128,256,512"),
        ("resnet18", {"channels": 8}, "give 4 numbers, such as 64,128,256,512"),
        ("efficientnet_b0", {"depth": "d"}, "it decides which layers there are"),
        ("resnet18", {"width": "W"}, "N, H and W are batch and input size"),
        ("resnet18", {"width": -alpha}, "option width = -alpha is not positive"),
        ("resnet18", {"width": sympy.I}, "I is not a finite real number"),
        ("resnet18", {"width": sympy.nan}, "nan is not a finite real number"),
        ("alexnet", {"variant": "torchvision", "towers": 4}, "has one tower"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    name: str, options: dict[str, object], problem: str
) -> None:
    with pytest.raises(CostModelError, match=re.escape(problem)):
        load(name, **options)
