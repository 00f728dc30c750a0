"""What holds of an operator that a package added by its class; it is ``l2_pool``.

Run in an interpreter that has the package: its entry points alone make the class and
its module known.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import costmodel as cm
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.bridge.oracles import executed_shapes, flop_counter_macs
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import (
    avg_pool,
    batch_norm,
    conv,
    global_average_pool,
    image,
    linear,
    network,
    relu,
    volume,
)
from costmodel.network.building.builder import Value, apply, sample
from costmodel.network.graph import Network
from costmodel.network.shape import Extent, Shape
from tests.bridge.test_memory_snapshot import check, check_saved


# Looked for examples, this file is imported where nobody has the package.
L2: Any = op.operators().get("l2_pool")
LIKE = {"kernel": 3, "stride": 2, "padding": 1}


def l2_pool(x: Value, kernel: int, stride: int, padding: int) -> Value:
    """Append the operator by a verb, as its package would have one."""
    axes = len(x.shape.spatial)
    return apply(L2, [x], None, *((n,) * axes for n in (kernel, stride, padding)))


def built(pool: Callable[..., Value] = l2_pool, channels: int = 8) -> Network:
    """Return a network that has the pooling, of any size."""
    x = relu(batch_norm(conv(image(), channels, kernel=3)))
    x = conv(pool(x, **LIKE), 4, kernel=3)
    return network(linear(global_average_pool(x), 10), name="with_l2")


def small(pool: Callable[..., Value] = l2_pool) -> Network:
    return built(pool).bind(N=2, H=9, W=8)


# 8 maps of ⌊(9 + 2 − 3)/2⌋ + 1 by ⌊(8 + 2 − 3)/2⌋ + 1 positions.
OUTPUTS = 8 * 5 * 4


def test_importing_it_imports_no_torch() -> None:
    code = (
        "import sys, costmodel as cm; from costmodel.network import operators as op; "
        "op.operators()['l2_pool']; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout.strip() == b"False"


def test_it_costs_what_its_class_says() -> None:
    tally = cm.cost(small()).of("l2_pool1").tally
    assert (tally.mac, tally.compare, tally.div) == (0, 0, 0)
    assert (tally.mul, tally.add, tally.exp) == (
        2 * 9 * OUTPUTS, 2 * 8 * OUTPUTS, 2 * OUTPUTS
    )  # fmt: skip
    symbolic = cm.cost(built()).of("l2_pool1").tally.mul
    assert symbolic.subs({cm.N: 2, cm.H: 9, cm.W: 8}).doit() == tally.mul


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_counts_it_as_its_class_says(name: str) -> None:
    ours, known = (cm.cost(small(p)).flops(name) for p in (l2_pool, avg_pool))
    # A mean takes k² − 1 additions and a division; this, k² products and a root.
    assert ours - known == (9 * 2 * OUTPUTS if name == "all" else 0)
    assert "l2_pool" not in CONVENTIONS[name].by_kind


def test_it_sees_what_a_mean_of_its_window_sees() -> None:
    field, known = (cm.receptive_field(built(p)) for p in (l2_pool, avg_pool))
    assert replace(field.of("l2_pool1"), name="") == replace(
        known.of("avg_pool1"), name=""
    )
    assert field.of("l2_pool1").size == (5, 5)
    found = support(small(), "conv2", (1, 1))
    assert (found == gradient_support(small(), "conv2", (1, 1)).numpy()).all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_its_memory_is_what_pytorch_holds(*, training: bool, in_place: bool) -> None:
    check(small(), training=training, in_place=in_place, dtype="float32")
    if training:
        check_saved(small(), in_place=in_place, dtype="float32")


def test_a_training_step_multiplies_nothing_more() -> None:
    ours, known = (cm.training_cost(small(p)) for p in (l2_pool, avg_pool))
    assert ours.forward == known.forward
    assert ours.backward_input == known.backward_input
    assert ours.backward_weight == known.backward_weight


def test_it_widens_and_takes_the_sizes_that_fit() -> None:
    wide = cm.widen(built(), 2)
    assert wide["l2_pool1"].output.channels == 16
    assert cm.input_sizes(built()) == cm.input_sizes(built(avg_pool))
    assert built().smallest(cm.H) == built(avg_pool).smallest(cm.H)


def test_its_seconds_are_a_guess_and_said_to_be() -> None:
    for profile in cm.profiles().values():
        rows = {row.name: row for row in cm.predict(small(), profile).rows}
        assert not rows["l2_pool1"].is_modelled
        assert rows["conv2"].is_modelled


@pytest.mark.parametrize(("axes", "start"), [
    (1, lambda: sample(Shape(3, (Extent(9),)))),
    (2, lambda: image(3, 9, 8)),
    (3, lambda: volume(3, 9, 8, 7)),
])  # fmt: skip
def test_it_compiles_and_runs_along_any_axes(
    axes: int, start: Callable[[], Value]
) -> None:
    net = network(l2_pool(start(), **LIKE), batch=2)
    x = torch.rand(2, *net.inputs[0].output.sizes)
    made = cm.compile(net)(x)
    assert tuple(made.shape) == (2, *net["l2_pool1"].output.sizes)
    each = torch.nn.functional.pad(x, (1, 1) * axes)[(0, 0, *[slice(3)] * axes)]
    assert math.isclose(made[0, 0].flatten()[0], each.norm(), rel_tol=1e-6)


def test_pytorch_agrees_on_shapes_and_counts() -> None:
    net = small()
    module = cm.compile(net, device="meta")
    shapes = executed_shapes(module, (2, 3, 9, 8))
    assert shapes == {node.name: (2, *node.output.sizes) for node in net.nodes}
    counted = flop_counter_macs(module, (2, 3, 9, 8))
    assert sum(counted.values()) == cm.cost(net).macs


def test_it_is_written_and_read() -> None:
    assert Network.from_json(built().to_json()) == built()
    code = (
        "import sys; from costmodel.network.graph import Network; "
        "print(Network.from_json(sys.stdin.read())['l2_pool1'].operator.kernel)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=built().to_json().encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == b"(3, 3)"


def test_tracing_finds_it() -> None:
    net = cm.trace(cm.compile(built()))
    assert net["l2_pool1.l2_pool"].operator == built()["l2_pool1"].operator
    assert cm.cost(net).flops("all") == cm.cost(built()).flops("all")
    alone = type(cm.compile(built()).l2_pool1)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), alone(L2((2, 2), (2, 2))))
    found = cm.trace(layers).nodes[-1]
    assert found.operator == L2((2, 2), (2, 2))


def test_reports_and_the_command_line_tell_of_it(tmp_path: Path) -> None:
    file = tmp_path / "with_l2.json"
    file.write_text(built().to_json(), encoding="utf-8")
    arguments = ["report", str(file), "-o", str(tmp_path / "site")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    pages = (tmp_path / "site").rglob("*.html")
    assert any("l2_pool1" in page.read_text(encoding="utf-8") for page in pages)
    for command in ("analyze", "field", "memory"):
        given = [command, str(file)]
        result = CliRunner().invoke(main, given)
        assert result.exit_code == 0, (command, result.output)
        assert "l2_pool1" in result.output or command == "memory"


def test_an_account_adds_up_to_each_tools_number() -> None:
    for account in cm.reconcile(small()):
        assert account.total == cm.cost(small()).flops(account.convention.name)


def test_what_was_published_is_still_verified() -> None:
    result = CliRunner().invoke(main, ["verify", "lenet5"])
    assert result.exit_code == 0, result.output


def test_a_module_is_registered_once() -> None:
    from costmodel.bridge import register_module

    module = type(cm.compile(built()).l2_pool1)
    with pytest.raises(CostModelError, match=r"^l2_pool: it has a module already$"):
        register_module(L2, module, module, read=lambda m: m.layer)
    with pytest.raises(CostModelError, match=r" is not a registered operator$"):
        register_module(op.Operator, module, module, read=lambda m: m.layer)
