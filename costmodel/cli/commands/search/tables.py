"""Tables that users have: numbers of networks of a space, one in each row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from costmodel.errors import CostModelError, short


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
    from costmodel.nas.fit.table import read_cells

    cells = read_cells(space, path, column)
    return {space.text(point): text or "" for _, point, text in cells}
