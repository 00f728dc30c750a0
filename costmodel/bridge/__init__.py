"""The bridge to PyTorch: compiling networks, and checks by independent oracles."""

from __future__ import annotations

from costmodel.bridge.registering import register_module


__all__ = ["register_module"]
