"""Static reports: an index of networks and a page for each, readable offline."""

from __future__ import annotations

from reports.site import check_folder, write
from reports.subject import Subject


__all__ = ["Subject", "check_folder", "write"]
