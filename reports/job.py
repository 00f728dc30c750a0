"""A network of a report before it is analysed: how to analyse it, and its key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from costmodel.reports.data.subject import Subject


@dataclass(frozen=True, slots=True)
class Part:
    """A network whose files any process may write.

    ``make`` has to be picklable, and to give the same for the same ``key``. An empty
    key says that it is not known what the network depends on: its files are always
    written anew, in this process.
    """

    name: str
    family: str
    file: str
    make: Callable[[], Subject]
    key: str = ""

    @classmethod
    def of(cls, subject: Subject) -> Part:
        """Return a subject that exists already as a part."""
        chosen = subject.architecture
        return cls(chosen.name, chosen.family, subject.page, lambda: subject)

    @property
    def is_shared_out(self) -> bool:
        """Say whether another process can make it."""
        return self.key != ""
