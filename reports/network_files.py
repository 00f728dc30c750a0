"""Every file of one network: its page, its data, its drawings and its formulas."""

from __future__ import annotations

from pathlib import Path

from reports.drawing import draw, full
from reports.exploring import script
from reports.network_page import network_page
from reports.seconds import timings
from reports.sitemap import Frame
from reports.subject import Subject
from reports.timeline import timeline
from reports.twin import architecture_twin, layers_csv


FOLDERS = ("architectures", "data", "drawings", "formulas")


def write_network(subject: Subject, frame: Frame, folder: Path) -> tuple[str, ...]:
    """Write a network's files into the folder of a site; return their names."""
    page, seconds, memory = subject.page, timings(subject.bound), timeline(subject)
    drawing, whole = draw(subject), full(subject.bound)
    files = {
        f"architectures/{page}.html": network_page(
            subject, frame, drawing, whole, memory, seconds
        ),
        f"data/{page}.json": architecture_twin(subject, seconds, memory),
        f"data/{page}.csv": layers_csv(subject),
        f"drawings/{page}.dot": whole.dot,
        f"formulas/{page}.js": script(subject),
    }
    if whole.svg:
        files[f"drawings/{page}.svg"] = whole.svg
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return tuple(files)
