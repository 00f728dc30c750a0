"""Every outcome of the random draws that decide what runs, and expected costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
import torch
from torch import nn

from costmodel.algebra.symbols import Dim, H, N, W
from costmodel.bridge.trace.patches.draws import Event, following_draws
from costmodel.bridge.trace.run import traced, warn_unused
from costmodel.bridge.trace.second_run import at_sizes
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network.graph import Network


@dataclass(frozen=True, slots=True)
class Outcome:
    """The network that runs if draws decide so: the product of its events' chances."""

    probability: Fraction
    events: tuple[Event, ...]
    network: Network


def outcomes(
    module: nn.Module | torch.export.ExportedProgram,
    input: Sequence[Any] = (3, H, W),  # noqa: A002 - as of ``trace``
    *,
    batch: Dim = N,
    name: str | None = None,
    on_unknown: str = "raise",
    check: bool = True,
    most: int = 256,
) -> tuple[Outcome, ...]:
    """Return the network of each outcome of a module's random draws; see ``trace``.

    Probabilities are exact, and sum to 1: draws are taken for real numbers, each
    uniform and independent of the others, and constants for the decimals that they are
    written in. Followed are comparisons with constants of uniform draws, whole numbers
    and Bernoulli trials, of Python, NumPy and PyTorch, moved and scaled by constants.
    k draws that each decide something are 2ᵏ outcomes, and as many traces.

    **Errors**: those of ``trace``; more than ``most`` outcomes; a draw that decides and
    whose probability is not known, as of a normal one.

    >>> class Dropped(nn.Conv2d):
    ...     def forward(self, x):
    ...         return super().forward(x) if torch.rand(1) < 0.1 else x
    >>> [str(one.probability) for one in outcomes(Dropped(3, 3, 1))]
    ['1/10', '9/10']
    """
    found: list[Outcome] = []
    used: set[str] = set()
    wanted: tuple[bool, ...] | None = ()
    while wanted is not None:
        follow = _Follow(wanted, most)
        network, tracer = traced(
            module, input, batch, name, on_unknown, check=check, draws=follow
        )
        events = follow.events or ()
        chance = math.prod((e.probability for e in events), start=Fraction(1))
        found.append(Outcome(chance, events, network))
        used |= tracer.used
        wanted = _next(events)
        if wanted is not None and len(found) == most:
            so_far = sum(one.probability for one in found)
            raise CostModelError(
                f"outcomes: {network.name} has more than {most} outcomes of its random "
                f"draws, which most={most} does not allow; the first {most} have the "
                f"probability {so_far} together, and the last event is {events[-1]}"
            )
    if (together := sum(one.probability for one in found)) != 1:
        raise CostModelError(
            f"outcomes: {network.name} draws otherwise in each run: the probabilities "
            f"of its {len(found)} outcomes sum to {together}; does a bound change?"
        )
    tracer.used.update(used)
    warn_unused(network.name, tracer)
    return tuple(found)


def _next(events: Sequence[Event]) -> tuple[bool, ...] | None:
    """Return what the next outcome's first events are: the last true one is not."""
    last = max((i for i, e in enumerate(events) if e.is_below), default=None)
    if last is None:
        return None
    return (*(event.is_below for event in events[:last]), False)


@dataclass
class _Follow:
    """Makes all runs of one outcome decide alike: the first one says how."""

    wanted: tuple[bool, ...]
    most: int
    events: tuple[Event, ...] | None = None

    @contextmanager
    def __call__(self, tracer: Tracer) -> Iterator[None]:
        with following_draws(tracer, self.wanted, self.most) as events:
            yield
        self.events = tuple(events) if self.events is None else self.events
        for now, then in zip((*events, None), (*self.events, None), strict=False):
            if now != then:
                raise CostModelError(
                    f"outcomes: at {at_sizes(tracer.record.values)}, an event is "
                    f"{now or 'missing'}, and in another run it is "
                    f"{then or 'missing'}: its probability is no constant"
                )


def expected(outcomes: Iterable[Outcome], of: Callable[[Network], Any]) -> sympy.Expr:
    """Return the mean of a quantity over outcomes: Σ probability · quantity, exactly.

    ``of`` returns the quantity of a network, as ``lambda net: cm.cost(net).macs``: a
    formula, a whole number or a fraction. Its unit is the result's.

    **Errors**: no outcomes; a quantity that is a float or no number, or no function.
    """
    several = list(outcomes) if isinstance(outcomes, Iterable) else [None]
    if not all(isinstance(one, Outcome) for one in several):
        raise CostModelError(
            f"expected: {outcomes!r:.80} is not what cm.outcomes returns, several "
            "outcomes"
        )
    if not callable(of):
        raise CostModelError(
            f"expected: {of!r} is no function of a network, such as "
            "lambda net: cm.cost(net).macs"
        )
    terms = []
    for one in several:
        value = of(one.network)
        if isinstance(value, (bool, float)) or not isinstance(
            value, (int, Fraction, sympy.Expr)
        ):
            kind = type(value).__name__
            raise CostModelError(f"expected: {value!r} is a {kind}, no exact quantity")
        terms.append(sympy.Rational(one.probability) * sympy.sympify(value))
    if not terms:
        raise CostModelError("expected: there are no outcomes")
    return sympy.Add(*terms)
