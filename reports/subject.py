"""What a page is about: one architecture, and all that was found out about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from costmodel.algebra.symbols import alpha
from costmodel.analysis.cost import Cost, cost, depth
from costmodel.analysis.published import Check, Verdict
from costmodel.network.graph import Network
from costmodel.network.published import Published
from costmodel.network.registry import Architecture


@dataclass(frozen=True)
class Subject:
    """An architecture with its networks, verdicts and oracle checks.

    ``symbolic`` has N, H, W and perhaps the width α free; ``bound`` has N = 1 and
    H = W = the architecture's resolution. ``note`` says why there are no checks.
    """

    architecture: Architecture
    symbolic: Network
    bound: Network
    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    note: str = ""

    @property
    def has_width(self) -> bool:
        """Say whether the formulas are also in the width α."""
        return alpha in self.symbolic.free_symbols

    @cached_property
    def law(self) -> Cost:
        """What the network costs as formulas in its free symbols."""
        return cost(self.symbolic)

    @cached_property
    def cost(self) -> Cost:
        """What the network costs at its own resolution, in integers."""
        return cost(self.bound)

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
    def unlisted_departures(self) -> tuple[str, ...]:
        """Departures of the family that no row of this network names."""
        named = {verdict.row.departure for verdict in self.verdicts}
        return tuple(text for text in self.architecture.departures if text not in named)

    def _changed(self, row: Published) -> dict[str, str]:
        """Return the settings of a figure that are not those which the page shows."""
        chosen = self.architecture
        shown = {key: str(option.default) for key, option in chosen.options.items()}
        shown["resolution"] = str(chosen.resolution)
        given = dict(row.options) | {"resolution": row.resolution, "layer": row.layer}
        return {k: v for k, v in given.items() if v is not None and v != shown.get(k)}
