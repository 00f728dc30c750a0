"""Trace any module: its network, symbolic in N, H and W."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from costmodel.bridge.trace.run import trace

__all__ = ["trace"]


def __getattr__(name: str) -> Any:
    """Import the tracer, and PyTorch with it, when it is first asked for."""
    if name != "trace":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from costmodel.bridge.trace.run import trace

    return trace
