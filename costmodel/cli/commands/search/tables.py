"""Tables that users have: numbers of networks of a space, one in each row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from costmodel.errors import CostModelError, known_are, short


if TYPE_CHECKING:
    from costmodel.nas.spaces.space import Space


def read_table(space: Space, path: str, column: str) -> dict[str, float]:
    """Return a column of a CSV file by network; a column has the networks as text.

    **Errors**: no such file or column; a number that is none; no column of networks.
    """
    found = {}
    for text, written in read_column(space, path, column).items():
        try:
            found[text] = float(written)
        except ValueError:
            found[text] = math.nan
        if not math.isfinite(found[text]):
            told = short(written)
            raise CostModelError(f"{path}: {column} {told} of {text} is no number")
    return found


def read_column(space: Space, path: str, column: str) -> dict[str, str]:
    """Return a column of a CSV file as written, by network."""
    from costmodel.nas.fit.table import key_column, read_point, read_rows

    rows = read_rows(Path(path))
    if column not in rows[0]:
        known = known_are(column, rows[0])
        raise CostModelError(f'{path}: no column "{column}"; {known}')
    key = key_column(space, path, rows[0])
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        try:
            text = space.text(read_point(space, row[key] or ""))
        except CostModelError as error:
            raise CostModelError(f"{path}, line {number}: {error}") from None
        if text in found:
            raise CostModelError(f"{path}, line {number}: {text} is there twice")
        found[text] = row[column] or ""
    return found
