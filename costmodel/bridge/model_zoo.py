"""Networks of torchvision and timm by name, traced; neither is a dependency."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from costmodel.algebra.symbols import H, W
from costmodel.bridge.user_module import build, traced
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.network.graph import Network


def timm_network(name: str) -> tuple[Network, str]:
    """Return one of timm's networks, untrained, and the module that defines it."""
    module, family = timm_module(name)
    return _traced(module, name), family


def timm_module(name: str) -> tuple[Any, str]:
    """Return one of timm's modules without memory, and the module that defines it."""
    timm = _library("timm")
    if not timm.is_model(name):
        raise CostModelError(f'timm has no network "{name}"')
    family = timm.models.model_entrypoint(name).__module__.rpartition(".")[2]
    return _built(lambda: timm.create_model(name, pretrained=False)), family


def timm_network_and_scalars(name: str) -> tuple[Network, str, frozenset[str]]:
    """Return also the names of its scalar parameters."""
    module, family = timm_module(name)
    scalars = frozenset(n for n, p in module.named_parameters() if not p.dim())
    return _traced(module, name), family, scalars


def torchvision_network(name: str) -> tuple[Network, str]:
    """Return one of torchvision's networks, untrained, and its defining module."""
    models = _library("torchvision.models")
    try:
        make = models.get_model_builder(name)
    except ValueError:
        raise CostModelError(f'torchvision has no network "{name}"') from None
    family = make.__module__.rpartition(".")[2]
    options = {"aux_logits": False, "init_weights": False}
    options = options if name in _AUXILIARY else {}
    return _traced(_built(lambda: make(weights=None, **options)), name), family


_AUXILIARY = ("googlenet", "inception_v3")
"""Networks that have branches for training alone."""


def _library(name: str) -> ModuleType:
    """Import a library, or raise with the command that installs it."""
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


def _built(make: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(make)


def _traced(module: Any, name: str) -> Network:
    """Trace a module in evaluation mode, at every size at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return traced(module, (3, H, W), name=name, train=False, on_unknown="raise")


__all__ = [
    "timm_module",
    "timm_network",
    "timm_network_and_scalars",
    "torchvision_network",
]
