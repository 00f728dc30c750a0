"""Tests of outcomes: what random draws decide, its probability and expected cost."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.algebra.symbols import H, N, W
from costmodel.bridge.trace import trace
from costmodel.bridge.trace.outcomes import expected, outcomes
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from tests.bridge.trace.modules import Code, conv
from tests.bridge.trace.test_trace import at_random, seeds


# ruff: noqa: S311, NPY002 - draws as others' code has them, which keep no secret
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


def macs(net: Network) -> Any:
    return cm.cost(net).macs


def narrow_or_wide(draw: Callable[[], object]) -> nn.Module:
    """Return a module of 90 multiplications at each position, or of 9."""
    one, nine = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 3, padding=1)
    wide = nn.Sequential(one, nine)
    return Code(lambda m, x: m.wide(x) if draw() else m.one(x), wide=wide, one=one)


HALVES: dict[str, Callable[[], object]] = {
    "item": lambda: torch.rand(1).item() < 0.5,
    "tensor": lambda: torch.rand(()) < 0.5,
    "truth": lambda: bool(torch.rand(1) > 0.5),
    "le": lambda: torch.rand([]) <= 0.5,
    "flipped": lambda: 0.5 < torch.rand(1),  # noqa: SIM300
    "against a tensor": lambda: torch.rand(1).lt(torch.tensor(0.5)).item(),
    "a tensor against": lambda: torch.gt(torch.tensor([0.5]), torch.rand(1)),
    "of several": lambda: torch.rand(2, 3)[1, 2] < 0.5,
    "view": lambda: torch.rand(1, 1).squeeze().view(1)[0] < 0.5,
    "iterated": lambda: [p for p in torch.rand(2)][1] < 0.5,  # noqa: C416
    "uniform_": lambda: torch.empty(3).uniform_()[0] > 0.5,
    "from, to": lambda: torch.empty(1).uniform_(-1, 1) < 0,
    "moved": lambda: (1 - torch.rand(1)) * 2 < 1,
    "floor": lambda: (0.5 + torch.rand(1)).floor_() == 0,
    "in place": lambda: torch.rand(1).add_(0.5) < 1,
    "not": lambda: not torch.rand(1) < 0.5,
    "logical_not": lambda: torch.logical_not(torch.rand(1) < 0.5),
    "invert": lambda: ~(torch.rand(1) < 0.5),
    "bernoulli": lambda: torch.bernoulli(torch.tensor(0.5)).item(),
    "bernoulli_": lambda: torch.empty(1).bernoulli_(0.5) == 1,
    "bernoulli_ of tensors": lambda: torch.zeros(2).bernoulli_(torch.full((2,), 0.5))[
        1
    ],
    "randint": lambda: torch.randint(2, (1,)).tolist()[0],
    "randint between": lambda: torch.randint(3, 5, ()) == 4,
    "number": lambda: [True, False][int(torch.randint(2, (1,)))],
    "div": lambda: torch.rand(1) / 2 < 0.25,
    "below": lambda: torch.randint(low=0, high=2, size=(1,)) < 1,
    "random": lambda: random.random() < 0.5,
    "uniform": lambda: random.uniform(2, 4) > 3,
    "choice": lambda: random.choice([True, False]),
    "choices": lambda: random.choices([True, False], [2, 2])[0],
    "random's randint": lambda: random.randint(0, 1),
    "getitem": lambda: [1, 0][int(random.random() * 2)],
    "rand": lambda: np.random.rand() < 0.5,
    "np uniform": lambda: np.random.uniform() >= 0.5,
    "np uniform between": lambda: np.random.uniform(-2, 0) < np.float32(-1),
    "np random": lambda: np.random.random() < 0.5,
    "np randint": lambda: np.random.randint(0, 2) == 0,
    "twice": lambda: (r := random.random()) > 0.25 and r <= 0.75,
}


@pytest.mark.parametrize("draw", HALVES.values(), ids=HALVES)
def test_a_draw_that_decides_gives_each_outcome_with_its_probability(
    draw: Callable[[], object],
) -> None:
    module, numbers = narrow_or_wide(draw), seeds()
    found = outcomes(module)
    assert numbers == seeds()
    shares: dict[Any, Fraction] = {}
    for one in found:
        assert one.probability == math.prod(event.probability for event in one.events)
        shares[macs(one.network)] = shares.get(macs(one.network), 0) + one.probability
    assert shares == {90 * N * H * W: HALF, 9 * N * H * W: HALF}
    assert expected(found, macs) == sympy.Rational(99, 2) * N * H * W


def test_outcomes_are_what_each_draw_decides_and_where() -> None:
    found = cm.outcomes(at_random(lambda: torch.rand(()) < 0.1), (3, 32, 32))
    likely, unlikely = found[1], found[0]
    assert [one.probability for one in found] == [Fraction(1, 10), Fraction(9, 10)]
    (event,) = unlikely.events
    assert (event.bound, event.is_below, event.where) == (Fraction(1, 10), True, "0")
    assert event.line.startswith("test_trace.py:")  # where the code of at_random() asks
    assert str(likely.events[0]) == f'draw ≥ 1/10 in "0" ({event.line})'
    assert likely.network == trace(nn.Sequential(Code(
        lambda m, x: m.first(x), first=conv(3, 3))), (3, 32, 32), name="Sequential",
    )  # fmt: skip


class Dropped(nn.Module):
    """Residual blocks, each left out with a probability (Huang et al. 2016)."""

    def __init__(self, shares: list[float]) -> None:
        """Make a block for each."""
        super().__init__()
        self.shares = shares
        self.blocks = nn.ModuleList(conv(4, 4, bias=False) for _ in shares)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what is not left out."""
        for share, block in zip(self.shares, self.blocks, strict=True):
            if not self.training or torch.rand(1).item() >= share:
                x = x + block(x)
        return x


def test_expected_costs_of_stochastic_depth_are_sums_over_blocks() -> None:
    module = Dropped([0.1, 0.2, 0.3, 0.4])
    found = outcomes(module, (4, H, W))
    assert len(found) == 16
    assert sum(one.probability for one in found) == 1
    run = sympy.Rational(9 + 8 + 7 + 6, 10)
    assert expected(found, macs) == run * 144 * N * H * W
    assert expected(found, lambda net: cm.cost(net).parameters) == run * 144
    # A map is 16 bytes per position: a convolution and a sum read 3 and write 2.
    place = 16 * N * H * W
    assert expected(found, lambda net: cm.cost(net).bytes_written) == run * 2 * place
    read = expected(found, lambda net: cm.cost(net).bytes_read)
    assert read == run * (3 * place + 4 * 144)
    assert expected(found, lambda net: cm.cost(net).tally.add) == run * 4 * N * H * W
    assert len(outcomes(module.eval(), (4, H, W))) == 1


def test_more_outcomes_than_wanted_are_refused_with_their_number() -> None:
    module = Dropped([0.5] * 4)
    assert len(outcomes(module, (4, 8, 8), most=16)) == 16
    said = r"Dropped has more than 15 outcomes.*most=15 .* 15/16 .*test_outcomes.py:"
    with pytest.raises(CostModelError, match=said):
        outcomes(module, (4, 8, 8), most=15)


def test_draws_that_decide_nothing_give_one_outcome() -> None:
    noise = nn.Sequential(
        nn.Dropout(0.5), Code(lambda _, x: x * torch.rand(1)), conv(3, 3)
    )
    (one,) = outcomes(noise)
    assert (one.probability, one.events) == (1, ())
    assert one.network == trace(noise)
    for drawn in (
        lambda x: torch.rand(len(x), 1, 1, 1) < 0.5,
        lambda x: x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(0.5).div_(0.5),
    ):
        # One zero or one for each sample, which only multiplies.
        masked = Code(lambda m, x: x * m.drawn(x), drawn=drawn)
        assert [one.network for one in outcomes(masked)] == [trace(masked)]
    assert len(outcomes(at_random(lambda: random.random() < 2))) == 1


UNKNOWN: dict[str, Callable[[], object]] = {
    "normal": lambda: torch.randn(1).item() < 0.5,
    "argmax": lambda: torch.rand(2).argmax().item(),
    "sum": lambda: torch.rand(2).sum() < 1,
    "of two": lambda: torch.rand(1) < torch.rand(1),
    "of two of Python's": lambda: random.random() < random.random(),
    "gauss": lambda: random.gauss(0, 1) < 0,
    "float": lambda: float(random.random()) < 0.5,
    "root": lambda: math.sqrt(random.random()) < 0.5,
    "imported": lambda drawn=random.random: drawn() < 0.5,
    "bits": lambda: random.getrandbits(1),
    "np": lambda: np.random.normal() < 0,
    "array": lambda: np.random.rand(2)[1] < 0.5,
    "permutation": lambda: torch.randperm(2)[0] == 1,
    "bound": lambda: random.random() < float(torch.rand(1)),
}


@pytest.mark.parametrize("draw", UNKNOWN.values(), ids=UNKNOWN)
def test_a_draw_whose_probability_is_not_known_is_refused(
    draw: Callable[[], object],
) -> None:
    module, numbers = at_random(draw), seeds()
    with pytest.raises(CostModelError, match='in "0"') as caught:
        outcomes(module)
    assert "probability" in str(caught.value)
    assert numbers == seeds()


def test_the_place_is_that_of_the_draw_that_is_not_known() -> None:
    first = Code(lambda _, x: torch.relu(x) if torch.rand(1) < 0.5 else x)
    module = nn.Sequential(first, at_random(lambda: torch.randn(1) < 0))
    with pytest.raises(CostModelError, match=r'in "1\.0"'):
        outcomes(module)


def test_bounds_made_of_sizes_and_of_data_are_refused() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return x.relu() if m.drawn() < m.bound(x) else x

    for bound in (lambda x: x.shape[2] / 512, lambda x: 9 / x.shape[2]):
        for draw in (lambda: random.uniform(0, 1), lambda: torch.rand(1)):
            module = Code(forward, drawn=draw, bound=bound)
            with pytest.raises(CostModelError, match="probability is no constant"):
                outcomes(module)
    with pytest.raises(CostModelError, match="depends on data"):
        outcomes(Code(lambda _, x: x.relu() if torch.rand(1) < x.mean() else x))


def test_bounds_that_change_from_run_to_run_are_refused() -> None:
    turns = iter(range(1, 100))
    module = Code(lambda _, x: x.relu() if torch.rand(1) < 0.5 ** next(turns) else x)
    with pytest.raises(CostModelError, match="sum to 5/4"):
        outcomes(module, check=False)
    with pytest.raises(CostModelError, match="probability is no constant"):
        outcomes(module)


def test_a_refused_trace_says_what_gives_the_expected_cost() -> None:
    with pytest.raises(CostModelError, match=r"cm\.outcomes.*cm\.expected"):
        trace(at_random(lambda: torch.rand(1) < 0.5))


def test_parameters_that_no_outcome_uses_are_named_once() -> None:
    module = narrow_or_wide(lambda: torch.rand(1) < 0.5)
    module.rest = nn.Linear(3, 3)
    with pytest.warns(UserWarning, match="2 parameters .* rest") as caught:
        outcomes(module)
    assert len(caught) == 1


def test_expected_values_are_exact() -> None:
    found = outcomes(narrow_or_wide(lambda: torch.rand(1) < 0.5), (3, 2, 2), batch=1)
    assert expected(found, macs) == 198
    assert expected(found, lambda net: Fraction(len(net.nodes), 3)) == sympy.Rational(
        5, 6
    )
    with pytest.raises(CostModelError, match="float"):
        expected(found, lambda net: 0.5 * len(net.nodes))
    with pytest.raises(CostModelError, match="no outcomes"):
        expected((), macs)


# Draws of any kind, in any order.


def compared(bound: Fraction, kind: str) -> Any:
    """Return whether one draw is below a bound."""
    below = float(bound)
    if kind == "torch":
        return torch.rand(1) < below
    if kind == "above":
        return not torch.rand(3)[1].item() > below
    if kind == "numpy":
        return np.random.rand() < below
    return random.random() < below


bounds = st.integers(0, 16).map(lambda k: Fraction(k, 16))
steps = st.lists(
    st.tuples(bounds, st.sampled_from(["torch", "above", "numpy", "python"])),
    max_size=3,
)


@given(steps, st.booleans())
def test_probabilities_sum_to_one_and_costs_to_their_mean(
    drawn: list[tuple[Fraction, str]],
    nested: bool,  # noqa: FBT001
) -> None:
    layer = nn.Conv2d(1, 1, 1, bias=False)

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = m.layer(x)
        for bound, kind in drawn:
            if compared(bound, kind):
                x = m.layer(x)
            elif nested:
                break
        return x

    numbers = seeds()
    found = outcomes(Code(forward, layer=layer), (1, 2, 2))
    assert seeds() == numbers
    assert sum(one.probability for one in found) == 1
    assert all(one.probability > 0 for one in found)
    mean, here = Fraction(1), Fraction(1)
    for bound, _ in drawn:
        mean += here * bound
        here *= bound if nested else 1
    assert expected(found, macs) == sympy.Rational(4 * mean) * N


@given(st.lists(bounds, min_size=1, max_size=4))
def test_one_draw_compared_again_is_one_draw(several: list[Fraction]) -> None:
    def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
        draw = torch.rand(())
        for bound in several:
            x = torch.relu(x) if draw < float(bound) else x
        return x

    found = outcomes(Code(forward), (1, 2, 2))
    assert len(found) == len({b for b in several if 0 < b < 1}) + 1
    assert expected(found, lambda net: len(net.nodes) - 1) == sympy.Rational(
        sum(several)
    )


FORMATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@given(st.integers(1, 99), st.sampled_from(FORMATS), st.integers(0, 3))
def test_constants_of_any_format_are_their_shortest_decimals(
    hundredths: int, dtype: torch.dtype, way: int
) -> None:
    share = Fraction(hundredths, 100)
    bound = torch.tensor(float(share), dtype=dtype)
    ways: list[Callable[[], object]] = [
        lambda: torch.rand(1) < bound,
        lambda: bound.view(1) > torch.rand(1),
        lambda: torch.bernoulli(bound),
        lambda: torch.rand(1) < np.float32(share),
    ]
    found = outcomes(at_random(ways[way]), (3, 4, 4))
    assert {one.events[0].bound for one in found} == {share}
    assert {one.probability for one in found} == {share, 1 - share}


@pytest.mark.parametrize("given", [None, 3, [1], "one", {"a": 1}])
def test_what_is_no_outcomes_has_no_expected_value(given: Any) -> None:
    with pytest.raises(CostModelError, match=r"not what .* returns"):
        expected(given, macs)


def test_one_outcome_and_what_is_no_function_have_no_expected_value() -> None:
    found = outcomes(narrow_or_wide(lambda: torch.rand(1) < 0.5), (3, 2, 2))
    with pytest.raises(CostModelError, match="several outcomes"):
        expected(found[0], macs)  # type: ignore[arg-type]
    with pytest.raises(CostModelError, match="3 is no function of a network"):
        expected(found, 3)  # type: ignore[arg-type]
    with pytest.raises(CostModelError, match="True is a bool, no exact quantity"):
        expected(found, lambda _: True)


@pytest.mark.parametrize(
    "rng", [np.random.default_rng(0), np.random.RandomState(3)], ids=["new", "legacy"]
)
def test_generators_of_numpy_are_refused_with_their_place(rng: Any) -> None:
    with pytest.raises(CostModelError, match=r'in "0".*probability is not known'):
        outcomes(at_random(lambda: rng.random() < 0.5))


def test_a_generator_of_pythons_is_followed() -> None:
    module = narrow_or_wide(lambda: None)
    module.rng = random.Random(5)
    module.run = lambda m, x: m.wide(x) if m.rng.choice([1, 0, 0]) else m.one(x)
    before = module.rng.getstate()
    assert expected(outcomes(module), macs) == 36 * N * H * W
    assert module.rng.getstate() == before
    assert not {"random", "_randbelow"} & vars(module.rng).keys()


def of_torchs_own() -> Any:
    return torch.rand(1, generator=torch.Generator().manual_seed(3)) < 0.5


def forked() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        drawn = torch.rand(1)
    return drawn < 0.5


def again() -> Any:
    random.setstate(STATE)
    return random.choice([True, False])


STATE = random.Random(2).getstate()
SEEDED: dict[str, Callable[[], object]] = {
    "random": lambda: random.seed(1) or random.random() < 0.5,
    "torch": lambda: torch.manual_seed(0) and torch.rand(1) < 0.5,
    "numpy": lambda: np.random.seed(1) or np.random.rand() < 0.5,
    "numpy's randint": lambda: np.random.seed(1) or np.random.randint(2),
    "forked": forked, "again": again,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*never used")
@pytest.mark.parametrize("draw", SEEDED.values(), ids=SEEDED)
def test_draws_after_a_seed_are_certain_and_have_no_probability(
    draw: Callable[[], object],
) -> None:
    torch.manual_seed(0)
    random.seed(1)
    module, numbers = at_random(draw), seeds()
    with pytest.raises(CostModelError, match=r'in "0" \(.*certain number'):
        outcomes(module)
    assert trace(module)
    assert seeds() == numbers


def test_seeds_of_what_decides_nothing_are_no_matter() -> None:
    def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
        random.random(), torch.randn(3000), np.random.normal(size=3000)
        chosen = random.random() < 0.5 and np.random.rand() < 0.5
        x = x.relu() if chosen and torch.rand(1) < 0.5 else x
        torch.manual_seed(0)
        return x * torch.rand(1)

    found = outcomes(Code(forward))
    assert [str(one.probability) for one in found] == ["1/8", "1/8", "1/4", "1/2"]
    assert len(outcomes(at_random(of_torchs_own))) == 1
