"""Runs a module on tensors without memory, and writes down every operator it calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from costmodel.algebra.size import Size
from costmodel.bridge.trace.layout import Layout, Sizes, shaped, split
from costmodel.bridge.trace.names import canonical, is_question
from costmodel.bridge.trace.sizes import Record, SizeInt, formula_of, whole
from costmodel.errors import CostModelError, at
from costmodel.network import operators as op
from costmodel.network.node import Inference, Node, make_node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor that depends on the input: who made it, and the sizes of its axes."""

    node: str
    shape: Shape
    sizes: Sizes
    layout: Layout


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that depends on parameters alone, and on which ones."""

    sizes: Sizes
    sources: tuple[str, ...] = ()
    is_itself: bool = False
    """Whether it is the stored tensor itself, or its view."""


@dataclass
class Tracer(TorchFunctionMode):
    """Reads every call of a torch function while it is entered.

    Real tensors are replaced by twins without memory; the module is never changed.
    """

    batch: Size
    record: Record
    by_path: dict[str, tuple[torch.Tensor, bool]]
    """Every parameter (true) and buffer (false) by its path, shared ones once."""
    keeps_identities: bool = False
    marks_unknown: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    """Nodes that use an earlier node's weights."""
    used: set[str] = field(default_factory=set)
    demands: dict[Size, tuple[str, str]] = field(default_factory=dict)
    """Sizes that have to be 0: which module asks for it, and why."""

    def __post_init__(self) -> None:
        """Start with nothing known."""
        super().__init__()
        self.inference = Inference()
        self.modules: list[tuple[str, nn.Module]] = []
        self._operators: dict[Operator, Operator] = {}
        self._known: dict[int, tuple[torch.Tensor, Traced | Constant]] = {}
        self._twins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._parameters: dict[int, str] = {}
        self._owners: dict[str, str] = {}
        self.stored = {id(value): path for path, (value, _) in self.by_path.items()}
        self._taken: dict[str, int] = {}
        self.record.where = lambda: self.path

    # The module that runs, and what its nodes are called.

    @property
    def path(self) -> str:
        """The path of the module that runs."""
        return self.modules[-1][0] if self.modules else ""

    @contextmanager
    def inside(self, path: str, module: nn.Module) -> Iterator[None]:
        """Say which module runs."""
        self.modules.append((path, module))
        try:
            yield
        finally:
            self.modules.pop()

    def name(self, kind: str) -> str:
        """Return a name for the next node: its module's path where that is all of it."""
        path = ".".join(re.sub(r"\W", "_", part) for part in self.path.split("."))
        module = self.modules[-1][1] if self.modules else None
        base = path if path and is_leaf(module) else f"{path}.{kind}".lstrip(".")
        return self._unique(base)

    def _unique(self, base: str) -> str:
        self._taken[base] = count = self._taken.get(base, 0) + 1
        name = base if count == 1 else f"{base}_{count}"
        return name if name not in self.nodes else self._unique(base)

    # Tensors.

    def tensor(self, value: torch.Tensor) -> Traced | Constant | None:
        """Return what is known of a tensor."""
        found = self._known.get(id(value))
        if found is not None:
            return found[1]
        if id(value) in self.stored:
            path = self.stored[id(value)]
            sizes = tuple(formula_of(s) for s in value.shape)
            return Constant(sizes, (path,), is_itself=True)
        return None

    def know(self, value: torch.Tensor, what: Traced | Constant) -> None:
        """Write down what a tensor is."""
        self._known[id(value)] = value, what

    def twin(self, value: Any) -> Any:
        """Return a tensor without memory in the place of a real one."""
        if not isinstance(value, torch.Tensor) or value.device.type == "meta":
            return value
        if id(value) not in self._twins:
            made = torch.empty_strided(
                value.shape, value.stride(), dtype=value.dtype, device="meta"
            )
            self._twins[id(value)] = value, made
            found = self.tensor(value)
            if found is not None:
                self.know(made, found)
        return self._twins[id(value)][1]

    def operand(self, value: torch.Tensor) -> Traced:
        """Return a tensor as an operand: a stored one becomes a node of its own."""
        found = self.tensor(value)
        if isinstance(found, Traced):
            return found
        if found is None:
            found = Constant(tuple(formula_of(s) for s in value.shape))
        return self._parameter(value, found)

    def _parameter(self, value: torch.Tensor, constant: Constant) -> Traced:
        name = self._parameters.get(id(value))
        sizes = constant.sizes
        layout, shape = split(sizes, self.batch)
        if name is None:
            name = self._emit_constant(shape, constant)
            self._parameters[id(value)] = name
            self._known.setdefault(id(value), (value, constant))
        return Traced(name, shape, sizes, layout)

    def _emit_constant(self, shape: Shape, constant: Constant) -> str:
        if constant.is_itself and constant.sources[0] not in self._owners:
            return self._store(constant.sources[0], shape)
        made_of = tuple(map(self.store, constant.sources))
        return self._emit(op.Derived(shape), made_of, self.name("derived"))

    def store(self, path: str) -> str:
        """Return the node of a stored tensor, or of the layer that it belongs to."""
        if path not in self._owners:
            value, _ = self.by_path[path]
            self._store(path, shaped([formula_of(s) for s in value.shape]))
        return self._owners[path]

    def _store(self, path: str, shape: Shape) -> str:
        self.used.add(path)
        operator = op.Parameter(shape, self.by_path[path][1])
        name = self._emit(operator, (), self._free(path))
        self._owners[path] = name
        return name

    def owner(self, path: str) -> str | None:
        """Return the node that stores a tensor already."""
        return self._owners.get(path)

    def own(self, path: str, name: str) -> None:
        """Say which layer stores a tensor."""
        self.used.add(path)
        self._owners[path] = name

    def _free(self, path: str) -> str:
        """Return a node's name for a stored tensor, beside the module's own node."""
        parts = [re.sub(r"\W", "_", part) for part in path.split(".")]
        scope = ".".join(parts[:-1])
        base = (
            ".".join(parts) if scope not in self.nodes else "_".join([scope, parts[-1]])
        )
        return self._unique(base)

    # Nodes.

    def emit(self, operator: Operator, inputs: tuple[str, ...], kind: str = "") -> Node:
        """Append a node, and return it."""
        name = self.name(kind or operator.kind)
        self._emit(operator, inputs, name)
        return self.nodes[name]

    def emit_named(
        self, operator: Operator, inputs: tuple[str, ...], name: str
    ) -> None:
        """Append a node under a name of :meth:`name`."""
        self._emit(operator, inputs, name)

    def _emit(self, operator: Operator, inputs: tuple[str, ...], name: str) -> str:
        operator = self._operators.setdefault(operator, operator)
        self.nodes[name] = make_node(name, operator, inputs, self.nodes, self.inference)
        return name

    # Calls.

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ARG002
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read one call."""
        options = dict(kwargs or {})
        name = canonical(func)
        tensors = [
            value
            for value in tree_flatten((args, options))[0]
            if isinstance(value, torch.Tensor)
        ]
        known = [self.tensor(value) for value in tensors]
        if is_question(name):
            return self._answer(name, func, args, options)
        reached = any(isinstance(one, Traced) for one in known)
        # Products of stored tensors alone are work as well, once for any batch.
        reached = reached or (
            name in _PRODUCTS and any(one is not None for one in known)
        )
        if not reached or name in _MADE_ANEW:
            return self._constant(name, func, args, options, known)
        from costmodel.bridge.trace.calls import read

        return read(self, name, func, args, options)

    def run(self, func: Callable[..., Any], args: Any, options: Any) -> Any:
        """Run a function on tensors without memory."""
        args, options = tree_map(self.twin, (tuple(args), dict(options)))
        device = options.get("device")
        if device is not None:
            options["device"] = "meta"
        with torch.no_grad():
            return func(*args, **options)

    def _answer(
        self, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Answer a question about a tensor; sizes answer with their formulas."""
        value = args[0]
        found = self.tensor(value) if isinstance(value, torch.Tensor) else None
        sizes = found.sizes if found is not None else None
        if name in {"truth", "number", "item", "tolist", "numpy"}:
            if isinstance(found, Traced):
                raise CostModelError(
                    f"{self.path or 'forward'}: its control flow depends on data "
                    f"({name}() of a tensor), so its cost depends on the image"
                )
            return func(*args, **options)
        if sizes is None or name not in {"shape", "size", "numel", "nelement", "len"}:
            return func(*args, **options)
        numbers = [whole(s, self.record) for s in sizes]
        if name == "len":
            return numbers[0]
        if name in {"numel", "nelement"}:
            product: Any = 1
            for count in numbers:
                product = product * count
            return product
        if name == "size" and (len(args) > 1 or "dim" in options):
            return numbers[args[1] if len(args) > 1 else options["dim"]]
        return torch.Size(numbers)

    def _constant(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        options: dict[str, Any],
        known: list[Traced | Constant | None],
    ) -> Any:
        """Run what no input reaches, and remember which parameters it came from."""
        sources = tuple(
            dict.fromkeys(
                path
                for one in known
                if isinstance(one, Constant)
                for path in one.sources
            )
        )
        if any(one is not None for one in known):
            result = self.run(func, args, options)
        else:
            with torch.no_grad():
                result = func(*args, **options)
        from costmodel.bridge.trace.constants import sizes_of

        for value in tree_flatten(result)[0]:
            if isinstance(value, torch.Tensor) and id(value) not in self.stored:
                sizes = sizes_of(self, name, args, options, value)
                numel = [one for one in known if isinstance(one, Constant)]
                is_itself = (
                    len(sources) == 1
                    and len(numel) == 1
                    and numel[0].is_itself
                    and name in _VIEWS
                )
                self.know(value, Constant(sizes, sources, is_itself=is_itself))
        return result

    def refuse(self, kind: str, reason: str) -> CostModelError:
        """Return an error that says which module calls what."""
        return at(kind, self.path or "forward", reason)


_PRODUCTS = {
    "linear", "matmul", "bmm", "mm", "addmm", "baddbmm", "einsum", "conv2d", "conv1d",
}  # fmt: skip

_MADE_ANEW = {
    "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "zeros_like",
    "ones_like", "full_like", "empty_like", "rand_like", "randn_like",
}  # fmt: skip
"""Functions that take no number from their operand: only its kind, or its sizes."""

_VIEWS = {
    "view", "reshape", "unsqueeze", "squeeze", "flatten", "permute", "transpose", "to",
    "contiguous", "t", "type", "float", "expand_as_itself", "detach", "clone", "unflatten",
}  # fmt: skip


def is_leaf(module: nn.Module | None) -> bool:
    """Say whether a module is one layer of PyTorch's or of ours."""
    if module is None or any(True for _ in module.children()):
        return False
    home = type(module).__module__
    return home.startswith(("torch.nn.modules", "costmodel.bridge.modules"))


def number_of(value: Any) -> bool:
    """Say whether a value is a plain number or a size."""
    return isinstance(value, (int, float, SizeInt)) and not isinstance(value, bool)
