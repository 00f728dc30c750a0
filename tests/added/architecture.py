"""What holds of a network that a package added, with its own function and operator.

Run in an interpreter that has the package: its entry points alone make it known.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import costmodel as cm
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.bridge.oracles.checks import check as counted
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.cli import main
from costmodel.network.graph import Network
from costmodel.runtime.predict.warnings import MOST_UNMODELLED
from tests.bridge.test_memory_snapshot import check, check_saved


NAME = "smoothnet"


def small() -> Network:
    return cm.load(NAME, resolution=12, batch=2)


def ran(*arguments: object) -> str:
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_is_known_with_its_function_and_its_operator() -> None:
    assert cm.architectures()[NAME].family == NAME
    kinds = {node.operator.kind for node in cm.load(NAME).nodes}
    assert {"sinc", "l2_pool"} <= kinds
    assert ("alexnet", NAME) in cm.lineage().edges


def test_it_costs_what_the_guide_prints_and_what_oracles_count() -> None:
    net = cm.load(NAME, resolution=64, batch=1)
    # A 3×3 convolution of 32×32 positions, its normalization, ten outputs.
    assert cm.cost(net).macs == 32 * 32 * 16 * 27 + 16 * 10
    assert cm.cost(net).parameters == 16 * 27 + 2 * 16 + 16 * 10 + 10
    assert all(one.agrees for one in counted(net))
    assert "agrees" in ran("verify", NAME)


def test_its_cost_is_a_law_of_its_width() -> None:
    k = cm.symbol("k")
    law = cm.cost(cm.load(NAME, width=k)).parameters
    assert law == 27 * k + 2 * k + 10 * k + 10
    wide = cm.widen(cm.load(NAME), 2)
    assert cm.cost(wide).parameters == law.subs(k, 32)
    assert cm.largest(law, k, budget=1000).value == 25


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_counts_it(name: str) -> None:
    account = cm.reconcile(small())[name]
    assert account.total == cm.cost(small()).flops(name)


@pytest.mark.parametrize("training", [False, True])
def test_its_memory_is_what_pytorch_holds(*, training: bool) -> None:
    check(small(), training=training, in_place=False, dtype="float32")
    if training:
        check_saved(small(), in_place=False, dtype="float32")
        assert cm.training_cost(small()).backward_weight > 0


def test_what_its_positions_see_is_what_gradients_say() -> None:
    (pool,) = (n.name for n in small().nodes if n.operator.kind == "l2_pool")
    found = support(small(), pool, (1, 1))
    assert (found == gradient_support(small(), pool, (1, 1)).numpy()).all()
    assert cm.receptive_field(cm.load(NAME)).of(pool).size == (7, 7)
    assert cm.input_sizes(cm.load(NAME))[0].smallest == 1


def test_it_compiles_is_written_and_is_traced_back() -> None:
    net = cm.load(NAME)
    module = cm.compile(net)
    assert module(torch.rand(2, 3, 12, 9)).shape == (2, 10)
    assert Network.from_json(net.to_json()) == net
    traced = cm.trace(module)
    for name in ("macs", "parameters", "activations"):
        assert getattr(cm.cost(traced), name) == getattr(cm.cost(net), name)


def test_its_seconds_are_predicted_with_what_is_guessed() -> None:
    for profile in cm.profiles().values():
        prediction = cm.predict(small(), profile)
        assert 0 < float(prediction) < 1
        share = float(prediction.unmodelled_share)
        is_said = any("l2_pool" in said for said in prediction.warnings)
        assert share > 0
        assert is_said == (share > MOST_UNMODELLED)


def test_reports_and_commands_tell_of_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    ran("report", NAME, "lenet5", "--no-oracles", "-o", site)
    page = (site / "architectures" / f"{NAME}.html").read_text(encoding="utf-8")
    assert "l2_pool" in page
    assert "Table 1" in page
    index = json.loads((site / "data" / "index.json").read_text(encoding="utf-8"))
    assert NAME in {one["name"] for one in index["networks"]}
    for command in ("show", "formula", "analyze", "field", "memory", "sizes"):
        ran(command, NAME)
    assert NAME in ran("list")
    assert ran("formula", NAME, "--symbols", "width", "--metric", "parameters")
