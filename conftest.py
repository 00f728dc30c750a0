"""Hypothesis profiles (HYPOTHESIS_PROFILE chooses), and a registry left as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import settings

from costmodel.network import registry


settings.register_profile("brief", max_examples=8, deadline=None)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


# It is import-linter's, and has no examples; that has an environment of its own.
collect_ignore = [] if find_spec("importlinter") else ["tests/import_contracts.py"]


@pytest.fixture(autouse=True)
def _forget_architectures() -> Iterator[None]:
    """Forget the architectures that a test or an example in prose registered."""
    known = registry.architectures()
    yield
    for name in registry.architectures().keys() - known.keys():
        del registry._REGISTRY[name]  # noqa: SLF001 - nothing public forgets one
