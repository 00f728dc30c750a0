"""A network's data file, read back for the pages about many networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


COSTS = ("macs", "parameters", "activations")
"""Costs that every network has."""


@dataclass(frozen=True)
class Record:
    """A network's data file; numbers are exact, and what is not known is None."""

    data: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read the data file that a page's network wrote."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def __getattr__(self, name: str) -> Any:
        """Return a value of the file by its name."""
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def sides(self) -> str:
        """Spatial sizes of one sample, or the length of a vector: 224², 32×64, 784."""
        sides = self.data["input"][1:] or self.data["input"]
        if len(sides) == 2 and sides[0] == sides[1]:
            return f"{sides[0]}²"
        return "×".join(map(str, sides))

    @property
    def accuracy(self) -> float | None:
        """The top-1 accuracy in percent as a number, where one is recorded."""
        try:
            return float(self.data["top1"])
        except (TypeError, ValueError):
            return None  # none is recorded, or it is printed in words

    def amount(self, quantity: str) -> float | None:
        """Return a cost, or the seconds on a device, where that is known."""
        if quantity in COSTS:
            return int(self.data[quantity])
        found = self.data["seconds"].get(quantity)
        return None if found is None else float(found["seconds"])
