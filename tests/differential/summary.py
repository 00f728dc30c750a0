"""What came of a comparison: how much was compared, and what differs, by class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.differential.known_differences import reason_of


EXAMPLES = 4
"""How many differences of a class are shown."""


@dataclass
class Kind:
    """The differences of one class."""

    count: int = 0
    networks: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)

    def add(self, network: str, differences: list[list[str]]) -> None:
        """Count the differences of one network."""
        self.count += len(differences)
        self.networks += 1
        if len(self.examples) < EXAMPLES:
            _, path, then, now = differences[0]
            self.examples.append(
                {"network": network, "at": path, "old": then, "new": now}
            )


@dataclass
class Summary:
    """All answers so far."""

    networks: int = 0
    values: int = 0
    rewritten: int = 0
    """Formulas of which only the text differs: they have the same values."""
    differences: dict[str, Kind] = field(default_factory=dict)
    known: dict[str, Kind] = field(default_factory=dict)

    def add(self, answer: dict[str, Any]) -> None:
        """Count what was found out about one network."""
        self.networks += 1
        self.values += answer["values"]
        self.rewritten += answer["rewritten"]
        grouped: dict[tuple[bool, str], list[list[str]]] = {}
        for difference in answer["differences"]:
            reason = reason_of(answer["name"], difference)
            key = (reason is not None, reason or difference[0])
            grouped.setdefault(key, []).append(difference)
        for (is_known, name), differences in grouped.items():
            kinds = self.known if is_known else self.differences
            kinds.setdefault(name, Kind()).add(answer["name"], differences)

    @property
    def is_equal(self) -> bool:
        """Say whether all differences are known."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """Return the summary as data."""
        return {
            "networks": self.networks,
            "values": self.values,
            "rewritten": self.rewritten,
            "differences": {n: vars(kind) for n, kind in self.differences.items()},
            "known": {name: vars(kind) for name, kind in self.known.items()},
        }

    def __str__(self) -> str:
        """Write the summary as text."""
        total = sum(kind.count for kind in self.differences.values())
        lines = [
            f"{self.networks:,} networks, {self.values:,} values compared, "
            f"{self.rewritten:,} formulas written otherwise: {total:,} differences"
        ]
        for title, kinds in (("", self.differences), ("known: ", self.known)):
            for name, kind in sorted(kinds.items()):
                lines.append(
                    f"{title}{name}: {kind.count:,} in {kind.networks:,} networks"
                )
                for example in kind.examples:
                    lines += [
                        f"    {example['network']}: {example['at']}",
                        f"        old  {example['old']}",
                        f"        new  {example['new']}",
                    ]
        return "\n".join(lines)
