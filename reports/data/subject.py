"""The subject of a page: one network, and everything that was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy

from costmodel.algebra.symbols import Dim, alpha
from costmodel.analysis.cost import Cost, cost
from costmodel.analysis.cost.depth import depth
from costmodel.analysis.evidence.printed import Check, Verdict
from costmodel.analysis.reconcile import Reconciliation, reconcile
from costmodel.network.graph import Network
from costmodel.network.registry import Architecture
from costmodel.network.registry.own_network import Unregistered
from costmodel.network.registry.printed_figures import Published


@dataclass(frozen=True, slots=True)
class Option:
    """An option that formulas keep as a symbol: its name, and its own value."""

    name: str
    value: Dim

    @property
    def words(self) -> str:
        """The name as people write it."""
        return self.name.replace("_", " ")

    def named(self, symbol: sympy.Symbol) -> str:
        """Return the name, and the symbol where that is another one."""
        return self.words if self.name == symbol.name else f"{self.words} {symbol}"


@dataclass(frozen=True)
class Subject:
    """An architecture with its networks, verdicts and oracle checks.

    ``symbolic`` has N, H, W and perhaps the width α free; ``bound`` has N = 1 and
    H = W = the architecture's resolution, or what its user asks for. ``note`` says why
    there are no checks. ``file`` is what its page is called, by default its name.
    ``options`` are other options that ``symbolic`` leaves free.
    """

    architecture: Architecture | Unregistered
    symbolic: Network
    bound: Network
    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    note: str = ""
    file: str = ""
    options: Mapping[sympy.Symbol, Option] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """What the files of its page are called, without their endings."""
        return self.file or self.architecture.name

    @property
    def input(self) -> str:
        """The shape of one sample, channels first."""
        return str(self.bound.inputs[0].output)

    @property
    def sides(self) -> str:
        """Spatial sizes of one sample, or the length of a vector: 224², 32×64, 784."""
        sizes = self.bound.inputs[0].output.sizes
        sides = sizes[1:] or sizes
        if len(sides) == 2 and sides[0] == sides[1]:
            return f"{sides[0]}²"
        return "×".join(map(str, sides))

    @property
    def has_width(self) -> bool:
        """Say whether the formulas are also in the width α."""
        return alpha in self.symbolic.free_symbols

    @property
    def own(self) -> dict[sympy.Symbol, Dim]:
        """The network's own values of its width and of its other options."""
        found = {symbol: setting.value for symbol, setting in self.options.items()}
        return {alpha: 1, **found} if self.has_width else found

    @cached_property
    def law(self) -> Cost:
        """What the network costs as formulas in its free symbols."""
        return cost(self.symbolic)

    @cached_property
    def cost(self) -> Cost:
        """What the network costs at its own resolution, in integers."""
        return cost(self.bound)

    @cached_property
    def accounts(self) -> Reconciliation:
        """What every tool prints for the network at its own resolution."""
        return reconcile(self.bound)

    @cached_property
    def depth(self) -> int:
        """Weighted layers on the longest path."""
        return depth(self.bound)

    @property
    def top1(self) -> tuple[str, str] | None:
        """A recorded top-1 accuracy in percent, and its source.

        It is the default network's, or else that of a variant, which the source names.
        """
        rows = [v.row for v in self.verdicts if v.row.quantity == "top1"]
        for row in rows:
            if not self._changed(row):
                return row.printed, row.source
        for row in rows:
            changed = self._changed(row)
            if "variant" in changed and changed.keys() <= {"variant", "resolution"}:
                told = ", ".join(f"{key} {value}" for key, value in changed.items())
                return row.printed, f"{row.source}, {told}"
        return None

    @property
    def wrong(self) -> list[str]:
        """Checks that differ, and published figures that differ without a cause."""
        checks = [f"{c.quantity} by {c.oracle}" for c in self.checks if not c.agrees]
        rows = [verdict.row for verdict in self.verdicts if verdict.is_wrong]
        return [*checks, *(f"{row.quantity} {row.printed}" for row in rows)]

    @property
    def unlisted_departures(self) -> tuple[str, ...]:
        """Departures of the family that no row of this network names."""
        named = {verdict.row.departure for verdict in self.verdicts}
        return tuple(text for text in self.architecture.departures if text not in named)

    def _changed(self, row: Published) -> dict[str, str]:
        """Return the settings of a figure that are not those which the page shows."""
        chosen = self.architecture
        shown = {key: str(option.default) for key, option in chosen.options.items()}
        shown["resolution"] = str(getattr(chosen, "resolution", ""))
        given = dict(row.options) | {"resolution": row.resolution, "layer": row.layer}
        return {k: v for k, v in given.items() if v is not None and v != shown.get(k)}
