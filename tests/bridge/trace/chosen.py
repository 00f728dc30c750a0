"""Names of the networks that are traced: all of them, or a few from everywhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


IS_QUICK = os.environ.get("HYPOTHESIS_PROFILE", "dev") == "dev"
"""Whether a few networks have to do; every other profile runs them all."""


def listed(name: str) -> list[str]:
    """Return the names in a file beside this one, one a line."""
    return Path(__file__).with_name(name).read_text("utf-8").split()


def spread(names: Sequence[str], count: int) -> list[str]:
    """Return all names, or where it has to be quick so many from first to last."""
    if not IS_QUICK:
        return list(names)
    return [names[i * len(names) // count] for i in range(count)]


def either(names: Sequence[str], few: Sequence[str]) -> list[str]:
    """Return all names, or where it has to be quick a few of them."""
    return list(few if IS_QUICK else names)
