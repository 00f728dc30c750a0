"""What two engines answer about one network, walked side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy


class Comparison:
    """The answers of two engines about one network, walked side by side."""

    def __init__(self, table: Mapping[str, list[Any]], formulas: Any) -> None:
        """Keep the earlier engine's formulas, and what writes and evaluates others.

        ``formulas`` are ``Formulas`` at the points of the table.
        """
        self.table, self.formulas = table, formulas
        self.values = self.rewritten = 0
        self.found: list[list[str]] = []

    def note(self, kind: str, path: Sequence[str], then: Any, now: Any) -> None:
        """Note a difference: its class, the way to it, and what was said."""
        self.found.append([kind, "/".join(path), shown(then), shown(now)])

    def walk(self, section: str, path: tuple[str, ...], then: Any, now: Any) -> None:
        """Compare two answers, part by part."""
        refusals = [refusal(then), refusal(now)]
        if any(refusals):
            self.values += 1
            if not all(refusals):
                kind = "answered now" if refusals[0] else "refused now"
                self.note(f"{section}: {kind}", path, then, now)
            elif refusals[0][0] != refusals[1][0]:
                self.note(f"{section}: fault", path, then, now)
            elif refusals[0] != refusals[1]:
                kind = "text of refusal" if refusals[0][0] == "refused" else "fault"
                self.note(f"{section}: {kind}", path, refusals[0][1], refusals[1][1])
        elif isinstance(then, dict) and isinstance(now, Mapping):
            self.walk_by_name(section, path, then, {str(k): v for k, v in now.items()})
        elif isinstance(then, list) and isinstance(now, (list, tuple)):
            if len(then) != len(now):
                self.note(f"{section}: length", path, then, now)
            for index, (one, other) in enumerate(zip(then, now)):
                self.walk(section, (*path, str(index)), one, other)
        else:
            self.leaf(section, path, then, now)

    def walk_by_name(
        self, section: str, path: tuple[str, ...], then: Any, now: Any
    ) -> None:
        """Compare answers that have names: the same names, in the same order."""
        for key in dict.fromkeys((*then, *now)):
            if key in then and key in now:
                self.walk(section, (*path, key), then[key], now[key])
            else:
                both = then.get(key, "nothing"), now.get(key, "nothing")
                self.note(f"{section}: in one alone", (*path, key), *both)
        if list(then) != list(now) and set(then) == set(now):
            self.note(f"{section}: order", path, list(then), list(now))

    def leaf(self, section: str, path: tuple[str, ...], then: Any, now: Any) -> None:
        """Compare two numbers, formulas or texts."""
        self.values += 1
        if isinstance(now, sympy.Integer):
            now = int(now)
        text = f"={self.formulas.text(now)}" if isinstance(now, sympy.Basic) else now
        if type(then) is type(text) and then == text:
            return
        before, after = self._valued(then), self._valued(now)
        if before is None or after is None or before[1:] != after[1:]:
            values = [known[1:] if known else "" for known in (before, after)]
            said = [f"{shown(a)} {b}" for a, b in zip((then, text), values)]
            self.note(f"{section}: value", path, *said)
        elif before[0] != after[0]:
            self.note(f"{section}: symbols", path, then, text)
        else:
            self.rewritten += 1

    def _valued(self, answer: Any) -> list[Any] | None:
        """Return the symbols of a count and its values; None of what is no count."""
        if type(answer) is int:
            return [[], *[answer] * len(self.formulas.points)]
        if isinstance(answer, sympy.Basic):
            found: list[Any] = self.formulas.valued(answer)
        elif isinstance(answer, str) and answer.startswith("="):
            found = self.table[answer[1:]]
        else:
            return None
        return found if len(found) > 1 else None


def refusal(answer: Any) -> tuple[str, str] | None:
    """Return how and with which words an answer was refused, if it was."""
    if isinstance(answer, Mapping) and len(answer) == 1:
        for how in ("refused", "failed"):
            if how in answer:
                return how, answer[how]
    return None


def shown(value: Any, width: int = 300) -> str:
    """Return a value as text that is not too long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= width else f"{text[:width]}…"
