"""A network of a site: how what is known of it is found, and what that depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from costmodel.reports.data.subject import Subject


@dataclass(frozen=True, slots=True)
class Part:
    """A network whose files are written by whoever is free, in a process of its own.

    ``make`` has to be picklable, and to give the same for the same ``key``. An empty
    key says that nobody knows what it depends on: its files are always written anew,
    and here, in this process.
    """

    name: str
    family: str
    file: str
    make: Callable[[], Subject]
    key: str = ""

    @classmethod
    def of(cls, subject: Subject) -> Part:
        """Return a subject that is there already as a part."""
        chosen = subject.architecture
        return cls(chosen.name, chosen.family, subject.page, lambda: subject)

    @property
    def is_shared_out(self) -> bool:
        """Say whether another process can make it."""
        return self.key != ""
