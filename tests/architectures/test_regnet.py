"""RegNets: the design space against floats, torchvision and the authors' counts."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.algebra.symbols import Rational
from costmodel.errors import CostModelError
from costmodel.network.registry import architectures
from costmodel.zoo.design_space import fit, widths
from tests.zoo import torchvision_models


REGNETS = [name for name, a in architectures().items() if a.family == "regnet"]

# What the authors' code counts: multiply–accumulates, and one more for every bias.
FLOPS = {
    "regnet_x_200mf": 199_040_872, "regnet_x_400mf": 397_678_568,
    "regnet_x_600mf": 600_891_112, "regnet_x_800mf": 799_700_712,
    "regnet_x_1_6gf": 1_602_850_792, "regnet_x_3_2gf": 3_176_622_952,
    "regnet_x_4gf": 3_964_499_816, "regnet_x_6_4gf": 6_460_292_264,
    "regnet_x_8gf": 7_995_133_416, "regnet_x_12gf": 12_086_679_016,
    "regnet_x_16gf": 15_940_756_456, "regnet_x_32gf": 31_735_930_792,
    "regnet_y_200mf": 199_519_076, "regnet_y_400mf": 401_849_056,
    "regnet_y_600mf": 601_227_608, "regnet_y_800mf": 797_183_328,
    "regnet_y_1_6gf": 1_612_087_326, "regnet_y_3_2gf": 3_176_496_162,
    "regnet_y_4gf": 3_973_301_344, "regnet_y_6_4gf": 6_355_221_876,
    "regnet_y_8gf": 7_963_074_196, "regnet_y_12gf": 12_092_395_504,
    "regnet_y_16gf": 15_911_534_044, "regnet_y_32gf": 32_279_583_362,
}  # fmt: skip


@st.composite
def designs(draw: st.DrawFn) -> tuple[int, int, sympy.Rational, sympy.Rational]:
    """Draw blocks, w_0, w_a and w_m from the paper's space (section 4)."""
    hundredths = st.integers(150, 300).map(lambda n: Rational(n, 100))
    slopes = st.integers(800, 25600).map(lambda n: Rational(n, 100))
    blocks, initial = draw(st.integers(1, 64)), 8 * draw(st.integers(1, 32))
    return blocks, initial, draw(slopes), draw(hundredths)


def exponents(design: tuple[int, int, sympy.Rational, sympy.Rational]) -> np.ndarray:
    blocks, initial, slope, factor = design
    line = 1 + np.arange(blocks) * float(slope) / initial
    return np.asarray(np.log(line) / np.log(float(factor)))


def assume_no_tie(
    design: tuple[int, int, sympy.Rational, sympy.Rational], digits: float
) -> None:
    """Floats may go either way where an exponent or a width lies between two."""
    s = exponents(design)
    assume(bool(np.all(np.abs(s % 1 - 0.5) > digits)))
    eighths = design[1] * float(design[3]) ** np.round(s) / 8
    assume(bool(np.all(np.abs(eighths % 1 - 0.5) > digits)))


@given(designs())
def test_exact_widths_are_those_of_floats_where_these_do_not_tie(
    design: tuple[int, int, sympy.Rational, sympy.Rational],
) -> None:
    assume_no_tie(design, 1e-9)
    power = design[1] * float(design[3]) ** np.round(exponents(design))
    sizes, counts = np.unique((np.round(power / 8) * 8).astype(int), return_counts=True)
    assert dict(zip(sizes.tolist(), counts.tolist())) == widths(*design)


@given(designs(), st.integers(1, 32).map(lambda n: 8 * n))
def test_every_design_is_torchvisions(
    design: tuple[int, int, sympy.Rational, sympy.Rational], group: int
) -> None:
    assume_no_tie(design, 1e-4)
    blocks, initial, slope, factor = design
    theirs = torchvision_models().regnet.BlockParams.from_init_params(
        depth=blocks, w_0=initial, w_a=float(slope), w_m=float(factor),
        group_width=group,
    )  # fmt: skip
    found = widths(*design)
    sizes = [fit(size, min(group, size), nearest=False) for size in found]
    assert theirs.depths == list(found.values())
    assert theirs.widths == sizes
    assert theirs.group_widths == [min(group, size) for size in found]


@given(st.integers(1, 500).map(lambda n: 8 * n), st.integers(1, 400))
def test_a_fitted_width_is_divided_by_its_group_width(size: int, group: int) -> None:
    for nearest in (True, False):
        fitted = fit(size, group, nearest=nearest)
        assert fitted % group == 0
        assert fitted >= group
        assert fitted == group or abs(fitted - size) <= group
    assert fit(size, group, nearest=True) in (
        group, group * (size // group), group * (size // group + 1),
    )  # fmt: skip
    assert fit(size, group, nearest=False) >= size * 9 / 10


@pytest.mark.parametrize("name", FLOPS)
def test_with_biases_the_operations_are_those_of_the_authors_to_the_unit(
    name: str,
) -> None:
    net = cm.load(name, resolution=224, batch=1)
    biases = sum(
        int(net.weights_of(node)["bias"].numel)
        for node in net.nodes
        if node.operator.kind in ("conv", "linear") and node.operator.bias
    )
    assert FLOPS[name] == cm.cost(net).macs + biases


def test_every_published_regnet_has_four_stages() -> None:
    for name in REGNETS:
        net = cm.load(name)
        stages = {node.scope[0] for node in net.nodes if len(node.scope) > 1}
        assert stages == {"stage1", "stage2", "stage3", "stage4"}


@pytest.mark.parametrize("variant", ["paper", "torchvision"])
@pytest.mark.parametrize("name", ["regnet_x_400mf", "regnet_y_400mf"])
def test_width_may_stay_a_symbol(name: str, variant: str) -> None:
    options = {"variant": variant, "resolution": 64, "batch": 1}
    symbolic = cm.cost(cm.load(name, width=cm.alpha, **options))
    for width in (1, 2, 3):
        cost = cm.cost(cm.load(name, width=width, **options))
        at = {cm.alpha: width}
        assert cost.parameters == symbolic.parameters.subs(at)
        assert cost.macs == symbolic.macs.subs(at)


def test_the_gates_of_y_cost_two_layers_each() -> None:
    reduction = cm.symbol("r")
    y = cm.cost(cm.load("regnet_y_200mf", reduction=reduction))
    x = cm.cost(cm.load("regnet_x_200mf"))  # of the same design
    net = cm.load("regnet_x_200mf")
    gates = [  # what each block sees, and how wide it is
        (net[node.inputs[0]].output.channels, node.output.channels)
        for node in net.nodes
        if len(node.scope) > 1 and node.name.endswith(".conv1")
    ]
    extra = sum(2 * w * (c / reduction) + c / reduction + w for c, w in gates)
    assert sympy.expand(cm.relax(y.parameters - x.parameters) - extra) == 0


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        ("initial = 20 is not a multiple of 8", {"initial": 20}),
        ("factor = 1 multiplies widths; give more than 1", {"factor": 1}),
        ("option blocks = 0 is not positive", {"blocks": 0}),
        ("option blocks = 5/2 is not a whole number", {"blocks": "5/2"}),
        ("option slope = a: a number is needed", {"slope": cm.symbol("a")}),
        ('unknown option "reduction"', {"reduction": 4}),
        ("option variant = 'pycls'; allowed are paper", {"variant": "pycls"}),
    ],
)
def test_a_design_outside_the_space_is_an_error(
    problem: str, options: dict[str, object]
) -> None:
    with pytest.raises(CostModelError, match=f"^regnet_x_400mf.*: {problem}"):
        cm.load("regnet_x_400mf", **options)
