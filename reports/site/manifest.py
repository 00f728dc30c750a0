"""The manifest of a written report: its files, and what each part depends on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from costmodel.reports.digest import of_file


MARKER = ".costmodel-report"
"""The file that says that a folder is a report, and which files belong to it."""

SCHEMA = "costmodel.report.marker/1"


@dataclass(frozen=True, slots=True)
class Made:
    """A part of a site: the digest of all that it depends on, and its files."""

    key: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a report by name with their SHA-256, and its parts."""

    files: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Made] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of a folder; an empty one where it is no report.

        A list of names alone, as early versions wrote it, still says which files
        belong to the report.
        """
        marker = folder / MARKER
        if not marker.is_file():
            return cls()
        text = marker.read_text(encoding="utf-8", errors="replace")
        try:
            return cls._of(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls(dict.fromkeys(text.splitlines(), ""))

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Manifest:
        if record["schema"] != SCHEMA:
            raise ValueError(record["schema"])
        parts = {
            name: Made(str(made["key"]), tuple(map(str, made["files"])))
            for name, made in record["parts"].items()
        }
        files = {str(name): str(told) for name, told in record["files"].items()}
        return cls(files, parts)

    @property
    def listed(self) -> set[str]:
        """The names of all files, the marker among them."""
        return {MARKER, *self.files} if self.files else set()

    def still_has(self, folder: Path, part: str, key: str) -> bool:
        """Say whether a part would come out the same, and its files are as written."""
        made = self.parts.get(part)
        return made is not None and made.key == key != "" and self._is(folder, made)

    def _is(self, folder: Path, made: Made) -> bool:
        return all(
            (folder / name).is_file() and of_file(folder / name) == self.files.get(name)
            for name in made.files
        )


def marker_text(folder: Path, parts: Mapping[str, Made]) -> str:
    """Return the marker of a folder whose files are all written."""
    files = {name: of_file(folder / name) for name in sorted(_names(folder))}
    record = {
        "schema": SCHEMA,
        "files": files,
        "parts": {
            name: {"key": made.key, "files": list(made.files)}
            for name, made in sorted(parts.items())
        },
    }
    return json.dumps(record, indent=0, ensure_ascii=False) + "\n"


def _names(folder: Path) -> Iterable[str]:
    return (
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )
