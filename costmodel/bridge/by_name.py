"""Networks of torchvision and timm by their names, traced; neither is depended on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from costmodel.algebra.symbols import H, W
from costmodel.bridge.building import build, traced
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.network.graph import Network


def timm_network(name: str) -> tuple[Network, str]:
    """Return one of timm's networks, untrained, and the module that defines it."""
    timm = _library("timm")
    if not timm.is_model(name):
        raise CostModelError(f'timm has no network "{name}"')
    family = timm.models.model_entrypoint(name).__module__.rpartition(".")[2]
    return _traced(lambda: timm.create_model(name, pretrained=False), name), family


def torchvision_network(name: str) -> tuple[Network, str]:
    """Return one of torchvision's networks, untrained, and the module that defines it."""
    models = _library("torchvision.models")
    try:
        make = models.get_model_builder(name)
    except ValueError:
        raise CostModelError(f'torchvision has no network "{name}"') from None
    family = make.__module__.rpartition(".")[2]
    options = {"aux_logits": False, "init_weights": False}
    options = options if name in _AUXILIARY else {}
    return _traced(lambda: make(weights=None, **options), name), family


_AUXILIARY = ("googlenet", "inception_v3")
"""Networks that have branches for training alone."""


def _library(name: str) -> ModuleType:
    """Import what is compared against; say what is missing."""
    from importlib import import_module

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their own deprecated calls
            return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise MissingDependencyError(
            f"{package} is not installed; pip install {package}"
        ) from None


def _traced(make: Callable[[], Any], name: str) -> Network:
    """Build a module without memory, and trace it at every size at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = build(make)
        return traced(module, (3, H, W), name=name, train=False, on_unknown="raise")


__all__ = ["timm_network", "torchvision_network"]
