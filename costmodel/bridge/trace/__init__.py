"""Trace any module: its network, symbolic in N, H and W."""

from __future__ import annotations

from costmodel.bridge.trace.run import trace


__all__ = ["trace"]
