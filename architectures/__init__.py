"""The history of convolutional networks: one file per paper, all imported with it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


for _file in iter_modules(__path__):
    if not _file.ispkg:
        import_module(f"{__name__}.{_file.name}")
