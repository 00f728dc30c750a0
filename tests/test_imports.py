"""Importing stays light: no torch before the bridge, no sympy before a formula."""

import subprocess
import sys

import pytest

import costmodel as cm


def check(code: str, *absent: str) -> None:
    """Run code in an interpreter of its own; some modules must not be loaded then."""
    ask = f"import sys; {code}; print(*sorted({set(absent)!r} & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr, run.stdout.strip()) == (0, "", "")


def test_importing_costmodel_imports_nothing_heavy() -> None:
    check("import costmodel", "torch", "fvcore", "sympy", "networkx", "numpy", "click")


@pytest.mark.parametrize(
    "code",
    [
        "cm.load('resnet50', width='alpha', resolution=224)",
        "cm.cost(cm.load('mobilenet_v1')).macs",
        "cm.cost(cm.load('lenet5')).by_scope()",
        "cm.load('alexnet').bind(N=1).to_json()",
        "cm.architectures()",
        "cm.lambdify(cm.H**2, [cm.H])",
        "import costmodel.testing",
    ],
)
def test_formulas_need_no_torch(code: str) -> None:
    check(f"import costmodel as cm; {code}", "torch", "fvcore")


def test_costs_do_not_load_what_decides_constraints() -> None:
    check(
        "import costmodel as cm; net = cm.load('mobilenet_v1'); "
        "cm.cost(net).macs, cm.cost(net.bind(N=1, H=224, W=224)).rows",
        "costmodel.network.constraint", "costmodel.algebra.integer_sets.solve",
        "costmodel.algebra.integer_sets.periodic_set",
    )  # fmt: skip


def test_costs_know_no_operator() -> None:
    check(
        "from costmodel.analysis.cost import cost",
        "costmodel.network.operators", "costmodel.network.flow",
    )  # fmt: skip


def test_every_public_name_is_there() -> None:
    for name in cm.__all__:
        assert getattr(cm, name) is not None
    assert set(cm.__all__) <= set(dir(cm))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'costmodel' has no attribute 'flops'"):
        cm.flops  # noqa: B018
