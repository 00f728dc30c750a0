"""What holds of a function that a package added by one row; it is ``sinc``.

Run in an interpreter that has the package: its entry point alone makes the row known.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import costmodel as cm
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.receptive_field.exact_support import support
from costmodel.bridge.oracles import executed_shapes
from costmodel.bridge.oracles.input_gradients import gradient_support
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.build import activation, conv, image, linear, network
from costmodel.network.build import global_average_pool as pooled
from costmodel.network.graph import Network
from costmodel.network.operators import Function, register_function
from tests.bridge.test_memory_snapshot import check, check_saved


def built(function: str = "sinc") -> Network:
    """Return a network that has the function, of any size."""
    x = activation(conv(image(), 8, kernel=3, stride=2), function)
    return network(linear(pooled(conv(x, 4, kernel=1)), 10), name="with_sinc")


def small(function: str = "sinc") -> Network:
    return built(function).bind(N=2, H=9, W=8)


# 8 maps of ⌊(9 + 1)/2⌋ × ⌊(8 + 1)/2⌋ positions.
ELEMENTS = 8 * 5 * 4


def test_it_is_called_as_its_row_is() -> None:
    node = built()["sinc1"]
    assert (node.operator.kind, str(node.operator)) == ("sinc", "sinc")
    row = next(row for row in cm.cost(built()).rows if row.name == "sinc1")
    assert row.kind == "sinc"


def test_it_costs_what_its_row_says() -> None:
    tally = cm.cost(small()).of("sinc1").tally
    assert (tally.exp, tally.mul) == (2 * ELEMENTS, 2 * ELEMENTS)
    assert tally.div == tally.compare == 2 * ELEMENTS


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_counts_it_as_any_function_of_an_element(name: str) -> None:
    def counted(function: str) -> object:
        x = conv(image(3, 9, 8), 8, kernel=3, stride=2)
        net = network(activation(x, function), batch=2)
        return cm.cost(net).flops(name)

    # Four operations an element, as many as tanh has less one.
    known = counted("tanh") if name != "all" else counted("silu") + 2 * ELEMENTS
    assert counted("sinc") == known


def test_it_sees_one_position() -> None:
    field = cm.receptive_field(built())
    assert field.of("sinc1").size == field.of("conv1").size
    found = support(small(), "sinc1", (0, 1))
    assert (found == gradient_support(small(), "sinc1", (0, 1)).numpy()).all()


@pytest.mark.parametrize("training", [False, True])
def test_its_memory_is_what_pytorch_holds(*, training: bool) -> None:
    check(small(), training=training, in_place=False, dtype="float32")
    if training:
        check_saved(small(), in_place=False, dtype="float32")


def test_a_training_step_multiplies_nothing_more() -> None:
    ours, known = cm.training_cost(small()), cm.training_cost(small("relu"))
    assert ours.forward == known.forward
    assert ours.backward_input == known.backward_input
    assert ours.backward_weight == known.backward_weight


def test_it_widens_and_takes_any_size() -> None:
    wide = cm.widen(built(), 2)
    assert wide["sinc1"].output.channels == 16
    assert cm.input_sizes(built()) == cm.input_sizes(built("relu"))


def test_its_seconds_are_predicted() -> None:
    for profile in cm.profiles().values():
        prediction = cm.predict(small(), profile)
        rows = {row.name: row for row in prediction.rows}
        assert rows["sinc1"].kind == "pointwise"
        assert rows["sinc1"].is_modelled


def test_it_compiles_and_runs() -> None:
    net = small()
    module = cm.compile(net)
    assert module.sinc1(torch.tensor([0.5])) == torch.sinc(torch.tensor([0.5]))
    shapes = executed_shapes(cm.compile(net, device="meta"), (2, 3, 9, 8))
    assert shapes == {node.name: (2, *node.output.sizes) for node in net.nodes}


def test_it_is_written_and_read() -> None:
    assert Network.from_json(built().to_json()) == built()


class Sinc(nn.Module):
    """A module that calls the function, in two ways."""

    def __init__(self) -> None:
        """Make the layer before it."""
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``batch × 8 × height × width``."""
        return torch.sinc(torch.special.sinc(self.conv(x)))


def test_tracing_finds_it() -> None:
    net = cm.trace(Sinc())
    assert [node.operator for node in net.nodes][2:] == [op.Pointwise("sinc")] * 2
    again = cm.trace(cm.compile(built()))
    assert again["sinc1.sinc"].operator == op.Pointwise("sinc")


def test_a_page_tells_of_it(tmp_path: Path) -> None:
    file = tmp_path / "with_sinc.json"
    file.write_text(built().to_json(), encoding="utf-8")
    arguments = ["report", str(file), "-o", str(tmp_path / "site")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    pages = (tmp_path / "site").rglob("*.html")
    # The name of its layer, not that of the network.
    assert any("sinc1" in page.read_text(encoding="utf-8") for page in pages)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(CostModelError, match=r'^function "sinc" is registered twice$'):
        register_function("sinc", op.FUNCTIONS["sinc"])
    with pytest.raises(CostModelError, match=r'"conv": an operator has that name$'):
        register_function("conv", op.FUNCTIONS["sinc"])
    with pytest.raises(CostModelError, match=r"the name is not an identifier$"):
        register_function("sin c", op.FUNCTIONS["sinc"])
    with pytest.raises(CostModelError, match=r"^saved 'all' is none of intermediate, "):
        Function(tally=op.FUNCTIONS["sinc"].tally, saved="all")
