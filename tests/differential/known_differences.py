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


_ROW = "a row of one axis had a field of two: its second number was of no axis"

_SUMLESS = "an einsum that sums over nothing was taken to see all of its operands"

_ONE = r"^\([^,]*,\)$|^\[\[[^\[\]]*\]\]$|^\(\([^()]*\),\)$"
"""A tuple of one number, or of one window."""

ANSWERED = r"^(?!\{'(refused|failed)')"

KNOWN_DIFFERENCES: tuple[Known, ...] = (
    *(
        Known("exact supports were followed through maps alone, or failed",
              f"{section}: refused by one", r"/support$",
              r"has no rule for|has no positions along|failed", ANSWERED)
        for section in ("bound", "bound again")
    ),
    *(
        Known("operators that leave the image's positions alone were refused",
              f"{section}: refused by one", "",
              r"which positions (it looks at is not followed|repeat)"
              r"|channels that see different things", ANSWERED)
        for section in ("fields", "fields otherwise", "bound", "bound again")
    ),
    *(
        Known("elements of a vector, and what a linear layer makes, kept positions",
              f"{section}: value", r"", r"^(?!.*oo)", r"oo")
        for section in ("fields", "fields otherwise")
    ),
    *(
        Known("what slices and pads of one axis do at its end was left out",
              f"{section}: value", r"/padding_after/")
        for section in ("fields", "fields otherwise", "bound", "bound again")
    ),
    Known("behind a reshape an axis of one position was taken for its neighbour",
          "bound again: value", r"/name$"),
    *(
        known
        for section in ("fields", "fields otherwise", "bound", "bound again")
        for known in (
            Known(_SUMLESS, f"{section}: value", r"/einsum", then="oo", now="^[^o]*$"),
            Known(_SUMLESS, f"{section}: value", r"/(beyond|unbounded)$",
                  then="^einsum"),
            Known(_SUMLESS, f"{section}: value", r"/name$", now="^einsum"),
            Known(_SUMLESS, f"{section}: refused by one", r"/einsum[^/]*/",
                  then=r"sees the whole input, through \"einsum", now=ANSWERED),
        )
    ),
    *(
        known
        for section in ("fields", "fields otherwise", "bound", "bound again")
        for known in (
            Known(_ROW, f"{section}: length", then=r"^\[.*, .*\]$", now=_ONE),
            Known(_ROW, f"{section}: refused by one", "/region$",
                  now=r"is not a \(length,\)"),
        )
    ),
)  # fmt: skip
"""An entry's ``fault`` says what the old engine does wrong."""


def fault_of(network: str, difference: list[str]) -> str | None:
    """Return the name of the old engine's fault that a difference is, if known."""
    for known in KNOWN_DIFFERENCES:
        if known.covers(network, difference):
            return known.fault
    return None
