"""Differences that are faults of the old engine, each with the fault's name."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """Differences of one class whose place, or what was said, has a certain form.

    ``where`` is searched for in the network's name and the way to the answer;
    ``then`` and ``now`` in what the old and the new engine say.
    """

    fault: str
    kind: str
    where: str = ""
    then: str = ""
    now: str = ""

    def covers(self, network: str, difference: list[str]) -> bool:
        """Say whether a difference is one of them."""
        kind, path, then, now = difference
        return (
            kind == self.kind
            and re.search(self.where, f"{network}/{path}") is not None
            and re.search(self.then, then) is not None
            and re.search(self.now, now) is not None
        )


KNOWN_DIFFERENCES: tuple[Known, ...] = ()
"""None so far. An entry's ``fault`` says what the old engine does wrong."""


def fault_of(network: str, difference: list[str]) -> str | None:
    """Return the name of the old engine's fault that a difference is, if known."""
    for known in KNOWN_DIFFERENCES:
        if known.covers(network, difference):
            return known.fault
    return None
