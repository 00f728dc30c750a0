"""Tracing of PyTorch modules to networks that are symbolic in N, H and W."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from costmodel.bridge.trace.run import trace

__all__ = ["trace"]


def __getattr__(name: str) -> Any:
    """Import the tracer, and PyTorch with it, on first use."""
    if name != "trace":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from costmodel.bridge.trace.run import trace

    return trace
