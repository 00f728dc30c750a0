"""The validation of a shipped profile: its predictions beside measurements."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any


SCHEMA = "costmodel.validations/1"


def validations() -> Path:
    """Return the folder of the committed validations."""
    return Path(str(resources.files("costmodel.runtime.validate"))) / "data"


@cache
def validation(profile: str) -> dict[str, Any] | None:
    """Return the committed validation of a shipped profile, None where there is none.

    ``sets`` by title: ``rows`` of networks with measured and predicted seconds,
    ``summaries`` of every predictor, ``noise_floor``; none was calibrated with.

    **Units**: seconds; errors are fractions of 1.
    """
    file = validations() / f"{profile}.json"
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
