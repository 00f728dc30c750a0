"""The bridge to PyTorch: compile a network, and ask independent oracles about it."""

from __future__ import annotations

from costmodel.bridge.registering import register_module


__all__ = ["register_module"]
