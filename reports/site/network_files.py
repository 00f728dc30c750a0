"""Every file of one network: its page, its data, its drawings and its formulas."""

from __future__ import annotations

from pathlib import Path

from costmodel.reports.data.machine_readable import architecture_twin, layers_csv
from costmodel.reports.data.memory_timeline import timeline
from costmodel.reports.data.seconds import timings
from costmodel.reports.data.subject import Subject
from costmodel.reports.drawings.network import draw, full
from costmodel.reports.pages.explorer import script
from costmodel.reports.pages.network import network_page
from costmodel.reports.sitemap import Frame


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
