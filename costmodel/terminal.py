"""Output to the terminal: tables, progress, rounded numbers, notes and JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


_LEAST_TEXT = 16
"""The least width of a text column on a narrow terminal, in characters."""

_LONGEST_NUMBER = 24
"""The longest text that is never wrapped: names and numbers, but no formulas."""
_PIPED_WIDTH = 10_000


class Advance(Protocol):
    """A function to call after each step of long work, with the step's name."""

    def __call__(self, name: str) -> None:
        """Take one step."""


def human(value: object) -> str:
    """Return a count in three or four digits with K, M or G; other values unchanged.

    >>> human(4089184256), human(999), human("—")
    ('4.089 G', '999', '—')
    """
    if not isinstance(value, int):
        return str(value)
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return str(value)


def exact_number(value: object) -> str:
    """Return an integer with its digits grouped; other values unchanged."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_json(schema: str, units: dict[str, str], **content: Any) -> None:
    """Print one JSON object to stdout: its schema, units, and exact contents."""
    from costmodel import __version__

    document = {"schema": schema, "version": __version__, "units": units, **content}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=1)
    sys.stdout.write(f"{text}\n")


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """Print a table to stdout, as wide as its contents if stdout is piped.

    On a terminal text is wrapped; names and numbers stay whole, however narrow it is.
    """
    from rich.console import Console
    from rich.measure import Measurement

    table = _table(header, rows, right)
    console = Console(highlight=False)
    if console.is_terminal:
        wide = console.options.update_width(_PIPED_WIDTH)
        needed = Measurement.get(console, wide, table).minimum
        console.width = max(console.width, needed)
        console.print(table)
        return
    console.width = _PIPED_WIDTH
    with console.capture() as captured:
        console.print(table)
    lines = (line.rstrip() for line in captured.get().splitlines())
    sys.stdout.write("\n".join(lines) + "\n")


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]
) -> Any:
    """Return a table whose columns have their least widths."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(zip(header, *rows)):
        justify: Any = "right" if index in right else "left"
        widest = max(map(len, column))
        is_whole = index in (0, *right) and widest <= _LONGEST_NUMBER
        least = widest if is_whole else min(widest, _LEAST_TEXT)
        table.add_column(column[0], justify=justify, overflow="fold",
                         no_wrap=is_whole, min_width=least)  # fmt: skip
    for row in rows:
        table.add_row(*map(Text, row))
    return table


@contextmanager
def progress(title: str, steps: int) -> Iterator[Advance]:
    """Show progress on stderr: a bar on a terminal, else one line per step."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield lambda name: note(f"{title}: {name}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=steps)

        def advance(name: str) -> None:
            bar.update(task, advance=1, description=f"{title}: {name}")

        yield advance


def note(text: str) -> None:
    """Print a line to stderr."""
    sys.stderr.write(f"{text}\n")
