"""Counting conventions as data: what each tool counts for an operator, quirks named."""

from __future__ import annotations

from costmodel.analysis.conventions.counting import Item, count, find, itemize
from costmodel.analysis.conventions.rule import Convention, Rule
from costmodel.analysis.conventions.tables import CONVENTIONS


__all__ = ["CONVENTIONS", "Convention", "Item", "Rule", "count", "find", "itemize"]
