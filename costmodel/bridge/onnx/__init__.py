"""Import of ONNX files as networks that are symbolic in N, H and W."""

from __future__ import annotations

from costmodel.bridge.onnx.run import read


__all__ = ["read"]
