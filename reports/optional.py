"""The optional libraries that draw and fill pages, imported when first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from costmodel.errors import MissingDependencyError


REQUIRED = {
    "jinja2": "jinja2",
    "graphviz": "graphviz",
    "altair": "altair",
    "vl_convert": "vl-convert-python",
}
"""Modules that every report needs, and the distributions they come in."""


def library(module: str) -> Any:
    """Return an imported module, or name the extra that brings it.

    >>> library("json").dumps([1])
    '[1]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        name = REQUIRED.get(module, module)
        raise MissingDependencyError(
            f'the report needs {name}; install "costmodel[report]"'
        ) from error


def require_all() -> None:
    """Refuse to start where a required library is missing."""
    for module in REQUIRED:
        library(module)
