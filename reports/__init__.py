"""Static reports: an index of networks and a page for each, readable offline."""

from __future__ import annotations

from reports.part import Part
from reports.site import Written, check_folder, write
from reports.subject import Setting, Subject


__all__ = ["Part", "Setting", "Subject", "Written", "check_folder", "write"]
