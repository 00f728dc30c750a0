"""Functions with a backward of their own: a gradient passes, the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn
from torch.autograd import Function

import costmodel as cm
from costmodel.algebra.symbols import alpha
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from tests.bridge.test_trained import really
from tests.bridge.trace.modules import Code
from tests.bridge.trace.test_gradients import SIZE, Backward, executed, said


class Passing(Function):
    """Hands the gradient on, to the first argument."""

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Give one gradient for each argument."""
        return gradients[0], *[None] * (len(ctx.needs_input_grad) - 1)


class Rounded(Passing):
    """The straight-through estimator."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # noqa: ARG004
        """Round."""
        return x.round()


rounded = Rounded.apply  # held by code before anything is traced


class Swish(Function):
    """A swish that keeps its operand alone."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        """Keep the operand."""
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """Compute the sigmoid again."""
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return g * s * (1 + x * (1 - s))


class ApartSwish(Swish):
    """The same, with its context set up apart, and a number that has a default."""

    @staticmethod
    def forward(x: Any, beta: float = 1.0) -> Any:
        """Compute alone."""
        return x * (x * beta).sigmoid()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004
        """Keep the operand."""
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """Compute the sigmoid again."""
        return Swish.backward(ctx, g), None


class Reversed(Function):
    """The identity forward; it turns gradients round."""

    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        """Return a view."""
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """Negate."""
        return -g * ctx.factor, None


class Same(Passing):
    """Returns its operand."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # noqa: ARG004
        """Return it."""
        return x


class Spike(Passing):
    """A step, whose own derivative is zero."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        """Say where a potential is above 0."""
        assert ctx.needs_input_grad == (True,)
        return (x > 0).float()


class Detached(Passing):
    """Works on its operand's data."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # noqa: ARG004
        """Clamp."""
        return x.detach().clamp(0, 1)


class InPlace(Passing):
    """Writes to its operand."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        """Double."""
        ctx.mark_dirty(x)
        return x.mul_(2)


class Nested(Passing):
    """Calls another one."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # noqa: ARG004
        """Round, and call a module."""
        return nn.ReLU()(Rounded.apply(x)) + 1


class Pair(Passing):
    """Has a result without a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        """Return the signs as well."""
        signs = x.sign()
        ctx.mark_non_differentiable(signs)
        return x.abs(), signs


class Product(Function):
    """A linear layer by hand."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any) -> Any:
        """Multiply."""
        ctx.save_for_backward(x, weight)
        return x @ weight.t()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """Multiply twice."""
        x, weight = ctx.saved_tensors
        return g @ weight, g.flatten(0, -2).t() @ x.flatten(0, -2)


def without(call: Callable[..., Any], x: torch.Tensor) -> Any:
    with torch.no_grad():
        return call(x)


BETWEEN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "rounded": Rounded.apply,
    "held before": rounded,
    "swish": Swish.apply,
    "set up apart": ApartSwish.apply,
    "turned round": lambda x: Reversed.apply(x, 0.5),
    "the same": Same.apply,
    "a spike": Spike.apply,
    "of data": Detached.apply,
    "in place": lambda x: InPlace.apply(x * 1),
    "nested": Nested.apply,
    "a pair": lambda x: Pair.apply(x)[0],
    "a pair's signs": lambda x: x * Pair.apply(x)[1],
    "twice": lambda x: Rounded.apply(Swish.apply(x)),
}
STOPS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "signs alone": lambda x: Pair.apply(x)[1],
    "without autograd": lambda x: without(Rounded.apply, x),
    "detached": lambda x: Rounded.apply(x).detach(),
}


def between(call: Callable[[torch.Tensor], torch.Tensor]) -> Code:
    """Return two convolutions with a call between them."""
    parts = {"a": nn.Conv2d(3, 4, 3), "b": nn.Conv2d(4, 4, 3)}
    return Code(lambda m, x: m.b(call(m.a(x))), **parts).train()


def trace(module: nn.Module) -> Network:
    return cm.trace(module.train(), input=SIZE[1:], batch=SIZE[0])


@pytest.mark.parametrize("name", BETWEEN)
def test_a_gradient_passes_through(name: str) -> None:
    module = between(BETWEEN[name])
    net = trace(module)
    backward = executed(module)
    assert backward == Backward(16_992, 1_040)
    free = cm.trace(module)
    kept = [
        net, Network.from_json(net.to_json()), Network.from_graph(net.graph),
        free.bind(H=8, W=8, N=2), cm.widen(free, alpha).bind(alpha=1, H=8, W=8, N=2),
    ]  # fmt: skip
    for one in kept:
        memory = cm.memory(one, training=True)
        assert cm.training_cost(one).backward == backward.macs
        assert memory.gradient_bytes == backward.gradients
        assert memory.optimizer_bytes("momentum") == backward.gradients
        assert one.own_backward == net.own_backward
        for question in (
            lambda m: m.saved_bytes, lambda m: m.peak(), lambda m: m.timeline,
        ):  # fmt: skip
            with pytest.raises(CostModelError, match=r"has a backward of the code"):
                question(memory)
    assert cm.memory(net).peak().bytes > 0
    assert cm.cost(net).macs == 2 * 4 * (27 * 36 + 36 * 16)


@pytest.mark.parametrize("name", STOPS)
def test_what_stops_a_gradient_stops_it(name: str) -> None:
    module = between(STOPS[name])
    assert cm.training_cost(trace(module)).backward == executed(module).macs == 4_608
    assert cm.memory(trace(module), training=True).gradient_bytes == 592


def test_nothing_is_kept_where_nothing_learns() -> None:
    module = Code(lambda m, x: m.a(Swish.apply(x)), a=nn.Conv2d(3, 4, 3))
    assert said(module) == executed(module)
    memory = cm.memory(trace(module), training=True)
    assert memory.saved_bytes == really(module, torch.ones(SIZE))[0]
    fixed = between(Swish.apply)
    fixed.a.requires_grad_(False)
    assert said(fixed) == executed(fixed)
    with pytest.raises(CostModelError, match=r'sigmoid at ".*": has a backward of'):
        _ = cm.memory(trace(fixed).trained("all"), training=True).saved_bytes


@pytest.mark.parametrize("call", [Rounded.apply, Same.apply, Detached.apply])
def test_weights_learn_behind_a_function(call: Any) -> None:
    module = Code(
        lambda m, x: F.conv2d(m.a(x), call(m.b.weight), m.b.bias),
        a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(4, 4, 3),
    )  # fmt: skip
    assert said(module) == executed(module) == Backward(16_992, 1_040)


def test_what_a_function_multiplies_is_refused() -> None:
    module = Code(
        lambda m, x: Product.apply(m.a(x), m.b.weight),
        a=nn.Conv2d(3, 4, 3), b=nn.Linear(6, 5, bias=False),
    )  # fmt: skip
    net = trace(module)
    gradients = executed(module).gradients
    assert cm.memory(net, training=True).gradient_bytes == gradients == 448 + 120
    assert cm.cost(net).macs == 2 * 4 * (27 * 36 + 36 * 5)
    with pytest.raises(CostModelError, match=r"what it multiplies is not known"):
        cm.training_cost(net)


def test_a_function_is_read_as_it_was_before() -> None:
    net = trace(between(Swish.apply))
    assert [n.operator.kind for n in net.nodes] == [
        "input", "conv", "sigmoid", "multiply", "conv",
    ]  # fmt: skip
    assert net.own_backward == {net.nodes[2].name, net.nodes[3].name}
    assert Rounded.apply.__func__.__kwdefaults__ is None
    assert Rounded.apply(torch.tensor([1.4], requires_grad=True)).requires_grad
    with pytest.raises(CostModelError, match=r'own_backward "swish" is no node'):
        Network.assemble(
            [(n.name, n.operator, n.inputs) for n in net.nodes], own_backward=["swish"]
        )
