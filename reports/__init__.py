"""Static reports: an index of networks and a page for each, readable offline."""

from __future__ import annotations

from reports.part import Part
from reports.site import Written, check_folder, write
from reports.subject import Subject


__all__ = ["Part", "Subject", "Written", "check_folder", "write"]
