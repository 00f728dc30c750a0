"""The installed parts, their versions, and their purposes."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


PARTS = (
    ("sympy", "formulas", ""),
    ("networkx", "graphs", ""),
    ("numpy", "evaluating formulas at many points", ""),
    ("torch", "compiled modules and oracles", "torch"),
    ("fvcore", "the fvcore oracle", "torch"),
    ("scipy", "fitting a device's seconds", "torch"),
    ("onnx", "reading ONNX models", "onnx"),
    ("jinja2", "report pages", "report"),
    ("graphviz", "writing drawings", "report"),
    ("pygraphviz", "laying drawings out", "report"),
    ("altair", "report charts", "report"),
    ("vl-convert-python", "charts that stand without scripts", "report"),
    ("joblib", "searches in several processes", "search"),
    ("optuna", "optuna's samplers in searches", "search"),
    ("distributed", "searches on a dask cluster", "cluster"),
    ("hypothesis", "the strategies in costmodel.testing", "test"),
)
"""Distribution, its purpose, and the extra that installs it."""


class Finding(NamedTuple):
    """One part of the installation."""

    part: str
    version: str
    purpose: str
    state: str


def findings() -> list[Finding]:
    """Return every part with its version, or the command that installs it.

    >>> findings()[0].part
    'python'
    """
    found = [Finding("python", platform.python_version(), "running", "ok")]
    for name, purpose, extra in PARTS:
        try:
            found.append(Finding(name, version(name), purpose, "ok"))
        except PackageNotFoundError:
            command = f'missing: pip install "costmodel[{extra}]"'
            found.append(Finding(name, "-", purpose, command))
    dot = "ok" if shutil.which("dot") else "not found (not needed with pygraphviz)"
    found.append(Finding("dot", "-", "laying drawings out, second choice", dot))
    found.append(Finding("device", *_device()))
    return found


def _device() -> tuple[str, str, str]:
    """Return version, purpose and state of the fastest device PyTorch sees."""
    purpose = "running compiled modules"
    try:
        import torch
    except ImportError:
        return "-", purpose, "no PyTorch"
    if torch.cuda.is_available():
        return str(torch.version.cuda), purpose, torch.cuda.get_device_name(0)
    return "-", purpose, "cpu"
