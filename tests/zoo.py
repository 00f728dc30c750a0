"""torchvision, which is compared against and never depended on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import pytest
import torch


@lru_cache(maxsize=1)
def torchvision_models() -> ModuleType:
    """Return ``torchvision.models``, on any build of PyTorch.

    On one without torchvision's compiled operators its import asks for the schemas of
    two of them, which no classification network calls.
    """
    library = torch.library.Library("torchvision", "DEF")
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        library.define(schema)
    _KEPT.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's own deprecated calls
        return pytest.importorskip(
            "torchvision.models", reason="torchvision is not installed"
        )


@lru_cache(maxsize=1)
def timm() -> ModuleType:
    """Return timm, which imports torchvision."""
    torchvision_models()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own deprecated calls
        module: ModuleType = pytest.importorskip("timm", reason="timm is not installed")
    return module


def torchvision_network(name: str, device: str = "meta") -> Any:
    """Return one of torchvision's networks in evaluation mode; "meta" has no memory."""
    models = torchvision_models()
    with pytest.MonkeyPatch.context() as patch, torch.device(device):
        space = models.regnet.BlockParams
        patch.setattr(space, "from_init_params", _in_memory(space.from_init_params))
        return getattr(models, name)(weights=None, **_OPTIONS.get(name, {})).eval()


def _in_memory(build: Callable[..., Any]) -> Callable[..., Any]:
    """Let RegNet's widths be calculated, which torchvision does in tensors."""

    def built(**numbers: Any) -> Any:
        with torch.device("cpu"):
            return build(**numbers)

    return built


_OPTIONS = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}
"""Keywords that keep torchvision from building what is only for training."""


_KEPT: list[Any] = []
