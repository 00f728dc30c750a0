"""What a page is about: one architecture, and all that was found out about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from costmodel.algebra.symbols import alpha
from costmodel.analysis.cost import Cost, cost, depth
from costmodel.analysis.published import Check, Verdict
from costmodel.network.graph import Network
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
        """The top-1 accuracy of the default network in percent, and its source."""
        chosen = self.architecture
        if chosen.top1 is not None:
            return chosen.top1, "torchvision IMAGENET1K_V1"
        for verdict in self.verdicts:
            if verdict.row.quantity == "top1" and self._is_default(verdict):
                return verdict.row.printed, f"paper, {verdict.row.source}"
        return None

    @property
    def unlisted_departures(self) -> tuple[str, ...]:
        """Departures of the family that no row of this network names."""
        named = {verdict.row.departure for verdict in self.verdicts}
        return tuple(text for text in self.architecture.departures if text not in named)

    def _is_default(self, verdict: Verdict) -> bool:
        """Say whether a figure holds for the network that the page shows."""
        chosen = self.architecture
        resolution = verdict.row.resolution or str(chosen.resolution)
        is_whole = verdict.row.layer is None and resolution == str(chosen.resolution)
        return is_whole and all(
            str(chosen.options[key].default) == value
            for key, value in verdict.row.options
        )
