"""Tracing leaves modules as they are, and says what it cannot follow."""

from __future__ import annotations

import copy
import functools
import random
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from hypothesis import given
from hypothesis import strategies as st
from torch import fx, nn
from torch.export import Dim, export

import costmodel as cm
from costmodel.algebra.symbols import H, N, W
from costmodel.bridge.trace import trace
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network, parameters_by_name
from tests.bridge.trace.executed import executed
from tests.bridge.trace.modules import Branching, Caching, Code, Meddling, conv
from tests.zoo import torchvision_models


def kinds(net: Network) -> list[str]:
    return [node.operator.kind for node in net.nodes]


def names(net: Network) -> list[str]:
    return [node.name for node in net.nodes]


def everything(module: nn.Module) -> Iterator[Any]:
    """Return what a module is made of: attributes, tensors and their places."""
    for path, part in module.named_modules(remove_duplicate=False):
        for name, value in part.__dict__.items():
            is_open = isinstance(value, (dict, list))
            yield path, name, id(value), copy.copy(value) if is_open else value


def seeds() -> tuple[str, ...]:
    """Return the states of everyone's random numbers."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - of others' code
    return (*map(str, states), str(torch.get_rng_state().tolist()))


def plain() -> nn.Sequential:
    layers = conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5)
    return nn.Sequential(*layers)


# The module stays as it is.


@pytest.mark.parametrize("training", [True, False])
def test_a_module_is_left_as_it_was(training: bool) -> None:  # noqa: FBT001
    module = plain().train(training)
    seen: list[Any] = []
    module[0].register_forward_hook(lambda *_: seen.append(1))
    before, call = list(everything(module)), nn.Module.__call__
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    versions = [t._version for t in module.state_dict().values()]
    numbers = seeds()
    assert trace(module)
    assert before == list(everything(module))
    assert nn.Module.__call__ is call
    assert versions == [t._version for t in module.state_dict().values()]
    for name, tensor in module.state_dict().items():
        assert torch.equal(state[name], tensor)
    assert numbers == seeds()
    assert seen
    assert module.training is training


def test_a_module_is_left_as_it_was_where_tracing_fails() -> None:
    module = nn.Sequential(plain(), Branching())
    before, call, extremes = list(everything(module)), nn.Module.__call__, (max, min)
    with pytest.raises(CostModelError):
        trace(module)
    assert before == list(everything(module))
    assert (nn.Module.__call__, max, min) == (call, *extremes)


def written(value: Any, seen: tuple[int, ...] = ()) -> str:
    """Return all that an object leads to, as text; tensors by their identity."""
    if id(value) in seen:
        return "again"
    seen = (*seen, id(value))
    if isinstance(value, dict):
        return str([(key, written(one, seen)) for key, one in value.items()])
    if isinstance(value, (list, tuple, set)) or type(value).__name__ == "deque":
        return str([written(one, seen) for one in value])
    if hasattr(value, "__dict__") and not isinstance(value, (torch.Tensor, type)):
        return f"{id(value)} {written(vars(value), seen)}"
    return str(id(value)) if isinstance(value, torch.Tensor) else repr(value)


def test_what_a_module_does_to_itself_while_it_runs_is_undone() -> None:
    module = nn.Sequential(Meddling(), plain(), conv(8, 3), Meddling())
    module[3].add_module("shared", module[0])
    before, real = written(module), torch.zeros(1, 3, 4, 4)
    assert trace(module)
    assert written(module) == before
    assert module[0].count.tolist() == module[3].count.tolist() == [0, 0]
    assert module(real).device.type == "cpu"
    assert written(module) != before


def at_random(draw: Callable[[], object]) -> nn.Module:
    """Return a module that runs one more convolution in half of all draws."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = m.wide(m.first(x)) if draw() else m.first(x)
        return found

    return nn.Sequential(Code(forward, first=conv(3, 3), wide=conv(3, 3)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.rand(1).item() < 0.5,
        lambda: bool(torch.rand(()) < 0.5),
        lambda: torch.bernoulli(torch.tensor(0.5)).item(),
        lambda: torch.randint(2, (1,)).tolist()[0],
        lambda: random.random() < 0.5,  # noqa: S311 - keeps no secret
        lambda: random.choice([True, False]),  # noqa: S311
        lambda: np.random.rand() < 0.5,  # noqa: NPY002 - as others' code has it
    ],
)
def test_what_a_random_draw_decides_is_refused(draw: Callable[[], object]) -> None:
    module, numbers = at_random(draw), seeds()
    with pytest.raises(CostModelError, match=r'at another random draw, in "0": .*wide'):
        trace(module)
    assert numbers == seeds()


def test_random_numbers_that_decide_nothing_are_no_matter() -> None:
    module, single = at_random(lambda: torch.rand(1).item() < 2), conv(3, 3)
    numbers = seeds()
    assert cm.cost(trace(module)).macs == 2 * cm.cost(trace(single)).macs
    assert numbers == seeds()


def test_what_a_module_keeps_for_the_next_call_is_forgotten() -> None:
    module = Caching()
    net = trace(module)
    assert module.kept == {}
    assert cm.cost(net).parameters == 3
    assert module(torch.zeros(1, 3, 2, 2)).device.type == "cpu"


def test_weights_are_not_copied() -> None:
    # 2³⁴ numbers that lie on one: a copy would be 64 GiB.
    wide = torch.zeros(1).expand(1 << 17, 1 << 17)
    weight = nn.Parameter(wide, requires_grad=False)
    module = Code(
        lambda m, x: F.linear(F.pad(x.mean((2, 3)), (0, (1 << 17) - 3)), m.weight),
        weight=weight,
    )
    assert cm.cost(trace(module)).parameters == 1 << 34
    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 1 << 16, 1), nn.Conv2d(1 << 16, 1 << 18, 1))
    assert cm.cost(trace(module)).parameters == 4 * (1 << 16) + ((1 << 16) + 1 << 18)


def test_constants_as_large_as_the_map_take_no_memory() -> None:
    def masked(_: Any, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        count = x.shape[2] * x.shape[3]
        mask = torch.zeros(count, count)
        return F.scaled_dot_product_attention(tokens, tokens, tokens, mask)

    net = trace(Code(masked))  # 81,920 tokens: 27 GB of mask
    assert cm.cost(net).macs == 6 * H**2 * W**2 * N


# What may be traced.


def test_graph_modules_are_traced_by_their_own_names() -> None:
    module = fx.symbolic_trace(nn.Sequential(conv(3, 8), nn.Identity(), nn.ReLU()))
    net = trace(module)
    assert names(net) == ["input", "0", "1", "2"]
    assert kinds(net) == ["input", "conv", "identity", "relu"]


def test_exported_programs_have_the_cost_of_their_module() -> None:
    layers = (*plain(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module = nn.Sequential(*layers, nn.Linear(8, 5)).eval()
    sizes = ({0: Dim("n"), 2: Dim("h", min=16), 3: Dim("w", min=16)},)
    program = export(module, (torch.zeros(2, 3, 32, 40),), dynamic_shapes=sizes)
    expected = cm.cost(trace(module))
    for one in (program, program.module()):
        net = trace(one)
        assert totals(net) == (expected.macs, expected.parameters, expected.activations)
        assert cm.cost(net).buffers == expected.buffers
        assert str(cm.input_sizes(net)[0].admissible) == "H ≥ 16"


def test_exported_programs_of_one_size_are_traced_at_that() -> None:
    program = export(plain().eval(), (torch.zeros(2, 3, 32, 40),))
    with pytest.raises(CostModelError, match="at all 10 sizes tried: AssertionError"):
        trace(program)
    net = trace(program, (3, 32, 40), batch=2)
    assert cm.cost(net).macs == 2 * 27 * 8 * 32 * 40


def test_what_torchscript_compiled_is_refused_with_its_place() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own: it is deprecated
        scripted = torch.jit.script(nn.Sequential(conv(8, 8), nn.ReLU()))
        traced = torch.jit.trace(conv(3, 8), torch.zeros(1, 3, 8, 8))
    with pytest.raises(CostModelError, match=r'"1" is compiled by TorchScript'):
        trace(nn.Sequential(conv(3, 8), scripted))
    with pytest.raises(CostModelError, match="is compiled by TorchScript"):
        trace(traced)


def test_only_modules_are_traced_and_options_are_checked() -> None:
    with pytest.raises(
        CostModelError, match=r"needs a torch\.nn\.Module, got function"
    ):
        trace(lambda x: x)  # type: ignore[arg-type]
    with pytest.raises(CostModelError, match="on_unknown 'skip' is not \"raise\""):
        trace(plain(), on_unknown="skip")


# Names, modes, and what is shared.


def test_train_mode_is_what_the_module_says() -> None:
    with torch.device("meta"):
        module = torchvision_models().googlenet(init_weights=False)
    trained = trace(module.train())
    assert trained.outputs == ("fc", "aux2.fc2", "aux1.fc2")
    learnable = sum(p.numel() for p in module.parameters())
    assert cm.cost(trained).parameters == learnable
    counts = executed(module, (2, 3, 224, 224))
    assert cm.cost(trained.bind(N=2, H=224, W=224)).macs == counts.macs
    unused = sum(p.numel() for n, p in module.named_parameters() if n.startswith("aux"))
    with pytest.warns(
        UserWarning, match=r"14 parameters are never used.* in aux1, aux2"
    ):
        evaluated = trace(module.eval())
    assert evaluated.outputs == ("fc",)
    assert cm.cost(evaluated).parameters == learnable - unused


def test_a_module_called_again_counts_its_weights_once() -> None:
    net = trace(Code(lambda m, x: m.same(m.same(m.same(m.first(x)))),
                     first=conv(3, 8), same=conv(8, 8)))  # fmt: skip
    assert names(net) == ["input", "first", "same", "same_2", "same_3"]
    assert dict(net.shared) == {"same_2": "same", "same_3": "same"}
    assert totals(net)[:2] == ((27 * 8 + 3 * 72 * 8) * H * N * W, 224 + 584)
    assert parameters_by_name(net).keys() == {
        "first.weight", "first.bias", "same.weight", "same.bias",
    }  # fmt: skip


@pytest.mark.parametrize("bias", [True, False])
def test_tied_weights_count_once_and_what_is_not_tied_beside_them(bias: bool) -> None:  # noqa: FBT001
    module = nn.Sequential(conv(3, 3, bias=bias), nn.ReLU(), conv(3, 3, bias=bias))
    module[2].weight = module[0].weight
    net = trace(module)
    assert totals(net)[:2] == (2 * 81 * H * N * W, 81 + (6 if bias else 0))
    assert dict(net.shared) == ({"2.weight": "0.weight"} if bias else {"2": "0"})


def test_a_tied_bias_counts_once_and_the_weight_beside_it_is_kept() -> None:
    module = nn.Sequential(conv(3, 3), nn.ReLU(), conv(3, 3))
    module[2].bias = module[0].bias
    assert cm.cost(trace(module)).parameters == 81 + 81 + 3


def test_functions_are_named_after_the_module_that_calls_them() -> None:
    inner = Code(lambda m, x: torch.relu(x + m.conv(x) + m.conv(x)), conv=conv(3, 3))
    net = trace(nn.Sequential(nn.Sequential(inner)))
    assert names(net) == [
        "input", "0.0.conv", "0.0.add", "0.0.conv_2", "0.0.add_2", "0.0.relu",
    ]  # fmt: skip
    assert {node.scope for node in net.nodes[1:]} == {("0", "0")}


@pytest.mark.parametrize(
    "name", ["input", "add", "relu", "conv", "parameter", "derived", "reshape"]
)
def test_a_block_may_be_named_as_an_operator_is(name: str) -> None:
    def both(module: Any, x: torch.Tensor) -> torch.Tensor:
        x = getattr(module, name)(torch.relu(x + module.scale * 2))
        x = nn.ReLU()(F.conv2d(x, torch.ones(3, 3, 1, 1)))
        return x.reshape(-1, 3, x.shape[2] * x.shape[3])

    block = nn.Sequential(conv(3, 3), Code(lambda _, x: nn.ReLU()(x) + x))
    scale = nn.Parameter(torch.ones(3, 1, 1))
    net = trace(Code(both, scale=scale, **{name: block}))
    assert [n for n in names(net) if n.startswith(f"{name}.")] == [
        f"{name}.0", f"{name}.1.relu", f"{name}.1.add",
    ]  # fmt: skip


def test_a_layer_keeps_its_name_where_steps_lead_to_it() -> None:
    net = trace(nn.Sequential(nn.Conv2d(3, 4, 4, padding="same")))
    assert names(net) == ["input", "0_pad", "0"]
    assert parameters_by_name(net).keys() == {"0.weight", "0.bias"}


def test_every_output_is_an_output_of_the_network() -> None:
    parts = {"a": conv(3, 4), "b": conv(3, 5)}
    pair = trace(Code(lambda m, x: (m.a(x), m.b(x)), **parts))
    assert pair.outputs == ("a", "b")
    nested = trace(Code(lambda m, x: {"p": m.a(x), "q": [m.b(x), None, 3]}, **parts))
    assert nested.outputs == ("a", "b")
    with pytest.raises(CostModelError, match="no output depends on the input"):
        trace(Code(lambda _, x: torch.zeros(3)))  # noqa: ARG005


def test_modules_without_parameters_have_a_cost() -> None:
    net = trace(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)))
    assert totals(net) == (0, 0, 0)
    assert cm.cost(net).tally.compare != 0
    assert trace(nn.Identity()).outputs == ("input",)


# What cannot be followed is said.


@pytest.mark.parametrize(
    ("branch", "where"),
    [
        (nn.Sequential(plain(), nn.Sequential(nn.ReLU(), Branching())), "1.1"),
        (Code(lambda _, x: x if x.mean() > 0.5 else -x), "forward"),
        (Code(lambda _, x: x * x.max().item()), "forward"),
        (Code(lambda _, x: x[0, 0, 0, 0].tolist()), "forward"),
    ],
    ids=["in a block", "of a mean", "item", "tolist"],
)
def test_control_flow_on_data_is_an_error_with_its_place(
    branch: nn.Module, where: str
) -> None:
    with pytest.raises(
        CostModelError, match=r"depends on data|along the batch"
    ) as error:
        trace(branch)
    assert where in str(error.value)


LOST: dict[str, tuple[Callable[[Any, torch.Tensor], Any], str]] = {
    "int": (
        lambda _, x: F.interpolate(x, size=(int(x.shape[2]) * 2, 8)),
        "resize .* lost their formula: int\\(\\) of H in forward",
    ),
    "int of a product": (
        lambda _, x: F.interpolate(x, size=(int(x.shape[2] * 1.7), 8)),
        "resize ",
    ),
    "float": (
        lambda _, x: F.interpolate(x, size=(round(float(x.shape[2]) * 1.5), 8)),
        "resize .* lost their formula: float\\(\\) of H in forward",
    ),
    "numpy": (
        lambda _, x: F.interpolate(x, size=(int(np.ceil(x.shape[2] / 2)), 8)),
        "resize ",
    ),
    "range": (
        lambda _, x: torch.stack([x[:, :, i] for i in range(x.shape[2])], dim=2),
        "reshape|select|stack",
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_sizes_that_lose_their_formula_are_found_by_the_second_run(name: str) -> None:
    code, said = LOST[name]
    with pytest.raises(CostModelError, match=f"runs otherwise at .*{said}"):
        trace(Code(code))


def test_the_check_can_be_left_out() -> None:
    net = trace(Code(LOST["int"][0]), check=False)
    assert net.nodes[-1].output.sizes == (3, 512, 8)


def unruly(_: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.fft.fft(torch.sort(x).values + torch.sort(x, dim=2).values).abs()


def test_operators_without_a_rule_are_listed_with_their_places() -> None:
    block = nn.Sequential(conv(3, 3), Code(unruly))
    with pytest.raises(CostModelError) as error:
        trace(nn.Sequential(block, conv(3, 3), Code(unruly)))
    assert str(error.value) == (
        "trace: Sequential calls operators without a rule: sort (4×) in 0.1, 2; "
        'fft_fft (2×) in 0.1, 2; on_unknown="mark" keeps them as opaque nodes'
    )


def test_marked_operators_make_totals_partial() -> None:
    module = nn.Sequential(conv(3, 3), Code(unruly), conv(3, 3))
    net = trace(module, on_unknown="mark")
    costs = cm.cost(net)
    assert costs.unknown == ("1.sort", "1.sort_3", "1.fft_fft")
    assert costs.partial == "partial: 3 operators unknown"
    assert totals(net)[:2] == (2 * 81 * H * N * W, 2 * 84)
    assert net["1.fft_fft"].operator == op.Opaque("fft_fft", net["0"].output)


def unpooled(_: Any, x: torch.Tensor) -> torch.Tensor:
    return F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)


def folded(_: Any, x: torch.Tensor) -> torch.Tensor:
    return F.fold(F.unfold(x, 3, padding=1), x.shape[2:], 3, padding=1)


FOLLOWING: dict[str, tuple[Callable[[Any, torch.Tensor], Any], str]] = {
    "fft": (lambda _, x: torch.fft.fft2(x).real, "3×H×W"),
    "rfft": (lambda _, x: torch.fft.rfft2(x).abs(), "3×H×⌊(W+2)/2⌋"),
    "rfft, height": (lambda _, x: torch.fft.rfft(x, dim=2).abs(), "3×⌊(H+2)/2⌋×W"),
    "irfft": (lambda _, x: torch.fft.irfft2(torch.fft.rfft2(x)), "3×H×2×floor(W/2)"),
    "fold": (folded, "3×H×W"),
    "max_unpool": (unpooled, "3×2×floor(H/2)×2×floor(W/2)"),
    "sort": (lambda _, x: torch.sort(x, 2).values, "3×H×W"),
    "unfold": (lambda _, x: x.unfold(2, 3, 1).sort(-1).values, "3×(H-2)×W×3"),
    "diff": (lambda _, x: torch.diff(torch.sort(x).values, n=3), "3×H×(W-3)"),
    "kron": (lambda _, x: torch.kron(x, torch.ones(1, 1, 2, 2)), "3×2×H×2×W"),
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_is_marked_may_follow_the_size_of_the_input(name: str) -> None:
    code, said = FOLLOWING[name]
    net = trace(Code(code), on_unknown="mark")
    assert str(net.nodes[-1].output).replace("*", "×") == said


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_have_no_rule_however_long_they_would_run(layer: Any) -> None:
    def rows(module: Any, x: torch.Tensor) -> Any:
        return module.layer(x.flatten(2).transpose(1, 2))[0]

    module = Code(rows, layer=layer(3, 5, batch_first=True, bidirectional=True))
    with pytest.raises(
        CostModelError, match=r"rule: (lstm|gru|rnn_tanh) \(1×\) in layer"
    ):
        trace(module)
    net = trace(module, on_unknown="mark")
    assert str(net["layer"].output) == "H*W×10"
    assert cm.cost(net).unknown == ("layer",)
    assert cm.cost(net).parameters == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (lambda _, x: torch.view_as_real(torch.fft.rfft2(x)), "fft_rfft2 (1×)"),
        (lambda _, x: torch.complex(x, x).abs(), "complex (1×)"),
        (lambda _, x: (255 * x).long().float(), "long (1×)"),
        (lambda m, x: m.table(x.argmax(1)), "argmax (1×) in forward; embedding (1×)"),
        (lambda _, x: F.grid_sample(x, x.permute(0, 2, 3, 1)[..., :2]), "grid_sample"),
        (lambda _, x: x.flatten(1).topk(3).values, "topk (1×)"),
        (lambda _, x: x[x > 0], "sizes tried: NotImplementedError"),
        (lambda _, x: x @ x.flatten().unsqueeze(1), "no size"),
        (lambda _, x: x.flatten(1) @ x.flatten(1).t(), "mixes the samples of a batch"),
        (lambda _, x: x.cumsum(0), "cumsum at"),
        (lambda _, x: torch.cat([x, x]), "samples are not apart"),
        (lambda _, x: x[:, [0, 2]], "getitem with a list or a tensor of places (1×)"),
        (lambda _, x: x.mean(), "mean over all samples (1×)"),
        (lambda _, x: x.max(), "max over all samples (1×)"),
        (lambda _, x: F.conv2d(x, x), "conv2d with a weight for each sample"),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_said_by_name(code: Any, said: str) -> None:
    with pytest.raises(CostModelError, match=re.escape(said)):
        trace(Code(code, table=nn.Embedding(3, 4)))


def test_what_fails_behind_an_operator_without_a_rule_does_not_hide_it() -> None:
    def broken(_: Any, x: torch.Tensor) -> torch.Tensor:
        rows = torch.sort(x).values
        return rows.view(1, -1, 7, 3)

    with pytest.raises(CostModelError, match=r"sort \(1×\) in forward"):
        trace(Code(broken))


def test_other_numbers_than_decimals_are_no_images() -> None:
    with pytest.raises(CostModelError, match=r"at all 9 sizes tried: .*Long, Int"):
        trace(nn.Embedding(10, 4), (H,))


def test_errors_of_the_module_itself_are_told() -> None:
    with pytest.raises(CostModelError, match="all 10 sizes tried: ZeroDivisionError"):
        trace(Code(lambda _, x: x / (1 // 0)))


def totals(net: Network) -> tuple[Any, Any, Any]:
    """Return multiply–accumulates, parameters and activations."""
    costs = cm.cost(net)
    return costs.macs, costs.parameters, costs.activations


TABLE: dict[Any, Any] = {}
LATEST: Any = None
DRAWS = random.Random(5)  # noqa: S311 - keeps no secret


@functools.lru_cache(maxsize=2)
def remembered(count: int) -> torch.Tensor:
    """Return what a function remembers."""
    return torch.arange(float(count))


def in_table(x: torch.Tensor) -> Any:
    """Return what the file of a module keeps."""
    if "kept" not in TABLE:
        TABLE["kept"] = remembered(x.shape[1]).view(-1, 1, 1)
    return TABLE["kept"]


class Base(nn.Module):
    """Keeps things in its class, its file and its methods' defaults."""

    kept: ClassVar[dict[Any, Any]] = {}
    latest: Any = None

    def __init__(self, way: str) -> None:
        """Say where it keeps."""
        super().__init__()
        self.way, self.bias = way, nn.Parameter(torch.ones(3, 1, 1))
        inside: dict[Any, Any] = {}
        bound: Any = None

        def closed(bias: torch.Tensor) -> Any:
            nonlocal bound
            bound = bound if bound is not None else bias * 2
            return inside.setdefault("kept", bound)

        self.closed = closed

    @functools.lru_cache  # noqa: B019 - as others' code has it
    def method(self) -> Any:
        """Return what a method remembers."""
        return self.bias * 2

    def default(self, kept: list[Any] = []) -> Any:  # noqa: B006 - as others have it
        """Return what a default keeps."""
        kept.extend([self.bias * 2] if not kept else [])
        return kept[0]

    def bias_of(self, x: torch.Tensor) -> Any:
        """Return the bias, computed the first time."""
        global LATEST  # noqa: PLW0603
        if self.way == "class":
            return self.kept.setdefault("bias", self.bias * 2)
        if self.way == "attribute":
            Base.latest = self.bias * 2 if Base.latest is None else Base.latest
            return Base.latest
        if self.way == "global":
            LATEST = self.bias * 2 if LATEST is None else LATEST
            return LATEST
        ways = {
            "method": self.method, "default": self.default,
            "table": lambda: in_table(x), "closure": lambda: self.closed(self.bias),
        }  # fmt: skip
        return ways[self.way]()


class Heir(Base):
    """Has its code from its base."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what is kept."""
        return x + self.bias_of(x)


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize(
    "way", ["class", "attribute", "global", "method", "default", "table", "closure"]
)
@pytest.mark.filterwarnings("ignore:.*never used")
def test_what_code_keeps_outside_of_a_module_is_as_before(
    way: str,
    is_used: bool,  # noqa: FBT001
) -> None:
    module, real = nn.Sequential(Heir(way)), torch.zeros(1, 3, 2, 2)
    wanted = module(real) if is_used else None
    first = trace(module)
    assert trace(module) == first
    found = module(real)
    assert found.device.type == "cpu"
    assert wanted is None or torch.equal(found, wanted)
    (
        TABLE.clear(),
        Base.kept.clear(),
        remembered.cache_clear(),
        Base.method.cache_clear(),
    )
    Base.latest = globals()["LATEST"] = None
    Base.default.__defaults__[0].clear()  # type: ignore[index]


class Answers:
    """Answers every name with another of its kind, as records of calls do."""

    __slots__ = ()

    def __getattr__(self, _: str) -> Answers:
        """Return another one, without end."""
        return Answers()

    def __call__(self) -> float:
        """Return what a call of it gives."""
        return 2.0


class Wraps(Answers):
    """Wraps another of its kind, without end."""

    __wrapped__ = property(lambda _: Wraps())
    func = property(lambda _: Wraps())


class Loads(Answers):
    """Looks for what it is asked for, and finds nothing."""

    def __getattr__(self, name: str) -> Any:
        """Refuse as modules do that are loaded when they are needed."""
        raise ImportError(name)


class Counts:
    """Counts its calls, in itself."""

    calls = 0

    def factor(self) -> float:
        """Return 3 at every call."""
        self.calls += 1
        return 3.0


COUNT = Counts().factor


@pytest.mark.parametrize("kind", [Answers, Wraps, Loads, mock.Mock])
def test_objects_that_answer_every_name_are_not_followed(kind: Any) -> None:
    answers = kind(return_value=2.0) if kind is mock.Mock else kind()
    module = Code(lambda m, x: m.conv(x) * answers(), conv=conv(3, 4))
    assert cm.cost(trace(module)).macs == 108 * H * N * W


class Options(dict[str, Any]):
    """A dictionary whose items are attributes too, as in many configurations."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class Lenient(Options):
    """One that has every attribute, most of them None."""

    __getattr__ = dict.get  # type: ignore[assignment]


class Sealed(Options):
    """One that says of itself that it cannot be emptied or copied."""

    def clear(self) -> None:
        """Refuse."""
        raise RuntimeError

    copy = values = items = clear  # type: ignore[assignment]


@dataclass(slots=True)
class Meter:
    """Counts, in slots."""

    calls: int = 0
    latest: Any = None


KEEPERS: dict[str, Any] = {
    "options": Options, "lenient": Lenient, "sealed": Sealed,
    "slots": Meter,
    "an array": lambda calls: np.array([calls, calls]),
}  # fmt: skip


@pytest.mark.parametrize("name", KEEPERS)
def test_objects_of_others_classes_are_as_before(name: str) -> None:
    def count(module: Any, x: torch.Tensor) -> Any:
        if name == "an array":
            module.kept += 1
        else:
            module.kept.calls = module.kept.calls + 1
            module.kept.latest = x
        return module.conv(x)

    module = Code(count, conv=conv(3, 4), kept=None)
    module.kept = KEEPERS[name](calls=0)
    before = repr(module.kept)
    assert cm.cost(trace(module)).macs == 108 * H * N * W
    assert repr(module.kept) == before


def test_hooks_of_tensors_are_backwards_own() -> None:
    def watched(module: Any, x: torch.Tensor) -> Any:
        y = module.conv(x)
        y.retain_grad()
        y.register_hook(lambda gradient: gradient)
        return y

    assert cm.cost(trace(Code(watched, conv=conv(3, 4)))).macs == 108 * H * N * W


def test_what_a_bound_method_writes_to_is_as_before() -> None:
    trace(Code(lambda m, x: m.conv(x) * COUNT(), conv=conv(3, 4)))
    assert COUNT.__self__.calls == 0


class Owns:
    """An object with a generator, as modules may have one."""

    def __init__(self, rng: Any) -> None:
        """Keep it."""
        self.several = [rng]


def own_draw(kind: str) -> tuple[Any, Callable[[], float], Callable[[], object]]:
    """Return a generator, a draw of it, and its state as text."""
    if kind == "python":
        rng = random.Random(5)  # noqa: S311
        return rng, rng.random, rng.getstate
    if kind == "numpy":
        new = np.random.default_rng(0)
        return new, new.random, lambda: new.bit_generator.state
    if kind == "legacy":
        old = np.random.RandomState(3)
        return old, old.rand, lambda: written(old.get_state()[1].tolist())
    torchs = torch.Generator().manual_seed(1)
    draw = lambda: torch.rand(1, generator=torchs).item()  # noqa: E731
    return torchs, draw, lambda: torchs.get_state().tolist()


KINDS = ("python", "numpy", "legacy", "torch")


@given(st.sampled_from(KINDS), st.sampled_from(["attribute", "object", "closure"]))
def test_draws_of_generators_of_its_own_are_draws(kind: str, way: str) -> None:
    rng, draw, state = own_draw(kind)

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = m.wide(m.first(x)) if m.draw() < 0.5 else m.first(x)
        return found

    holder = {"attribute": rng, "object": Owns(rng), "closure": None}[way]
    module = Code(forward, first=conv(3, 3), wide=conv(3, 3), draw=draw, rng=holder)
    before, numbers = state(), seeds()
    with pytest.raises(CostModelError, match=r"at another random draw, in .forward"):
        trace(module)
    assert (state(), seeds()) == (before, numbers)


def test_a_generator_of_a_file_is_looked_at_too() -> None:
    before = DRAWS.getstate()
    with pytest.raises(CostModelError, match=r'at another random draw, in "0"'):
        trace(at_random(lambda: DRAWS.random() < 0.5))
    found = cm.outcomes(at_random(lambda: DRAWS.random() < 0.25))
    assert [str(one.probability) for one in found] == ["1/4", "3/4"]
    assert DRAWS.getstate() == before


RARE: dict[str, Callable[[Any], Any]] = {
    "python": lambda _: random.random() < 1e-4,  # noqa: S311
    "nearly always": lambda _: random.random() < 0.9999,  # noqa: S311
    "numpy": lambda _: np.random.rand() < 1e-4,  # noqa: NPY002
    "torch": lambda _: torch.rand(1) < 1e-4,
    "torch's number": lambda _: torch.rand(()).item() < 1e-4,
    "a trial": lambda _: torch.bernoulli(torch.tensor(1e-4)).item() == 1,
}


@pytest.mark.parametrize("name", RARE)
def test_what_a_draw_decides_rarely_is_refused_too(name: str) -> None:
    at_random = Code(lambda m, x: x if RARE[name](x) else m.conv(x), conv=conv(3, 3))
    before = seeds()
    with pytest.raises(CostModelError, match="runs other layers at another random"):
        trace(at_random)
    assert seeds() == before


def test_a_loop_that_a_draw_ends_has_more_outcomes_than_any_number() -> None:
    def again(_: Any, x: torch.Tensor) -> Any:
        while random.random() < 0.25:  # noqa: S311
            pass
        return x.relu()

    with pytest.raises(CostModelError, match="more than 4 random draws in one run"):
        cm.outcomes(Code(again), most=4)
    assert kinds(trace(Code(again))) == ["input", "relu"]
