"""Static reports: an index of networks and a page for each, readable offline."""

from __future__ import annotations

from costmodel.reports.data.subject import Option, Subject
from costmodel.reports.job import Part
from costmodel.reports.site.build import Written, check_folder, write


__all__ = ["Option", "Part", "Subject", "Written", "check_folder", "write"]
