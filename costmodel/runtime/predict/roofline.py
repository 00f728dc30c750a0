"""Why a network takes its time: each layer under the device's roofline.

A layer cannot be faster than its operations at the device's highest rate, nor than its
bytes at the highest rate of memory, and each call costs something besides:

    t ≥ Max(flops / peak FLOP/s, bytes / peak bytes/s) + calls

The additive form (:mod:`costmodel.runtime.predict`) predicts; this one explains.

**Source**: Williams, Waterman, Patterson 2009, "Roofline", *CACM* 52(4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import sympy

from costmodel.algebra.questions.compare import Region, dominant
from costmodel.algebra.symbols import Dim, as_dim, expand
from costmodel.analysis.cost import Row as CostRow
from costmodel.analysis.cost import cost
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.predict import Prediction, decimal, predict
from costmodel.runtime.profile import Profile


BOUNDS = ("compute", "memory", "call")
"""What may limit a layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Nodes that run together, under the roofline.

    **Units**: FLOP (a multiply–accumulate is 2), bytes, seconds; exact.
    """

    nodes: tuple[str, ...]
    kinds: tuple[str, ...]
    """Classes of the kernels that may run it."""
    flops: Dim
    moved_bytes: Dim
    compute: Dim
    """Seconds of its operations at the device's highest rate."""
    memory: Dim
    """Seconds of its bytes at memory's highest rate."""
    call: Dim
    """Seconds that calling its kernels costs, however small they are."""

    @property
    def name(self) -> str:
        """The node that it is named after."""
        return self.nodes[0]

    @property
    def arithmetic_intensity(self) -> Dim:
        """FLOP per byte moved."""
        return as_dim(sympy.cancel(sympy.sympify(self.flops) / self.moved_bytes))

    @property
    def seconds(self) -> Dim:
        """The roofline's bound: nothing that does this work is faster."""
        return as_dim(sympy.Max(self.compute, self.memory) + self.call)

    @property
    def bound(self) -> str | None:
        """What takes longest, one of :data:`BOUNDS`; None while that is in symbols."""
        parts = [sympy.sympify(getattr(self, name)) for name in BOUNDS]
        if any(part.free_symbols for part in parts):
            return None
        return BOUNDS[parts.index(max(parts))]

    def regions(
        self, symbol: sympy.Symbol, at: Mapping[Any, object] | None = None
    ) -> tuple[Region, ...]:
        """Return from where to where it is bound by compute, and by memory.

        Exact, as the answers of :func:`costmodel.dominant` are; ``at`` gives the other
        symbols' values. What calls cost is left aside.

        **Errors**: the layer does not depend on the symbol.
        """
        law = {"compute": self.compute, "memory": self.memory}
        return dominant(law, symbol, at=at)


@dataclass(frozen=True)
class Roofline:
    """A network's layers under a device's roofline, in the order in which they run."""

    prediction: Prediction
    layers: tuple[Layer, ...]

    @property
    def ridge_point(self) -> sympy.Rational:
        """FLOP per byte at which the roofline bends; above it, compute is the bound."""
        flops, moved = _peaks(self.prediction.profile)
        return flops / moved

    @property
    def seconds(self) -> sympy.Expr:
        """The bound of the whole network: that of its layers, one after the other."""
        return sympy.Add(*(layer.seconds for layer in self.layers))

    def __getitem__(self, name: str) -> Layer:
        """Return the layer that runs a node."""
        for layer in self.layers:
            if name in layer.nodes:
                return layer
        raise CostModelError(
            f'{self.prediction.network.name}: no kernel runs "{name}"; views run none'
        )

    def by_bound(self) -> dict[str, sympy.Expr]:
        """Return the bound's seconds by what limits the layers; all must be numbers."""
        found = dict.fromkeys(BOUNDS, sympy.S.Zero)
        for layer in self.layers:
            if layer.bound is None:
                raise CostModelError(
                    f"{layer.name}: its bound is in symbols; bind them"
                )
            found[layer.bound] += layer.seconds
        return found


def explain(network: Network, device: str | Path | Profile) -> Roofline:
    """Return a network's layers under the roofline of a calibrated device.

    The roofline's sides are the highest rates sustained while calibrating, not a
    datasheet's; calls cost what the profile has for the kernel's class.

    **Units**: seconds per batch.
    **Errors**: the profile has no peak rates.
    """
    prediction = predict(network, device)
    return Roofline(prediction, tuple(_layers(prediction)))


def _layers(prediction: Prediction) -> Iterator[Layer]:
    """Give a layer per group of kernels that run the same nodes, or may run them."""
    setting = prediction.profile.setting
    costs = cost(prediction.network, bytes_per_element=setting.element_bytes)
    rows = {row.name: row for row in costs.rows}
    peak_flops, peak_bytes = _peaks(prediction.profile)
    known: dict[int, Dim] = {}
    for nodes, group in groupby(prediction.rows, key=lambda row: row.nodes):
        run = tuple(group)
        flops = as_dim(sympy.Add(*(_flops(rows[name], known) for name in nodes)))
        # Of kernels, where they run.
        parts = (sympy.sympify(k.when) * (k.activation_bytes + k.weight_bytes)
                 for k in (row.kernel for row in run))  # fmt: skip
        moved = as_dim(expand(sympy.Add(*parts)))
        yield Layer(
            nodes,
            tuple(dict.fromkeys(row.kind for row in run)),
            flops,
            moved,
            as_dim(flops / peak_flops),
            as_dim(moved / peak_bytes),
            as_dim(sympy.Add(*(row.call for row in run))),
        )


def _flops(row: CostRow, known: dict[int, Dim]) -> Dim:
    """Return a node's operations, a multiply–accumulate as two; equal nodes' once."""
    key = id(row.sample)
    if key not in known:
        tally = row.tally
        one = (tally.add, tally.mul, tally.div, tally.exp, tally.compare)
        known[key] = as_dim(sympy.Add(2 * tally.mac, *one))
    return known[key]


def _peaks(profile: Profile) -> tuple[sympy.Rational, sympy.Rational]:
    """Return FLOP/s and bytes/s at the most."""
    if not (profile.peak_flop_per_s and profile.peak_byte_per_s):
        raise CostModelError(
            f'profile "{profile.name}": it has no peak rates, so no roofline; '
            "calibrate the device again"
        )
    return decimal(profile.peak_flop_per_s), decimal(profile.peak_byte_per_s)
