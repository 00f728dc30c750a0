"""Examples in docstrings of packages whose folder has another name than they have.

Pytest would import their files as ``architectures`` and ``reports``; it finds the
examples of all other packages itself.
"""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import pytest

from costmodel import reports, zoo


def modules_with_examples() -> Iterator[str]:
    for package in (reports, zoo):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("layout_process"):
                module = import_module(found.name)
                if any(test.examples for test in doctest.DocTestFinder().find(module)):
                    yield found.name


NAMES = sorted(modules_with_examples())


@pytest.mark.parametrize("name", NAMES)
def test_examples_give_what_they_say(name: str) -> None:
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_are_found() -> None:
    assert "costmodel.zoo.efficientnet" in NAMES
    assert "costmodel.reports.formulas.mathml" in NAMES
