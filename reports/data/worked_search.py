"""Searches as examples: what was asked of a space, and what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.nas import Evaluation, Found


SEARCH_SCHEMA = "costmodel.report.search/1"


@dataclass(frozen=True)
class WorkedSearch:
    """A search of a space, done before the page is written."""

    title: str
    paper: str
    says: str
    """What the space is, as a sentence."""
    lesson: str
    """What the front shows, as a sentence."""
    sizes: Mapping[str, int | None]
    """How many networks the whole space has at each level, where that is known."""
    python: str
    command: str
    found: Found
    baseline: Found | None = None
    """A random search of as many evaluations; None where every network was tried."""

    @property
    def name(self) -> str:
        """The name of the space."""
        return self.found.space.name


def search_twin(works: Sequence[WorkedSearch]) -> str:
    """Return the searches as JSON: every network of each front, and its provenance."""
    searches = [json.dumps(_record(work), ensure_ascii=False) for work in works]
    listed = ",\n".join(searches)
    return f'{{"schema":"{SEARCH_SCHEMA}",\n"searches":[\n{listed}\n]}}\n'


def _record(work: WorkedSearch) -> dict[str, Any]:
    told = work.found.to_dict()
    random = None if work.baseline is None else work.baseline.to_dict()["front"]
    return {
        "space": work.name,
        "title": work.title,
        "paper": work.paper,
        "says": work.says,
        "size": dict(work.sizes),
        "python": work.python,
        "command": work.command,
        "lesson": work.lesson,
        "objectives": [
            {"name": one.name, "maximized": one.is_maximized}
            for one in work.found.objectives
        ],
        **told,
        "random_front": random,
    }


def first_middle_last(front: Sequence[Evaluation]) -> tuple[int, ...]:
    """Return the places of the first, the middle and the last of a front, each once."""
    return tuple(sorted({0, (len(front) - 1) // 2, len(front) - 1}))
