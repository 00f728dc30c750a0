"""The description of a user's own network, which has no paper, for tables and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from costmodel.network.registry.options import Option
from costmodel.network.registry.printed_figures import Published


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The description of a network that is not in the registry.

    It reads like an :class:`~costmodel.network.registry.Architecture` without a paper:
    no year, no published figure, and no option, for its own code had them.
    """

    name: str
    title: str
    warnings: tuple[str, ...] = ()
    """Warnings that were raised while it was built and traced."""

    family: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    year: ClassVar[None] = None
    options: ClassVar[Mapping[str, Option]] = MappingProxyType({})
    published: ClassVar[tuple[Published, ...]] = ()
    departures: ClassVar[tuple[str, ...]] = ()

    @property
    def summary(self) -> str:
        """One line: what the network is."""
        return self.title
