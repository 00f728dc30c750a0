"""What is trained: frozen parts, stops and checkpoints, beside executed autograd."""

from __future__ import annotations

import copy
import pickle
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import costmodel as cm
from costmodel.algebra.symbols import alpha
from costmodel.analysis.memory.recomputing import is_in_parts
from costmodel.analysis.memory.tensors import ForwardPass
from costmodel.bridge.oracles import memory_snapshot, memory_trackers, training_products
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.annotations import Checkpoint
from costmodel.network.build import add, conv, image, network, relu, scope
from costmodel.network.graph import Network
from costmodel.testing import partly_trained, with_checkpoints
from tests.bridge.trace.modules import Code
from tests.drawn import bound_networks, input_size


class Step(NamedTuple):
    """Products of backward, bytes saved for it, and bytes of ``.grad`` afterwards."""

    backward: int
    saved: int
    gradients: int


ALL = Step(2_295_488, 132_352, 3_376)
HEAD = Step(50_176, 50_176, 144)
DETACHED = Step(50_176, 132_352, 144)
CHECKPOINT = Step(3_587_456, 74_752, 3_376)


def computed(net: Network) -> Step:
    memory = cm.memory(net, training=True)
    backward = cm.training_cost(net).backward
    return Step(backward, memory.saved_bytes, memory.gradient_bytes)


def executed(net: Network) -> Step:
    """Return what autograd does in the compiled network; compare each step's bytes."""
    module, size = cm.compile(net).train(), (net.batch, *net.inputs[0].output.sizes)
    alive = [moment.bytes for moment in cm.memory(net, training=True).timeline]
    assert alive == memory_snapshot.executed_lifetimes(module, size).timeline
    products = training_products.executed_products(module, size)
    saved = memory_trackers.saved_blocks(module, size)
    for parameter in module.parameters():
        parameter.grad = None
    torch.sum(module(torch.ones(size))).backward()
    grads = (p.grad.nbytes for p in module.parameters() if p.grad is not None)
    backward = sum(p.backward_input + p.backward_weight for p in products.values())
    return Step(backward, sum(saved), sum(grads))


def layers(*, detached: bool = False) -> list[tuple[str, op.Operator, tuple[str, ...]]]:
    """Return a base of two convolutions, perhaps a stop, and a head."""
    x = image(3, 32, 32)
    with scope("base"):
        x = relu(conv(relu(conv(x, 8, kernel=3, padding=0)), 8, kernel=3, padding=0))
    found = [(n.name, n.operator, n.inputs) for n in network(x).nodes]
    last = found[-1][0]
    if detached:
        found.append(("stop", op.Identity(), (last,)))
    return [*found, ("head", op.Conv(4, (1, 1)), (found[-1][0],))]


def base(*, detached: bool = False) -> Network:
    stops = ["stop"] if detached else []
    return Network.assemble(layers(detached=detached), batch=2, no_gradient=stops)


def without_autograd() -> Network:
    names = [name for name, *_ in layers() if name.startswith("base.")]
    return Network.assemble(layers(), batch=2, no_gradient=names)


@pytest.mark.parametrize(
    ("net", "expected"),
    [(base(), ALL), (base().trained("head"), HEAD), (without_autograd(), HEAD),
     (base(detached=True), DETACHED)],
)  # fmt: skip
def test_a_step_is_what_autograd_does(net: Network, expected: Step) -> None:
    assert computed(net) == executed(net) == expected
    assert cm.memory(net).gradient_bytes == 0
    assert cm.memory(net).optimizer_bytes("momentum") == expected.gradients
    assert cm.cost(net).macs == cm.cost(base()).macs
    assert cm.cost(net).parameters == 3_376 // 4


@given(bound_networks(least=2).flatmap(partly_trained))
def test_drawn_networks_do_what_autograd_does(net: Network) -> None:
    module, size = cm.compile(net, device="meta").train(), input_size(net)
    prepared = memory_trackers.prepare(module, training=True)
    memory = cm.memory(net, training=True)
    lives = memory_snapshot.executed_lifetimes(prepared, size)
    steps = [m.node for m in memory.timeline if m.step.stage == "backward"]
    assert steps == lives.backward
    assert [moment.bytes for moment in memory.timeline] == lives.timeline
    saved = sorted(t.bytes for t in memory.tensors if t.is_saved)
    assert saved == memory_trackers.saved_blocks(prepared, size)
    grads = [p.grad.nbytes for p in module.parameters() if p.grad is not None]
    assert memory.gradient_bytes == sum(grads)
    rows = {
        row.name: (row.forward, row.backward_input, row.backward_weight)
        for row in cm.training_cost(net).rows
        if row.row.kind in ("conv", "table_conv", "linear")
    }
    assume(any(True for _ in module.parameters()))
    assert rows == training_products.executed_products(module, size)


@given(
    net=bound_networks(least=2).flatmap(partly_trained).flatmap(with_checkpoints),
    in_place=st.booleans(),
)
def test_drawn_checkpoints_take_what_autograd_does(
    net: Network, *, in_place: bool
) -> None:
    check_steps(net, in_place=in_place)


def check_steps(net: Network, *, in_place: bool = False) -> None:
    """Compare the bytes of every step, those that run again too, and what is saved."""
    run = ForwardPass(net, training=True, element_bytes=4, in_place=in_place)
    saving = [[n for n in c.nodes if run.saves(net[n])] for c in net.checkpoints]
    ends = [part[-1] for part in saving if set(part) & run.flow.reached]
    if any(is_in_parts(run.call(net[name])[0]) for name in ends):
        with pytest.raises(CostModelError, match="a checkpoint that ends here"):
            cm.memory(net, training=True, in_place=in_place)
        return
    memory = cm.memory(net, training=True, in_place=in_place)
    made = {tensor.node for tensor in memory.tensors if tensor.role == "result"}
    module = memory_trackers.prepare(
        cm.compile(net, device="meta"),
        training=True,
        in_place={node.name for node in net.nodes if node.name not in made},
    )
    lives = memory_snapshot.executed_lifetimes(module, input_size(net))
    steps = [m.node for m in memory.timeline if m.step.stage == "backward"]
    assert steps == lives.backward
    assert [moment.bytes for moment in memory.timeline] == lives.timeline
    if all(saving):
        blocks = memory_trackers.saved_blocks(module, input_size(net))
        assert memory.saved_bytes == sum(blocks)


class Module(nn.Module):
    """A base and a head, run by a function of both."""

    def __init__(self, run: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        """Make the parts."""
        super().__init__()
        self.base = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()
        )
        self.head = nn.Conv2d(8, 4, 1)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the function."""
        return self.run(self, x)


def plainly(parts: Any, x: torch.Tensor) -> Any:
    return parts.head(parts.base(x))


def without_gradients(mode: Any) -> Callable[[Any, torch.Tensor], Any]:
    def run(parts: Any, x: torch.Tensor) -> Any:
        with mode():
            y = parts.base(x)
        return parts.head(y.clone() if mode is torch.inference_mode else y)

    return run


def frozen() -> Module:
    module = Module(plainly)
    module.base.requires_grad_(False)
    return module


def really(module: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Return bytes that autograd saves in a module, and bytes of gradients."""
    stored = memory_trackers.stored_storages(module)
    blocks: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in stored:
            blocks[id(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = module(x)
    result.sum().backward()
    grads = sum(p.grad.nbytes for p in module.parameters() if p.grad is not None)
    return sum(storage.nbytes() for storage in blocks.values()), grads


MODULES: list[tuple[Module, Step]] = [
    (Module(plainly), ALL),
    (frozen(), HEAD),
    (Module(without_gradients(torch.no_grad)), HEAD),
    (Module(without_gradients(torch.inference_mode)), HEAD),
    (Module(without_gradients(lambda: torch.set_grad_enabled(False))), HEAD),
    (Module(lambda parts, x: parts.head(parts.base(x).detach())), DETACHED),
    (Module(lambda parts, x: parts.head(parts.base(x).data)), DETACHED),
]


@pytest.mark.parametrize(("module", "expected"), MODULES)
def test_a_traced_module_trains_what_it_trains_when_run(
    module: Module, expected: Step
) -> None:
    net = cm.trace(module.train(), input=(3, 32, 32), batch=2)
    assert really(module, torch.ones(2, 3, 32, 32)) == expected[1:]
    assert computed(net) == executed(net) == expected
    with torch.no_grad():  # the caller's own mode is not the module's
        assert cm.trace(module, input=(3, 32, 32), batch=2) == net


WITHOUT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "computed": torch.sigmoid, "a view": lambda x: x.flatten(2).unflatten(2, (-1, 1)),
    "itself": lambda x: x, "as it lies": lambda x: x.contiguous(),
    "of its type": lambda x: x.to(torch.float32), "all of it": lambda x: x[:],
    "padded by nothing": lambda x: F.pad(x, (0, 0, 0, 0)), "copied": torch.clone,
    "as another": lambda x: x.view_as(x), "detached in place": lambda x: x.detach_(),
    "written": lambda x: x.mul_(2), "written by a function": F.relu_,
    "written by an option": lambda x: F.relu(x, inplace=True),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*never used")
@pytest.mark.parametrize("made_of", ["input", "weight"])
@pytest.mark.parametrize("name", WITHOUT)
def test_gradients_end_without_autograd_or_pass_by(name: str, made_of: str) -> None:
    """Another name of a tensor gets none; one that is written to keeps its own."""

    def run(parts: Any, x: torch.Tensor) -> Any:
        x = parts.base[0](x)
        y = x if made_of == "input" else parts.head.weight * 2
        with torch.no_grad():
            y = WITHOUT[name](y)
        return parts.head(y) if made_of == "input" else x * y.reshape(4, 8, 1, 1)[:1]

    module = Module(run).train()
    net = cm.trace(module, input=(3, 32, 32), batch=2)
    grads = really(module, torch.ones(2, 3, 32, 32))[1]
    assert cm.memory(net, training=True).gradient_bytes == grads


PARTLY: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "a sum": lambda m, x: F.conv2d(x, m.c.weight.detach() + m.same),
    "a product": lambda m, x: F.conv2d(x, m.c.weight.detach() * m.gain),
    "a layer's own too": lambda m, x: m.c(x) + F.conv2d(x, m.c.weight.data * m.gain),
    "both": lambda m, x: F.conv2d(x, m.same.detach() * m.gain + m.same),
    "a length": lambda m, x: F.conv2d(x, m.same / m.same.norm().detach() * m.gain),
    "a scale": lambda m, x: m.c(x) * (m.scale.detach() * m.gain.view(4, 1, 1)),
    "a scale in two steps": lambda m, x: m.c(x) * (m.scale.detach() * 2) * m.scale,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*never used")
@pytest.mark.parametrize("name", PARTLY)
def test_a_weight_may_be_computed_of_detached_ones_and_others(name: str) -> None:
    sizes = {"same": (4, 3, 3, 3), "gain": (4, 1, 1, 1), "scale": (4, 1, 1)}
    weights = {key: nn.Parameter(torch.ones(size)) for key, size in sizes.items()}
    module = Code(PARTLY[name], c=nn.Conv2d(3, 4, 3), **weights).train()
    net = cm.trace(module, input=(3, 12, 12), batch=2)
    grads = really(module, torch.ones(2, 3, 12, 12))[1]
    assert cm.memory(net, training=True).gradient_bytes == grads


@pytest.mark.parametrize(("module", "expected"), MODULES)
def test_what_is_trained_is_kept(module: Module, expected: Step) -> None:
    free = cm.trace(module.train())
    net = free.bind(H=32, W=32, N=2)
    assert Network.from_json(free.to_json()).bind(H=32, W=32, N=2) == net
    assert Network.from_graph(free.graph) == free
    again = cm.trace(cm.compile(net).train(), input=(3, 32, 32), batch=2)
    assert computed(net) == computed(again) == expected
    wide = cm.widen(free, alpha)
    assert wide.no_gradient == free.no_gradient
    assert computed(wide.bind(alpha=1, H=32, W=32, N=2)) == expected
    assert cm.diff(free, wide.bind(alpha=1)).macs == 0


def test_scopes_are_trained_by_name() -> None:
    net = base()
    assert net.trained("all") == net
    assert computed(net.trained("head")) == HEAD
    assert net.trained("base", "head") == net
    assert net.trained("head").trained("all") == net
    assert computed(net.trained("head.bias")).gradients == 4 * 4
    assert computed(base(detached=True).trained("all")) == DETACHED
    nothing = computed(net.trained())
    assert nothing == Step(0, 0, 0)
    with pytest.raises(CostModelError, match=r'trained "hed": no parameter is there'):
        net.trained("head", "hed")
    with pytest.raises(CostModelError, match=r'no_gradient "base.cow" is neither a'):
        Network.assemble(layers(), no_gradient=["base.cow"])


def test_a_shared_tensor_is_trained_by_any_of_its_names() -> None:
    nodes = [*layers(), ("again", op.Conv(4, (1, 1)), (layers()[-1][2][0],))]
    net = Network.assemble(nodes, ["again"], batch=2, shared={"again": "head"})
    assert computed(net.trained("again")) == computed(net.trained("head")) == HEAD
    assert computed(net.trained("base")).gradients == ALL.gradients - HEAD.gradients


class Holds(TorchDispatchMode):
    """Finds the bytes of blocks made while a module runs that are alive afterwards."""

    def __init__(self, module: nn.Module) -> None:
        """Leave what the module stores out."""
        super().__init__()
        self.stored = memory_trackers.stored_storages(module)
        self.seen: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and see its operands and results."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, result)):
            if isinstance(tensor, torch.Tensor) and tensor.dim():
                storage = tensor.untyped_storage()
                self.seen[id(storage)] = weakref.ref(storage)
        return result

    def alive(self, result: torch.Tensor) -> int:
        """Return the bytes alive, without those of the result."""
        blocks = {
            key: storage for key, ref in self.seen.items()
            if (storage := ref()) is not None and key not in self.stored
        }  # fmt: skip
        blocks.pop(id(result.untyped_storage()), None)
        return sum(storage.nbytes() for storage in blocks.values())


def stepped(module: nn.Module, *size: int) -> Step:
    """Run a training step; return what backward multiplies, and what it needs kept."""
    holds = Holds(module)
    with holds:
        result = module(torch.ones(size))
    saved = holds.alive(result)
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    grads = sum(p.grad.nbytes for p in module.parameters() if p.grad is not None)
    return Step(counter.get_total_flops() // 2, saved, grads)


def again(
    parts: Any, x: torch.Tensor, *, reentrant: bool = False, end: int = 4
) -> torch.Tensor:
    """Run the base up to some layer under a checkpoint."""
    made: Any = checkpoint(parts.base[:end], x, use_reentrant=reentrant)
    return parts.head(parts.base[end:](made))


def again_behind(parts: Any, x: torch.Tensor, *, reentrant: bool) -> torch.Tensor:
    """Run all but the first layer under a checkpoint."""
    made: Any = checkpoint(parts.base[1:], parts.base[0](x), use_reentrant=reentrant)
    return parts.head(made)


def residual(parts: Any, x: torch.Tensor) -> torch.Tensor:
    def block(y: torch.Tensor) -> torch.Tensor:
        z = parts.base[3](y)
        return z + parts.base[2](nn.functional.pad(z, (1, 1, 1, 1)))

    return parts.head(checkpoint(block, parts.base[0](x), use_reentrant=False))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (again, CHECKPOINT),
        (partial(again, end=3), None),  # the last convolution is not run again
        (partial(again, end=1), None),
        pytest.param(
            partial(again, reentrant=True),
            HEAD,  # no argument requires a gradient
            marks=pytest.mark.filterwarnings("ignore:None of the inputs"),
        ),
        (partial(again_behind, reentrant=False), None),
        (partial(again_behind, reentrant=True), None),
        (residual, None),
    ],
)
def test_a_checkpoint_runs_again_and_saves_what_it_reads(
    run: Any, expected: Step | None
) -> None:
    module = Module(run).train()
    size = (2, 3, 32, 32)
    net = cm.trace(module, input=size[1:], batch=2)
    found = computed(net)
    assert found == stepped(module, *size)
    if all(checkpoint.stops_early for checkpoint in net.checkpoints):
        alive = [moment.bytes for moment in cm.memory(net, training=True).timeline]
        module = cm.compile(net).train()
        assert alive == memory_snapshot.executed_lifetimes(module, size).timeline
    assert expected in (None, found)
    made = cm.compile(net).train()
    stored = pickle.loads(pickle.dumps(made))  # noqa: S301
    for one in (made, copy.deepcopy(made), stored if net.checkpoints else made):
        one.zero_grad()
        assert stepped(one, *size) == found
    plain = cm.compile(replace(net, checkpoints=()))
    assert list(plain.state_dict()) == list(made.state_dict())
    assert cm.trace(made, input=size[1:], batch=2) == net
    assert Network.from_json(net.to_json()) == net
    assert Network.from_graph(net.graph) == net
    assert computed(cm.trace(module).bind(H=32, W=32, N=2)) == found
    assert cm.widen(net, alpha).checkpoints == net.checkpoints


def test_what_is_frozen_or_detached_is_not_run_again() -> None:
    module = Module(again).train()
    module.base.requires_grad_(False)
    net = cm.trace(module, input=(3, 32, 32), batch=2)
    assert computed(net) == stepped(module, 2, 3, 32, 32) == HEAD
    assert computed(net.trained("all")) == CHECKPOINT
    module = Module(lambda parts, x: again(parts, x).detach() * parts.head.bias[0])
    net = cm.trace(module.train(), input=(3, 32, 32), batch=2)
    assert computed(net).backward == 0


@pytest.mark.filterwarnings("ignore:None of the inputs")
@pytest.mark.parametrize("scopes", [("base.2", "head"), ("base.0",), ("head",), ()])
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_of_what_is_partly_trained(
    scopes: tuple[str, ...], *, reentrant: bool
) -> None:
    module = Module(partial(again_behind, reentrant=reentrant)).train()
    net = cm.trace(module, input=(3, 32, 32), batch=2).trained(*scopes)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in net.no_gradient)
    for one in (module, cm.compile(net).train()) if scopes else ():
        assert stepped(one, 2, 3, 32, 32) == computed(net)


def test_any_nodes_may_be_checkpoints_within_others_too() -> None:
    x = image(3, 8, 8)
    x = relu(conv(x, 4, kernel=3))
    left, right = relu(conv(x, 4, kernel=1)), conv(x, 4, kernel=3)
    plain = network(conv(add(left, right), 2, kernel=1)).bind(N=2)
    names = [node.name for node in plain.nodes]
    for within in (names[3:6], names[1:4]):
        part = replace(plain, checkpoints=(Checkpoint(tuple(within)),))
        assert stepped(cm.compile(part).train(), 2, 3, 8, 8) == computed(part)
    apart = Checkpoint((*names[2:4], names[5]))
    with pytest.raises(CostModelError, match=r"runs between nodes of the checkpoint"):
        cm.compile(replace(plain, checkpoints=(apart,)))
    both = (Checkpoint(tuple(names[1:6])), Checkpoint(tuple(names[2:4])))
    made = cm.compile(replace(plain, checkpoints=both)).train()
    assert stepped(made, 2, 3, 8, 8).gradients == computed(plain).gradients
    made.load_state_dict(cm.compile(plain).state_dict())


def test_steps_of_reentrant_and_inner_checkpoints_are_refused() -> None:
    run = partial(again_behind, reentrant=True)
    net = cm.trace(Module(run).train(), input=(3, 32, 32), batch=2)
    with pytest.raises(CostModelError, match=r"what a reentrant checkpoint takes"):
        cm.memory(net, training=True).peak()
    assert cm.memory(net).peak().bytes > 0

    def nested(parts: Any, x: torch.Tensor) -> torch.Tensor:
        inner = partial(checkpoint, parts.base, use_reentrant=False)
        return parts.head(checkpoint(inner, x, use_reentrant=False))

    net = cm.trace(Module(nested).train(), input=(3, 32, 32), batch=2)
    with pytest.raises(CostModelError, match=r"in a checkpoint within another one"):
        cm.training_cost(net)
    assert cm.cost(net).macs == cm.cost(base()).macs


def toggled(m: Any, x: torch.Tensor) -> Any:
    y = m.a(x)
    m.b.requires_grad_(requires_grad=False)
    first = m.b(y)
    m.b.requires_grad_(requires_grad=True)
    return first + m.b(y.detach())


def frozen_late(m: Any, x: torch.Tensor) -> Any:
    y = m.a(x)
    m.a.requires_grad_(requires_grad=False)
    return m.b(y)


@pytest.mark.parametrize("run", [toggled, frozen_late])
def test_a_parameter_is_frozen_in_all_its_uses_or_in_none(run: Any) -> None:
    module = Code(run, a=nn.Conv2d(3, 3, 1), b=nn.Conv2d(3, 3, 1))
    with pytest.raises(CostModelError, match="requires_grad changes between its uses"):
        cm.trace(module)
    assert all(value.requires_grad for value in module.parameters())


def in_a_list() -> Any:
    layers = [nn.Conv2d(3, 4, 3)]
    return Code(lambda _, x: layers[0](x))


def when_it_runs() -> Any:
    def run(m: Any, x: torch.Tensor) -> Any:
        if m.late is None:
            m.late = nn.Conv2d(x.shape[1], 4, 3)
        return m.late(x)

    return Code(run, late=None)


@pytest.mark.parametrize("make", [in_a_list, when_it_runs])
def test_parameters_that_a_module_does_not_hold_are_refused(make: Any) -> None:
    with pytest.raises(CostModelError, match=r"that the module does not hold"):
        cm.trace(make())


def test_a_module_that_made_its_layers_has_their_parameters() -> None:
    module = when_it_runs()
    module(torch.zeros(1, 3, 8, 8))
    assert cm.cost(cm.trace(module)).parameters == 112
