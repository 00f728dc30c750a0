"""The memory of a network: weights, and activations step by step.

Counts are exact: ``int`` once every symbol is bound, else plain sympy expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy

from costmodel.algebra.count import polynomial
from costmodel.algebra.monomial import Monomial
from costmodel.algebra.polynomial import Polynomial
from costmodel.algebra.questions.largest_where import leader_intervals
from costmodel.algebra.questions.upper_envelope import undominated
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.analysis.memory.schedule import Schedule, Step, lifetimes
from costmodel.analysis.memory.tensors import Tensor
from costmodel.analysis.memory.weights import DTYPES, Stored, bytes_of
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network


@dataclass(frozen=True)
class Moment:
    """A step of the timeline: the bytes of activations alive while one node runs."""

    index: int
    step: Step
    alive: Polynomial = field(repr=False)

    @property
    def node(self) -> str:
        """The node that runs."""
        return self.step.node

    @cached_property
    def bytes(self) -> Dim:
        """Bytes alive: a number, or a sum with floors put in."""
        return self.alive.value


@dataclass(frozen=True, slots=True)
class Peak:
    """The peak for given sizes: its step and its bytes.

    ``formula`` is the bytes at this step for any sizes.
    """

    node: str
    stage: str
    bytes: int
    formula: Dim


@dataclass(frozen=True, slots=True)
class PeakRange:
    """From ``first`` to ``last`` (None: no upper bound) the peak is at one of these.

    There are several only if, in a long interval, they alternate.
    """

    first: int
    last: int | None
    moments: tuple[Moment, ...]


class Memory(Stored):
    """Bytes of weights and of activations; made by :func:`memory`."""

    def __init__(
        self, network: Network, *, training: bool, dtype: str, in_place: bool
    ) -> None:
        """Keep what is asked; lifetimes and sums are computed on first use."""
        super().__init__(network, DTYPES[dtype])
        self.training = training
        self.dtype = dtype
        self.in_place = in_place
        if not network.own_backward:
            _ = self.schedule  # refuses at once what it has no rule for

    @cached_property
    def schedule(self) -> Schedule:
        """Every step, and the lifetime of every tensor."""
        return lifetimes(
            self.network,
            training=self.training,
            element_bytes=self.width,
            in_place=self.in_place,
        )

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every block of memory, in the order in which they are made."""
        return self.schedule.tensors

    @cached_property
    def timeline(self) -> tuple[Moment, ...]:
        """The bytes alive while each node runs, forward, backward and again."""
        reentrant = any(not one.stops_early for one in self.network.checkpoints)
        if self.training and reentrant:
            raise CostModelError(
                f"memory of {self.network.name}: what a reentrant checkpoint takes at "
                "each step of its backward is not known; what it saves is. With "
                "use_reentrant=False it is known"
            )
        made: list[list[tuple[Polynomial, int]]] = [[] for _ in self.schedule.steps]
        made.append([])
        sizes = {size: polynomial(size) for size in {t.size for t in self.tensors}}
        for tensor in self.tensors:
            made[tensor.first].append((sizes[tensor.size], 1))
            made[tensor.last + 1].append((sizes[tensor.size], -1))
        alive: dict[Monomial, Any] = {}
        moments = []
        for index, step in enumerate(self.schedule.steps):
            for size, sign in made[index]:
                for monomial, count in size.terms.items():
                    alive[monomial] = alive.get(monomial, 0) + sign * count
            left = {monomial: count for monomial, count in alive.items() if count}
            moments.append(Moment(index, step, Polynomial(left)))
        return tuple(moments)

    @cached_property
    def peaks(self) -> tuple[Moment, ...]:
        """The moments that may be the peak; all others are proved smaller than one."""
        symbols = self.network.free_symbols
        least = {s: self.network.smallest(s)[0] for s in symbols if s.is_integer}
        formulas = [moment.alive for moment in self.timeline]
        return tuple(self.timeline[i] for i in undominated(formulas, least))

    @cached_property
    def peak_activation_bytes(self) -> Dim:
        """The most bytes alive at once, without weights: a number, or a Max of sums."""
        found = [sympy.sympify(moment.bytes) for moment in self.peaks]
        if len(found) == 1:
            return as_dim(found[0])
        # Nothing is left to simplify, and sympy's own comparison takes seconds.
        return as_dim(sympy.Max(*found, evaluate=False))

    @property
    def all_activation_bytes(self) -> Dim:
        """Bytes of all tensors of the forward pass, as if none were freed."""
        there = len(self.network.nodes)
        found = (t for t in self.tensors if t.first < there and t.role != "gradient")
        return self._bytes(found)

    @property
    def saved_bytes(self) -> Dim:
        """Bytes of tensors that the forward pass saves for the backward pass."""
        return self._bytes(t for t in self.tensors if t.is_saved)

    def alive(self, moment: Moment) -> tuple[Tensor, ...]:
        """Return the tensors alive at a moment, in the order of creation."""
        return tuple(t for t in self.tensors if t.first <= moment.index <= t.last)

    @property
    def gradient_bytes(self) -> Dim:
        """Bytes of the gradients of weights that get one; 0 in inference."""
        return self.trained_bytes if self.training else 0

    def peak(self, values: Mapping[Any, Any] | None = None, **named: object) -> Peak:
        """Return the peak for given sizes: ``peak(N=1, H=224, W=224)``."""
        there = self._bound(values, named)
        if names := ", ".join(sorted(map(str, there.network.free_symbols))):
            raise CostModelError(
                f"peak: {names} {'has' if len(names) == 1 else 'have'} no value; give "
                "every symbol one"
            )
        (moment,) = there.peaks
        formula = self.timeline[moment.index].bytes
        count: Any = moment.bytes
        return Peak(moment.node, moment.step.stage, count, formula)

    def crossovers(
        self, symbol: Any, values: Mapping[Any, Any] | None = None, **named: object
    ) -> tuple[PeakRange, ...]:
        """Return the exact intervals of a symbol on which the peak is at each node.

        The other symbols need values: ``crossovers("H", {W: H}, N=1)`` for squares.
        """
        there = self._bound(values, named)
        free = {found.name: found for found in there.network.free_symbols}
        if set(free) != {str(symbol)}:
            left = ", ".join(sorted(free)) or "none"
            raise CostModelError(
                f'crossovers: "{symbol}" has to be the one symbol without a value; '
                f"those without are {left}"
            )
        chosen = free[str(symbol)]
        if not chosen.is_integer:
            raise CostModelError(f"crossovers: {symbol} is not a whole number")
        formulas = [moment.alive for moment in there.peaks]
        least = there.network.smallest(chosen)[0]
        return tuple(
            PeakRange(
                part.first, part.last, tuple(there.peaks[i] for i in part.largest)
            )
            for part in leader_intervals(formulas, chosen, least)
        )

    def _bytes(self, tensors: Any) -> Dim:
        return bytes_of(tensor.size for tensor in tensors)

    def _bound(self, values: Mapping[Any, Any] | None, named: Any) -> Memory:
        if not values and not named:
            return self
        return Memory(
            self.network.bind(values, **named),
            training=self.training,
            dtype=self.dtype,
            in_place=self.in_place,
        )


def memory(
    network: Network,
    *,
    training: bool = False,
    dtype: str = "float32",
    in_place: bool = False,
) -> Memory:
    """Return the memory of a network, in inference or in a training step.

    The peak is max_i Σ_t bytes(t), over the steps i and the tensors t alive in step i
    (``lifetimes`` in ``schedule.py`` says what counts). ``in_place`` lets ReLUs
    overwrite their operand if nothing else needs it.

    **Units**: bytes.
    **Errors**: an unknown ``dtype``.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> net = network(relu(conv(image(3), 8, kernel=3)))
    >>> memory(net).peak_activation_bytes, memory(net).weight_bytes
    (64*H*N*W, 896)
    >>> memory(net, training=True).peak(N=1, H=8, W=8).node
    'relu1'
    """
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CostModelError(f"memory: dtype {dtype!r}; {known_are(dtype, DTYPES)}")
    return Memory(network, training=training, dtype=dtype, in_place=in_place)
