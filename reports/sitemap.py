"""Which pages a site has, and where they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from costmodel.reports.job import Part


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the site: its file from the site's root, and what it is called."""

    file: str
    title: str


SITE_PAGES = {
    "index": "All networks", "explorer": "Explorer", "compare": "Compare",
    "claims": "Claims", "lineage": "Lineage", "search": "Search",
    "runtime": "Runtime", "conventions": "Conventions", "method": "Method",
}  # fmt: skip
"""Pages about many networks, by the names of their files, and their titles."""

OPTIONAL = ("claims", "lineage", "search")
"""Pages that are there only where something is given for them."""


@dataclass(frozen=True)
class Frame:
    """What every page knows of the others: where they are, and the families."""

    pages: tuple[Link, ...]
    networks: Mapping[str, Link]
    """The page of each network, by the network's name."""
    kin: Mapping[str, tuple[str, ...]]
    """The networks of each family."""

    @classmethod
    def of(cls, parts: Sequence[Part], given: Collection[str] = ()) -> Frame:
        """Return the frame of a site; ``given`` are the optional pages that it has."""
        pages = tuple(
            Link(f"{file}.html", title)
            for file, title in SITE_PAGES.items()
            if file in given or file not in OPTIONAL
        )
        networks = {
            part.name: Link(f"architectures/{part.file}.html", part.name)
            for part in parts
        }
        kin: dict[str, list[str]] = {}
        for part in parts:
            kin.setdefault(part.family, []).append(part.name)
        return cls(pages, networks, {name: tuple(of) for name, of in kin.items()})

    def kin_of(self, name: str, family: str) -> tuple[Link, ...]:
        """Return the pages of a network's family, its own among them, if it has kin."""
        names = self.kin.get(family, ()) if family else ()
        links = tuple(self.networks[other] for other in names)
        return links if name in names and len(names) > 1 else ()

    def about(self, families: Sequence[str]) -> tuple[Link, ...]:
        """Return the page of the first network of each of some families."""
        firsts = (self.kin[family][0] for family in families if family in self.kin)
        return tuple(self.networks[name] for name in firsts)
