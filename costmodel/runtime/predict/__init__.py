"""Seconds from the formula: what a network takes on a device that was calibrated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sympy

from costmodel.algebra.count import Count, added
from costmodel.algebra.symbols import Dim, as_dim
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.kernels.classes import SUBSTITUTES
from costmodel.runtime.kernels.kernel_rules import Demand
from costmodel.runtime.kernels.lowering import Launch, lowered
from costmodel.runtime.predict.warnings import Asked, warnings_of
from costmodel.runtime.profile import Profile, load_profile


WITHIN = sympy.Rational(128155, 100000)
"""Standard deviations to either side that hold 80 % of a normal distribution."""


@dataclass(frozen=True)
class Row:
    """One kernel: the nodes that it runs, its class, and its seconds.

    ``seconds`` is the sum of what computing, moving and calling take, with the
    network's overhead; each is 0 wherever another kernel runs in its place.

    **Units**: seconds; ``asked`` in work, bytes and bytes.
    """

    nodes: tuple[str, ...]
    kind: str
    compute: Dim
    memory: Dim
    call: Dim
    asked: Asked
    is_modelled: bool

    @property
    def name(self) -> str:
        """The node that the kernel is named after."""
        return self.nodes[0]

    @property
    def seconds(self) -> Dim:
        """What the kernel takes."""
        return as_dim(sympy.Add(self.compute, self.memory, self.call))


class Prediction:
    """A network's seconds as a plain formula, with an interval and what is behind it.

    It may stand wherever a question takes a formula:
    ``costmodel.largest(prediction, alpha, 10e-3, at={"N": 1, "H": 224, "W": 224})``.
    """

    def __init__(self, network: Network, profile: Profile) -> None:
        """Keep both, and find the kernels."""
        self.network, self.profile = network, profile
        self._launches = lowered(network, profile.setting)
        every = [demand for launch in self._launches for demand in launch.demands]
        repeats = Counter(map(id, every))
        self._demands = {id(demand): demand for demand in every}
        self._repeats = [(repeats[key], d) for key, d in self._demands.items()]

    @cached_property
    def seconds(self) -> sympy.Expr:
        """Seconds a batch: k·Σ over classes of a·work + b·bytes + c·weights + d·calls.

        A plain expression whose numbers are decimals as the profile has them, exactly.
        """
        return sympy.expand(self.factored)

    @cached_property
    def factored(self) -> sympy.Expr:
        """The same seconds, not multiplied out: shorter, and quicker to make."""
        return self._sum(self._repeats)

    @cached_property
    def low(self) -> sympy.Expr:
        """The lower end of an interval that should hold 80 % of measurements."""
        whole = self.seconds
        return whole**2 / (whole + WITHIN * sympy.sqrt(self.variance))

    @cached_property
    def high(self) -> sympy.Expr:
        """The upper end: as many times above as :attr:`low` is below."""
        return self.seconds + WITHIN * sympy.sqrt(self.variance)

    @cached_property
    def variance(self) -> sympy.Expr:
        """Of the prediction, in s².

        What calibration left open: of whole networks (``spread``), of each class's
        coefficients, and of each kernel beside its class; unmodelled ones may be
        anything between nothing and twice what they are taken for.
        """
        k = decimal(self.profile.overhead)
        parts, kernels = [decimal(self.profile.spread) * self.seconds], []
        for kind, totals in self._totals.items():
            for row in self.profile.coefficients[kind].factor:
                pairs = [(decimal(x), t) for x, t in zip(row, totals) if x]
                parts.append(k * sympy.Add(*(x * total for x, total in pairs)))
        for count, demand in self._repeats:
            kind, is_modelled = self._class(demand)
            residual = self.profile.coefficients[kind].residual
            each = self._sum([(1, demand)])
            if not is_modelled:
                parts.append(count * each)
            kernels.append(count * (decimal(residual) * each) ** 2)
        # A sum of squares, so that no set of symbols makes it negative.
        return sympy.Add(*(part**2 for part in parts), *kernels)

    @cached_property
    def unmodelled_seconds(self) -> sympy.Expr:
        """Seconds of kernels without a class of their own in the profile."""
        return self._sum(
            (count, d) for count, d in self._repeats if not self._class(d)[1]
        )

    @property
    def unmodelled_share(self) -> sympy.Expr:
        """Their part of all seconds, a fraction of 1."""
        return self.unmodelled_seconds / self.seconds

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Why the prediction is less sure than its profile: each with its reason."""
        return tuple(warnings_of(self))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row a kernel, in the order in which they run."""
        known = {key: self._row(demand) for key, demand in self._demands.items()}
        return tuple(
            Row(launch.nodes, *known[id(demand)])
            for launch in self._launches
            for demand in launch.demands
        )

    @property
    def whole(self) -> tuple[Dim, ...]:
        """What has to come out whole: tells questions which widths are legal."""
        from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes

        return tuple(tensor_sizes(self.network))

    def at(
        self, values: Mapping[Any, Any] | None = None, **named: object
    ) -> Prediction:
        """Return the prediction with symbols replaced, as :meth:`Network.bind` does."""
        return Prediction(self.network.bind(values, **named), self.profile)

    def by_scope(self, depth: int = 1) -> dict[str, sympy.Expr]:
        """Return seconds by the first ``depth`` levels of scope, in network order."""
        if type(depth) is not int or depth < 1:
            raise CostModelError(f"by_scope: depth {depth!r} is no whole number from 1")
        return self._grouped(
            lambda launch, _: ".".join(launch.nodes[0].split(".")[:depth])
        )

    def by_kind(self) -> dict[str, sympy.Expr]:
        """Return seconds by class of kernel, in order of first use."""
        return self._grouped(lambda _, demand: demand.kind)

    def by_node(self) -> dict[str, sympy.Expr]:
        """Return seconds by the node that each kernel is named after."""
        return self._grouped(lambda launch, _: launch.nodes[0])

    def _grouped(self, key: Callable[[Launch, Demand], str]) -> dict[str, sympy.Expr]:
        groups: dict[str, list[tuple[int, Demand]]] = {}
        for launch in self._launches:
            for demand in launch.demands:
                groups.setdefault(key(launch, demand), []).append((1, demand))
        return {name: self._sum(some) for name, some in groups.items()}

    @cached_property
    def _totals(self) -> dict[str, tuple[sympy.Expr, ...]]:
        return self._totals_of(self._repeats)

    def _totals_of(
        self, some: Iterable[tuple[int, Demand]]
    ) -> dict[str, tuple[sympy.Expr, ...]]:
        """Return each class's four totals: work, bytes, weights, calls."""
        groups: dict[tuple[str, Dim, Dim, Dim], list[tuple[int, Demand]]] = {}
        for count, demand in some:
            times = 1 if demand.is_stored else self.network.batch
            again = self._again(demand)
            key = (self._class(demand)[0], demand.when, times, again)
            groups.setdefault(key, []).append((count, demand))
        parts: dict[str, list[tuple[sympy.Expr, ...]]] = {}
        for (kind, when, times, again), group in groups.items():
            sums = (
                added(((n, d.work) for n, d in group), times),
                added(((n, d.activation_bytes) for n, d in group), times),
                added(((n, d.weight_bytes) for n, d in group), again),
                sum(n * d.calls for n, d in group),
            )
            parts.setdefault(kind, []).append(
                tuple(sympy.sympify(when) * total for total in sums)
            )
        return {
            kind: tuple(sympy.Add(*column) for column in zip(*rows))
            for kind, rows in parts.items()
        }

    def _sum(self, some: Iterable[tuple[int, Demand]]) -> sympy.Expr:
        terms = []
        k = decimal(self.profile.overhead)
        for kind, totals in self._totals_of(some).items():
            values = self.profile.coefficients[kind].values
            terms += [k * decimal(v) * total for v, total in zip(values, totals)]
        return sympy.Add(*terms)

    def _row(self, demand: Demand) -> tuple[str, Dim, Dim, Dim, Asked, bool]:
        """Return what does not depend on the kernel's place."""
        kind, is_modelled = self._class(demand)
        ((_, totals),) = self._totals_of([(1, demand)]).items()
        coefficients = self.profile.coefficients[kind].values
        k = decimal(self.profile.overhead)
        a, b, c, d = (k * decimal(v) * t for v, t in zip(coefficients, totals))
        times = 1 if demand.is_stored else self.network.batch
        asked = Asked(
            added([(1, demand.work)], times),
            added([(1, demand.activation_bytes)], times),
            added([(1, demand.weight_bytes)], self._again(demand)),
            demand.when,
        )
        return (
            demand.kind, as_dim(a), as_dim(b + c), as_dim(d), asked, is_modelled
        )  # fmt: skip

    def _again(self, demand: Demand) -> Dim:
        """Return how often a kernel reads its weights."""
        return self.network.batch if demand.reads_again else 1

    def _class(self, demand: Demand) -> tuple[str, bool]:
        """Return the class whose coefficients a kernel takes, and if it is its own."""
        known = self.profile.coefficients
        kind = demand.kind
        if kind in known:
            return kind, demand.is_modelled
        while kind not in known and kind in SUBSTITUTES:
            kind = SUBSTITUTES[kind]
        if kind not in known:
            kind = "copy" if "copy" in known else next(iter(known))
        return kind, False

    def _sympy_(self) -> sympy.Expr:
        """Give sympy the formula."""
        return self.seconds

    def __float__(self) -> float:
        """Return the seconds as a float, once every symbol is bound."""
        if free := self.seconds.free_symbols:
            names = ", ".join(sorted(map(str, free)))
            raise CostModelError(f"prediction: {names} are still symbols; bind them")
        return float(self.seconds)

    def __str__(self) -> str:
        """Write the formula; milliseconds with the interval once all is known."""
        if self.seconds.free_symbols:
            return f"{self.seconds} s"
        ends = (float(x) * 1e3 for x in (self.seconds, self.low, self.high))
        return "{:.4g} ms ({:.4g} to {:.4g})".format(*ends)


def predict(network: Network, device: str | Path | Profile) -> Prediction:
    """Return the seconds of a network on a device, as a formula of its free symbols.

    ``device`` is the name of a profile that comes with the package
    (:func:`costmodel.runtime.profile.profiles`), a file, or a profile. It says how the
    network runs as well: dtype, layout, mode, threads.

    **Units**: seconds a batch.
    """
    return Prediction(network, load_profile(device))


def decimal(value: float) -> sympy.Rational:
    """Return a number of a profile as it is written, exactly."""
    return sympy.Rational(repr(value))


__all__ = ["Count", "Prediction", "Row", "decimal", "predict"]
