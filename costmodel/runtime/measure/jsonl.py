"""A file of results: one JSON object per line, appended when it is ready.

A run that is killed loses nothing that it has finished. An incomplete last line is
skipped by readers, and cut off by the next writer.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from costmodel.errors import CostModelError


Row = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)


def append(path: Path | str, row: Mapping[str, Any]) -> None:
    """Append a row; it is on the disk when this returns.

    Where it cannot be written, the file is as it was, or absent if it was.
    """
    where = Path(path)
    line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    size = where.stat().st_size if where.exists() else None
    try:
        with where.open("ab+") as file:
            _cut_torn_line(file)
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            if size is None:
                where.unlink()
            else:
                os.truncate(where, min(size, where.stat().st_size))
        raise


def read(path: Path | str) -> list[Row]:
    """Return the rows of a file, none where there is no file yet.

    Only the last line may be torn; any other that is no JSON object is an error. A file
    that ends in .gz is decompressed.
    """
    where = Path(path)
    if not where.exists():
        return []
    *lines, last = _content(where).split(b"\n")
    rows = [_row(line, where, number) for number, line in enumerate(lines, 1) if line]
    if last:
        try:
            rows.append(_row(last, where, len(lines) + 1))
        except CostModelError:
            return rows  # torn: its writer was stopped
    return rows


def _content(where: Path) -> bytes:
    content = where.read_bytes()
    if where.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CostModelError(f"{where}: is no gzip file: {error}") from None


def done(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, Row]:
    """Return the rows by their key; of several with one key, the last.

    >>> done([{"n": 1, "t": 3}, {"n": 1, "t": 2}], lambda row: row["n"])
    {1: {'n': 1, 't': 2}}
    """
    return {key(row): row for row in rows}


def write_whole(path: Path | str, text: str) -> None:
    """Write a text file at once or not at all: readers never see half of it."""
    target = Path(path)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _row(line: bytes, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise CostModelError(
            f"{path}, line {number}: is no JSON object; was the file edited?"
        )
    return row


def _cut_torn_line(file: Any) -> None:
    """Cut off what follows the last line's end, unless it is a whole row."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    try:
        json.loads(content[start:])
    except (ValueError, RecursionError):
        file.truncate(start)
    else:
        file.write(b"\n")  # appended at the end: the file is open for appending
