"""Times of a space's networks from a CSV file."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

from costmodel.errors import CostModelError, known_are, short
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import Point, Space


def read_times(
    space: Space, path: str | Path, column: str, key: str | None = None
) -> dict[Point, float]:
    """Return a column of a CSV file, or of a .csv.gz, by point.

    The column ``key`` has the networks, as the space writes them or as the digits of
    their points; by default it is the first that has them.

    **Units**: as the file has them.

    **Errors**: no such file or column, each line that is no network, or no positive
    time, and networks that stand there twice.
    """
    return {
        point: _time(text, f"{where}: {column}")
        for where, point, text in read_cells(space, path, column, key)
    }


def read_cells(
    space: Space, path: str | Path, column: str, key: str | None = None
) -> Iterator[tuple[str, Point, str | None]]:
    """Give a column's text by network, as written, each with its file and line."""
    rows = read_rows(Path(path))
    key = key_column(space, path, rows[0]) if key is None else key
    for name in (key, column):
        if name not in rows[0]:
            raise CostModelError(f'{path}: no column "{short(name)}"; '
                                 f"{known_are(name, rows[0])}")  # fmt: skip
    found: set[Point] = set()
    for number, row in enumerate(rows, start=2):
        where = f"{path}, line {number}"
        try:
            point = read_point(space, row[key] or "")
        except CostModelError as error:
            raise CostModelError(f"{where}: {error}") from None
        if point in found:
            raise CostModelError(f"{where}: {short(row[key])} is there twice")
        found.add(point)
        yield where, point, row[column]


def read_point(space: Space, text: str) -> Point:
    """Return the point that a text names, or whose numbers are its digits.

    >>> from costmodel.nas.spaces.catalogue import space
    >>> read_point(space("nasbench201"), "421211")
    (4, 2, 1, 2, 1, 1)
    """
    own = text.strip()
    is_digits = own.isascii() and own.isdigit()
    if is_digits and isinstance(space, Choices) and len(own) == len(space.counts):
        return space.checked(tuple(map(int, own)))
    return space.point(own)


def _time(text: str | None, what: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise CostModelError(f'{what}: "{short(text)}" is no positive number')
    return value


def read_rows(path: Path) -> list[dict[str, str | None]]:
    """Return the rows of a file, by the names in its first line."""
    opens = gzip.open if path.suffix == ".gz" else open
    try:
        with opens(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or ())
            rows: list[dict[str, str | None]] = list(reader)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        said = getattr(error, "strerror", None) or error
        raise CostModelError(f"{path}: {said}") from None
    for number, name in enumerate(names):
        if name in names[:number]:
            raise CostModelError(
                f'{path}, line 1: column "{short(name)}" is there twice'
            )
    if not rows:
        raise CostModelError(f"{path}: has no row below the names of its columns")
    return rows


def key_column(space: Space, path: str | Path, row: dict[str, str | None]) -> str:
    """Return the first column that has a network."""
    for name, text in row.items():
        try:
            read_point(space, text if isinstance(text, str) else "")
        except CostModelError:
            continue
        return name
    example = space.text(space.sample())
    raise CostModelError(
        f"{path}: no column has networks of {space.name}, such as {example}"
    )
