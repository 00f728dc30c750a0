"""Seconds from the formula: how long a network takes on a calibrated device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import sympy
from sympy.utilities.iterables import sift

from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.kernels import Kernel, kernels
from costmodel.runtime.kernels.classes import SUBSTITUTES
from costmodel.runtime.predict.warnings import Row, warnings_of
from costmodel.runtime.profile import FEATURES, Profile, load_profile


WITHIN = sympy.Rational(128155, 100000)
"""Standard deviations to either side that hold 80 % of a normal distribution."""


class Prediction:
    """A network's seconds as a plain formula, with an interval, by kernel.

    It may stand wherever a question takes a formula:
    ``costmodel.largest(prediction, alpha, 10e-3, at={"N": 1, "H": 224, "W": 224})``.
    """

    def __init__(self, network: Network, profile: Profile) -> None:
        """Keep both, and find the kernels."""
        self.network, self.profile = network, profile
        self._kernels = kernels(network, profile.setting)

    @cached_property
    def seconds(self) -> sympy.Expr:
        """Seconds per batch: k·Σ a·work + b·bytes + c·weights + d·calls, over classes.

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
        anything between nothing and twice what they are taken for, equal ones alike.
        """
        k = decimal(self.profile.overhead)
        parts = [decimal(self.profile.spread) * self.seconds]
        for kind, totals in self._totals(self._kernels).items():
            for factors in self.profile.coefficients[kind].factor:
                pairs = [(decimal(x), t) for x, t in zip(factors, totals) if x]
                parts.append(k * sympy.Add(*(x * total for x, total in pairs)))
        apart = []
        for kernel, count in Counter(map(_anywhere, self._kernels)).items():
            kind, is_modelled = self._class(kernel)
            residual = self.profile.coefficients[kind].residual
            each = self._sum([kernel])
            if not is_modelled:
                parts.append(count * each)
            apart.append(count * (decimal(residual) * each) ** 2)
        # A sum of squares, so that no set of symbols makes it negative.
        return sympy.Add(*(part**2 for part in parts), *apart)

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

    def _totals(self, some: Iterable[Kernel]) -> dict[str, tuple[sympy.Expr, ...]]:
        """Return each class's four totals: work, bytes, weights, calls."""
        groups = sift(some, lambda kernel: (self._class(kernel)[0], kernel.when))
        parts: dict[str, list[tuple[sympy.Expr, ...]]] = {}
        for (kind, when), group in groups.items():
            terms = ([getattr(k, name) for k in group] for name in (*FEATURES, "calls"))
            sums = (sympy.sympify(when) * sympy.Add(*numbers) for numbers in terms)
            parts.setdefault(kind, []).append(tuple(sums))
        return {
            kind: tuple(sympy.Add(*column) for column in zip(*sums))
            for kind, sums in parts.items()
        }

    def _sum(self, some: Iterable[Kernel]) -> sympy.Expr:
        terms = []
        k = decimal(self.profile.overhead)
        for kind, totals in self._totals(some).items():
            values = self.profile.coefficients[kind].values
            terms += [k * decimal(v) * total for v, total in zip(values, totals)]
        return sympy.Add(*terms)

    def _priced(self, kernel: Kernel) -> tuple[Dim, Dim, Dim, bool]:
        """Return the seconds of computing, of moving, of calls; if it has a class."""
        known = self.profile.coefficients
        kind, is_modelled = self._class(kernel)
        (totals,) = self._totals([kernel]).values()
        k, values = decimal(self.profile.overhead), known[kind].values
        a, b, c, d = (k * decimal(v) * total for v, total in zip(values, totals))
        return as_dim(a), as_dim(b + c), as_dim(d), is_modelled

    def _class(self, kernel: Kernel) -> tuple[str, bool]:
        """Return the class whose coefficients a kernel takes, and if it is its own."""
        known = self.profile.coefficients
        kind = kernel.kind
        if kind in known:
            return kind, kernel.is_modelled
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

    **Units**: seconds per batch.
    """
    return Prediction(network, load_profile(device))


def _anywhere(kernel: Kernel) -> Kernel:
    """Return a kernel without its place: kernels that are equal take equally long."""
    return replace(kernel, nodes=())


def decimal(value: float) -> sympy.Rational:
    """Return a number of a profile as it is written, exactly."""
    return sympy.Rational(repr(value))
