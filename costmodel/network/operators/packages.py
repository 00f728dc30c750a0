"""Operators of other packages: found by their entry points, once."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points


GROUP = "costmodel.operators"
"""The entry-point group under which packages offer operators."""


@lru_cache(maxsize=1)
def discover() -> None:
    """Import every package that offers operators; each registers its own."""
    for entry in entry_points(group=GROUP):
        entry.load()


__all__ = ["GROUP", "discover"]
