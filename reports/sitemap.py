"""Which pages a site has, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from costmodel.analysis.claims import Ruling
from reports.subject import Subject


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the site: its file from the site's root, and what it is called."""

    file: str
    title: str


@dataclass(frozen=True)
class Content:
    """All that a site is about: networks, judged claims, and where ideas come from.

    Without claims there is no page of claims, and without a lineage none of that.
    """

    subjects: tuple[Subject, ...]
    rulings: tuple[Ruling, ...] = ()
    lineage: nx.DiGraph | None = None

    @property
    def pages(self) -> tuple[Link, ...]:
        """The pages beside those of networks, as their navigation lists them."""
        found = [Link("index.html", "All networks")]
        if self.rulings:
            found.append(Link("claims.html", "Claims"))
        if self.lineage is not None:
            found.append(Link("lineage.html", "Lineage"))
        return (
            *found,
            Link("conventions.html", "Conventions"),
            Link("method.html", "Method"),
        )

    @cached_property
    def networks(self) -> dict[str, Link]:
        """The page of each network, by the network's name."""
        return {
            subject.architecture.name: Link(
                f"architectures/{subject.page}.html", subject.architecture.name
            )
            for subject in self.subjects
        }

    def about(self, families: Sequence[str]) -> tuple[Link, ...]:
        """Return the page of the first network of each of some families."""
        first: dict[str, Link] = {}
        for subject in self.subjects:
            chosen = subject.architecture
            if chosen.family in families:
                first.setdefault(chosen.family, self.networks[chosen.name])
        return tuple(first.values())
