"""Tables that users have: numbers of networks of a space, one in each row."""

from __future__ import annotations

import csv
import gzip
import math
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
    try:
        opens = gzip.open if path.endswith(".gz") else open
        with opens(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        said = getattr(error, "strerror", None) or error
        raise CostModelError(f"{path}: {said}") from None
    if not rows or column not in rows[0]:
        known = known_are(column, rows[0] if rows else [])
        raise CostModelError(f'{path}: no column "{column}"; {known}')
    key = _key_column(space, path, rows[0])
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        text = space.text(space.point(row[key] or ""))
        if text in found:
            raise CostModelError(f"{path}, line {number}: {text} is there twice")
        found[text] = row[column] or ""
    return found


def _key_column(space: Space, path: str, row: dict[str, str]) -> str:
    """Return the column whose text is a network of the space."""
    for key, text in row.items():
        try:
            space.point(text or "")
        except CostModelError:
            continue
        return key
    raise CostModelError(
        f"{path}: no column has networks of {space.name} as it writes them, such as "
        f"{space.text(space.sample())}"
    )
