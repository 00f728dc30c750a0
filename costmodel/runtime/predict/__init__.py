"""Seconds from the formula: how long a network takes on a calibrated device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import sympy
from sympy.utilities.iterables import sift

from costmodel.algebra.symbols import Dim, as_dim, expand, plain
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.kernels import Kernel, kernels
from costmodel.runtime.kernels.kernel import NUMBERS
from costmodel.runtime.kernels.routine_choice import at_least
from costmodel.runtime.predict.warnings import Row, warnings_of
from costmodel.runtime.profile import MULTIPLIED, Coefficients, Profile, load_profile


class Prediction:
    """A network's seconds as a plain formula, with an interval, by kernel.

    It may stand wherever a question takes a formula:
    ``costmodel.largest(prediction, alpha, 10e-3, at={"N": 1, "H": 224, "W": 224})``.
    """

    def __init__(
        self, network: Network, profile: Profile, known: tuple[Kernel, ...] = ()
    ) -> None:
        """Keep both, and find the kernels, if those of this setting are not known."""
        self.network, self.profile = network, profile
        self._kernels = known or kernels(network, profile.setting)
        self._known: dict[Any, list[tuple[tuple[sympy.Rational, ...], Dim]]] = {}

    @cached_property
    def seconds(self) -> sympy.Expr:
        """Seconds per batch: Σ a·work + b·bytes + c·weights + d·calls, over classes.

        A plain expression whose numbers are decimals as the profile has them, exactly.
        """
        return expand(self.factored)

    @cached_property
    def factored(self) -> sympy.Expr:
        """The same seconds, not multiplied out: shorter, and quicker to compute."""
        return self._sum(self._kernels)

    @cached_property
    def low(self) -> sympy.Expr:
        """The lower end of an interval that should hold 80 % of measurements."""
        return self.seconds**2 / self.high

    @cached_property
    def high(self) -> sympy.Expr:
        """The upper end: as many times above as :attr:`low` is below.

        Four of five networks that calibration left out were off by no more than its
        margin. What is unmodelled may take twice what it is taken for.
        """
        return decimal(self.profile.margin) * self.seconds + self.unmodelled_seconds

    @cached_property
    def unmodelled_seconds(self) -> sympy.Expr:
        """Seconds of kernels without a class of their own in the profile."""
        return self._sum(k for k in self._kernels if not self._class(k)[1])

    @property
    def unmodelled_share(self) -> sympy.Expr:
        """Their part of all seconds, a fraction of 1."""
        return self.unmodelled_seconds / self.seconds

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Why the prediction is less sure than its profile: each with its reason."""
        return tuple(warnings_of(self.rows, self.profile))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Each kernel with its seconds, in the order in which they run."""
        known: dict[Kernel, tuple[Dim, Dim, Dim, bool]] = {}
        found = []
        for kernel in self._kernels:
            key = _anywhere(kernel)
            if key not in known:
                known[key] = self._priced(kernel)
            found.append(Row(kernel, *known[key]))
        return tuple(found)

    @property
    def whole(self) -> tuple[Dim, ...]:
        """Sizes that have to be whole numbers: they decide which widths are legal."""
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
        return self._grouped(lambda kernel: ".".join(kernel.name.split(".")[:depth]))

    def by_kind(self) -> dict[str, sympy.Expr]:
        """Return seconds by class of kernel, in order of first use."""
        return self._grouped(lambda kernel: kernel.kind)

    def by_node(self) -> dict[str, sympy.Expr]:
        """Return seconds by the node that each kernel is named after."""
        return self._grouped(lambda kernel: kernel.name)

    def _grouped(self, key: Callable[[Kernel], str]) -> dict[str, sympy.Expr]:
        groups = sift(self._kernels, key)
        return {name: self._sum(some) for name, some in groups.items()}

    def _sum(self, some: Iterable[Kernel]) -> sympy.Expr:
        """Return the seconds of kernels, those of one part of a class added first."""
        groups: dict[tuple[Any, ...], list[Kernel]] = {}
        for kernel in some:
            for values, share in self._parts(kernel):
                groups.setdefault((values, share), []).append(kernel)
        terms = []
        for (values, share), group in groups.items():
            totals = (
                sympy.Add(*(getattr(k, name) for k in group)) for name in MULTIPLIED
            )
            seconds = sympy.Add(*(v * total for v, total in zip(values, totals)))
            seconds += len(group) * self._between
            terms.append(sympy.sympify(share) * seconds)
        return sympy.Add(*terms)

    @property
    def _between(self) -> sympy.Rational:
        """Seconds that pass before or after each kernel."""
        return decimal(self.profile.between)

    def _parts(self, kernel: Kernel) -> list[tuple[tuple[sympy.Rational, ...], Dim]]:
        """Return the coefficients that a kernel may have, and where: 1 there, else 0.

        With all numbers known it is one. The network's overhead is in them.
        """
        key = (kernel.kind, kernel.when, *map(kernel.number, NUMBERS))
        if key not in self._known:
            found = self.profile.coefficients[self._class(kernel)[0]]
            leaves = list(_leaves(found, kernel, kernel.when))
            self._known[key] = [(self._values(leaf), where) for leaf, where in leaves]
        return self._known[key]

    def _values(self, leaf: Coefficients) -> tuple[sympy.Rational, ...]:
        k = decimal(self.profile.overhead)
        return tuple(k * decimal(value) for value in leaf.values)

    def _priced(self, kernel: Kernel) -> tuple[Dim, Dim, Dim, bool]:
        """Return the seconds of computing, of moving, of calls; if it has a class."""
        sums = [sympy.S.Zero] * 4
        for values, share in self._parts(kernel):
            for number, (value, name) in enumerate(zip(values, MULTIPLIED)):
                sums[number] += share * value * getattr(kernel, name)
            sums[3] += share * self._between
        a, b, c, d = sums
        return as_dim(a), as_dim(b + c), as_dim(d), self._class(kernel)[1]

    def _class(self, kernel: Kernel) -> tuple[str, bool]:
        """Return the class whose coefficients a kernel takes, and if it is its own."""
        kind = self.profile.class_of(kernel.kind)
        return kind, kernel.is_modelled and kind == kernel.kind

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

    **Units**: seconds per batch.
    """
    return Prediction(network, load_profile(device))


def _leaves(
    found: Coefficients, kernel: Kernel, where: Dim
) -> Iterator[tuple[Coefficients, Dim]]:
    """Give the parts of a class that a kernel may be in, and 1 where it is, else 0."""
    if not found.parts:
        yield found, where
        return
    is_high = at_least(kernel.number(found.split), found.limit + 1)
    for part, share in zip(found.parts, (1 - is_high, is_high)):
        if share != 0:
            yield from _leaves(part, kernel, plain(where * share))


def _anywhere(kernel: Kernel) -> Kernel:
    """Return a kernel without its place: kernels that are equal take equally long."""
    return replace(kernel, nodes=())


def decimal(value: float) -> sympy.Rational:
    """Return a number of a profile as it is written, exactly."""
    return sympy.Rational(repr(value))
