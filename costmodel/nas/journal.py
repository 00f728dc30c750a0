"""The journal of a search: a line for each evaluation, from which it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel import __version__
from costmodel.errors import CostModelError, short
from costmodel.nas.objectives import is_finite
from costmodel.nas.spaces.space import Point
from costmodel.runtime.measure import jsonl


SCHEMA = "costmodel.nas/1"


class Journal:
    """An append-only file: what is searched, then what was found of each point.

    A search that is killed, at any byte, loses the evaluations under way alone.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Keep the place, and what the search is about."""
        self.path, self.header = path, dict(header)
        self._is_started = False

    def read(self, count: int) -> dict[str, tuple[float, ...]]:
        """Return the values by key, ``count`` of each; none where there is no file.

        **Errors**: the file is no journal, is another search's, or was edited.
        """
        if self.path.is_dir():
            raise CostModelError(f"{self.path}: is a folder; give a file")
        rows = jsonl.read(self.path)
        if not rows:
            self._check_torn()
            return {}
        self._check(rows[0])
        self._is_started = True
        found = {}
        for number, row in enumerate(rows[1:], start=2):
            values = row.get("values")
            values = values if isinstance(values, list) else []
            is_row = isinstance(row.get("key"), str) and len(values) == count
            if not is_row or not all(map(is_finite, values)):
                raise CostModelError(
                    f"{self.path}, line {number}: is no evaluation of {count} values: "
                    f"{short(row)}"
                )
            found[row["key"]] = tuple(values)
        return found

    def _check_torn(self) -> None:
        """Refuse a file without a whole line, unless it is the start of this one."""
        start = json.dumps({"schema": SCHEMA})[:-1].replace(" ", "").encode()
        found = self.path.read_bytes() if self.path.exists() else b""
        if not (start.startswith(found) or found.startswith(start)):
            raise CostModelError(
                f"{self.path}: is no journal of a search; give another file"
            )

    def add(self, key: str, point: Point, values: Sequence[float]) -> None:
        """Append an evaluation; it is on the disk when this returns."""
        if not self._is_started:
            start = {"schema": SCHEMA, "version": __version__, **self.header}
            jsonl.append(self.path, start)
            self._is_started = True
        row = {"key": key, "point": list(point), "values": list(values)}
        jsonl.append(self.path, row)

    def _check(self, row: Mapping[str, Any]) -> None:
        if row.get("schema") != SCHEMA:
            raise CostModelError(
                f"{self.path}: is no journal of a search; give another file"
            )
        for key, own in self.header.items():
            if row.get(key) != own:
                raise CostModelError(
                    f"{self.path}: is of another search: {key} {short(row.get(key))} "
                    f"there, {short(own)} here; give another file"
                )
