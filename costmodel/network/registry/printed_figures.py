"""Published figures: strings as a source prints them, read from tables."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from costmodel.algebra.symbols import Dim
from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Published:
    """One figure as a source prints it, and the setting under which it holds.

    ``printed`` stays a string: its last digit is the tolerance. ``departure`` is the
    cause, where the built network gives another number.
    """

    quantity: str
    printed: str
    options: tuple[tuple[str, str], ...]
    resolution: str | None
    layer: str | None
    source: str
    departure: str | None = None

    @property
    def value(self) -> Fraction:
        """The printed number, exactly."""
        match = _printed(self.printed)
        return Fraction(match["number"].replace(",", "")) * _UNITS[match["unit"]]

    @property
    def tolerance(self) -> Fraction:
        """One unit of the last printed digit."""
        match = _printed(self.printed)
        decimals = len(match["number"].partition(".")[2])
        return Fraction(_UNITS[match["unit"]], 10**decimals)

    def agrees(self, computed: Dim) -> bool:
        """Say whether a count lies less than one last printed digit away."""
        if type(computed) is not int:
            raise CostModelError(f"{self.quantity}: {computed} is not a number yet")
        return abs(computed - self.value) < self.tolerance


def read_table(
    text: str,
    departures: Sequence[str],
    name: str,
    options: Container[str],
    preset: Container[str] = (),
) -> tuple[Published, ...]:
    """Return the figures of one architecture from a table.

    A dash is an empty cell, a line without a ``name`` holds for every member, and a
    mark such as ``34M[1]`` names the departure that explains it. Columns of keywords
    that the architecture presets are for the reader alone.
    """
    lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return ()
    header, *body = lines
    if header[-1] != "source":
        raise CostModelError(f'published table of "{name}": last column is not source')
    last = len(header) - 1
    figures: list[Published] = []
    for line in body:
        if len(line) <= last:
            short = " ".join(line)
            raise CostModelError(
                f'published table of "{name}": a line is too short: {short}'
            )
        cells = dict(zip(header, [*line[:last], " ".join(line[last:])], strict=True))
        if cells.pop("name", name) == name:
            cells = {key: cell for key, cell in cells.items() if key not in preset}
            figures.extend(_figures(cells, departures, options))
    return tuple(figures)


def _figures(
    cells: dict[str, str], departures: Sequence[str], options: Container[str]
) -> Iterator[Published]:
    """Give each figure of a line, with the line's setting."""
    known = {key: value for key, value in cells.items() if value != "-"}
    source, layer = known.pop("source"), known.pop("layer", None)
    resolution = known.pop("resolution", None)
    setting = tuple((key, value) for key, value in known.items() if key in options)
    for quantity, cell in known.items():
        if quantity not in options:
            printed, _, note = cell.rstrip("]").partition("[")
            _printed(printed)
            notes = {str(number): cause for number, cause in enumerate(departures, 1)}
            if note and note not in notes:
                raise CostModelError(
                    f'published figure "{printed}": no departure {note}'
                )
            cause = notes[note] if note else None
            yield Published(
                quantity, printed, setting, resolution, layer, source, cause
            )


_UNITS = {"": 1, "K": 10**3, "Ki": 2**10, "M": 10**6, "G": 10**9}
_PRINTED = re.compile(r"(?P<number>[\d,]+(?:\.\d+)?)(?P<unit>Ki|K|M|G|)")


def _printed(text: str) -> re.Match[str]:
    match = _PRINTED.fullmatch(text)
    if match is None:
        raise CostModelError(
            f'published figure "{text}" is not a number with K, M or G'
        )
    return match
