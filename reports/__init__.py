"""Static reports: an index of networks and a page for each, readable offline."""

from __future__ import annotations

from costmodel.reports.data.subject import Option, Subject
from costmodel.reports.data.worked_search import WorkedSearch
from costmodel.reports.job import Part
from costmodel.reports.site.build import Written, check_folder, write
from costmodel.reports.site.front_files import check_front_folder, write_front


__all__ = [
    "Option", "Part", "Subject", "WorkedSearch", "Written", "check_folder",
    "check_front_folder", "write", "write_front",
]  # fmt: skip
