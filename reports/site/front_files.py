"""The files of a search: its front as tables, a chart, drawings, and the networks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from costmodel.errors import CostModelError
from costmodel.nas import Evaluation, Found
from costmodel.reports.charts.front import front_chart
from costmodel.reports.drawings.cell import cell_drawing
from costmodel.reports.optional import require_all
from costmodel.runtime.measure.jsonl import write_whole


FRONT = "front.json"
"""The file by which a folder is known as an earlier search's."""

_CODE = '''"""{title}

Found by a search of {size:,} networks: {values}.
"""

import costmodel as cm


space = cm.{space}
network = space.network(space.point({text!r}))
'''


def check_front_folder(folder: Path) -> None:
    """Refuse a folder that has anything but an earlier search's files, or no place."""
    require_all()
    if folder.exists() and not folder.is_dir():
        raise CostModelError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FRONT).is_file():
        raise CostModelError(
            f"{folder}: has files that are no earlier search's; name another folder"
        )


def write_front(found: Found, folder: Path, baseline: Found | None = None) -> Path:
    """Write the front's files into a folder, and return that of the table.

    Each network has a number: its layers (``00.json``), which every command and
    :func:`costmodel.load` take, the call that makes it (``00.py``), and its cells.
    Each file is written whole.
    """
    check_front_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.stem.partition("-")[0].isdigit():
            old.unlink()  # another front's
    for name, text in _files(found, baseline):
        write_whole(folder / name, text)
    return folder / FRONT


def _files(found: Found, baseline: Found | None) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(found.front):
        network = found.space.network(one.point)
        yield f"{number:02}.json", network.to_json()
        yield f"{number:02}.py", _code(found, one)
        for title, graph in found.space.cells(one.point).items():
            drawing = cell_drawing(
                graph, f"c{number}", f"{title} of {one.text}", alone=True
            )
            if drawing.svg:
                yield f"{number:02}-{title.replace(' ', '-')}.svg", drawing.svg
    chart = front_chart(found, baseline)
    if chart:
        yield "front.svg", chart
    yield "front.csv", _table(found)
    yield FRONT, json.dumps(found.to_dict(), indent=1, ensure_ascii=False) + "\n"


def _code(found: Found, one: Evaluation) -> str:
    names = [objective.name for objective in found.objectives]
    values = ", ".join(f"{name} {value:,}" for name, value in zip(names, one.values))
    return _CODE.format(
        title=f"{found.space.name}: {one.text}", size=found.space.size(), values=values,
        space=repr(found.space), text=one.text,
    )  # fmt: skip


def _table(found: Found) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["number", *(one.name for one in found.objectives), "network"])
    for number, one in enumerate(found.front):
        rows.writerow([number, *one.values, one.text])
    return text.getvalue()
