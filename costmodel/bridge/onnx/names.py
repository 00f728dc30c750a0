"""Names of nodes: the paths of the modules that an exporter wrote into the file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any


def path_of(node: Any) -> str:
    """Return the path of the module that a node belongs to, or "" if unknown.

    PyTorch's exporters write it into the node's name or metadata; if they fold a batch
    norm into a convolution, the weight's name still has it.

    >>> from types import SimpleNamespace as Node
    >>> name = "/layer1/layer1.0/conv1/Conv"
    >>> path_of(Node(name=name, op_type="Conv", input=(), metadata_props=[]))
    'layer1.0.conv1'
    """
    if len(node.input) > 1 and node.input[1].endswith(".weight"):
        return clean(node.input[1].removesuffix(".weight"))
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            return _scopes(entry.value)
    parts = [part for part in node.name.split("/") if part]
    if parts and _is_kind(parts[-1], node.op_type):
        return joined(parts[:-1])
    return joined(parts) if len(parts) > 1 else ""


def _scopes(text: str) -> str:
    """Return the last module of a list of modules with their whole paths."""
    try:
        scopes = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):
        return ""
    named = isinstance(scopes, list) and all(isinstance(one, str) for one in scopes)
    return clean(scopes[-2]) if named and len(scopes) > 1 else ""


def _is_kind(word: str, kind: str) -> bool:
    """Say whether the last word of a name is the operator's: Conv, or Conv_12."""
    return word.lower().startswith(kind.lower()) or kind.lower().startswith(
        word.lower().rstrip("2d")
    )


def joined(parts: Iterable[str]) -> str:
    """Return the path of nested modules, given by full paths or by single names.

    >>> joined(["features", "features.0", "features.0.1"]), joined(["a", "b"])
    ('features.0.1', 'a.b')
    """
    path: list[str] = []
    for part in parts:
        if path and part.startswith(f"{path[-1]}."):
            path[-1] = part
        else:
            path.append(part)
    return clean(".".join(path))


def clean(text: str) -> str:
    """Return a name of words of letters, digits and _, joined by dots.

    >>> clean("onnx::MatMul_12"), clean("model/block 1.conv")
    ('onnx_MatMul_12', 'model.block_1.conv')
    """
    parts = (re.sub(r"\W+", "_", p).strip("_") for p in re.split(r"[./]+", text))
    return ".".join(part for part in parts if part)


class Names:
    """Unique names for nodes: the module's path, if the node is the only one of it."""

    def __init__(self, paths: Iterable[tuple[str, str]]) -> None:
        """Take path and operator of every node that becomes an operator of ours."""
        kinds: dict[str, set[str]] = {}
        for path, kind in paths:
            kinds.setdefault(path, set()).add(kind)
        kinds.pop("", None)
        self._scopes = {scope for path in kinds for scope in _above(path)}
        # A layer may run several times; different operators make a block.
        self._scopes |= {path for path, made in kinds.items() if len(made) > 1}
        self._leaves = kinds.keys() - self._scopes
        self._taken: Counter[str] = Counter()

    def node(self, path: str, own: str, kind: str) -> str:
        """Return the name of a node of a module, or one from its own name."""
        if path in self._leaves:
            return self._unique(path)
        if path:
            return self._unique(f"{path}.{kind}")
        return self._unique(own or kind)

    def beside(self, path: str, own: str, kind: str) -> str:
        """Return the name of an auxiliary node before or after an operator's own."""
        if path in self._leaves:
            return self._unique(f"{path}_{kind}")
        return self._unique(f"{path}.{kind}" if path else f"{own}_{kind}".lstrip("_"))

    def stored(self, name: str) -> str:
        """Return the name of a stored tensor, next to the node of its module."""
        path = clean(name) or "stored"
        scope, dot, last = path.rpartition(".")
        return self._unique(
            f"{scope}_{last}" if dot and scope in self._leaves else path
        )

    def _unique(self, base: str) -> str:
        if any(scope in self._taken for scope in _above(base)):
            base = base.replace(".", "_")
        self._taken[base] += 1
        many = self._taken[base]
        name = base if many == 1 else f"{base}_{many}"
        if name in self._scopes or (many > 1 and name in self._taken):
            return self._unique(base)
        self._scopes.update(_above(name))
        return name


def _above(path: str) -> list[str]:
    """Return the scopes around a path."""
    parts = path.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]
