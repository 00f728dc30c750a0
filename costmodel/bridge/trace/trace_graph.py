"""The graph of a trace: nodes and their names, tensors, and owners of weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import nn

from costmodel.analysis.memory.gradient_flow import gradient_flow
from costmodel.bridge.importing.batch_axis import Layout, shaped, split
from costmodel.bridge.importing.graph import PLACES, Constant, Graph, Traced
from costmodel.bridge.importing.symbolic_int import formula_of
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape


@dataclass(kw_only=True)
class TraceGraph(Graph):
    """The nodes so far, the known tensors, and the node that stores each weight."""

    by_path: dict[str, tuple[torch.Tensor, bool]]
    """Every parameter (true) and buffer (false) by its path, shared ones once."""
    keeps_identities: bool = False
    used: set[str] = field(default_factory=set)
    draws: list[str] = field(default_factory=list)
    """The module whose code drew a random number first, if any did."""
    follows_draws: bool = False
    """Whether to find out which it was, and not just that there was one."""
    generators: list[Any] = field(default_factory=list)
    """What draws random numbers: Python's, NumPy's, PyTorch's, and the module's own."""
    scopes: set[str] = field(default_factory=set)
    """The paths of blocks, within which nodes are named."""

    def __post_init__(self) -> None:
        """Start with nothing known."""
        super().__post_init__()
        self.modules: list[tuple[str, nn.Module]] = []
        self._known: dict[int, tuple[torch.Tensor, Traced | Constant]] = {}
        self._twins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._originals: dict[int, torch.Tensor] = {}
        self._parameters: dict[int, str] = {}
        self._owners: dict[str, str] = {}
        self._tensors: dict[str, str] = {}
        self.stored = {id(value): path for path, (value, _) in self.by_path.items()}
        self._taken: dict[str, int] = {}
        self.record.where = lambda: self.path
        self.records = True
        self.owns_backward = False
        self._running: list[list[str]] = []
        self._learned: dict[str, bool] = {}
        # By storage: all tensors of it; and those that are not as recorded, and where.
        self._names: dict[int, dict[int, torch.Tensor]] = {}
        self._overwritten: dict[int, str] = {}

    # Where gradients stop.

    def emit(self, operator: Operator, inputs: tuple[str, ...], name: str) -> Node:
        """Append a node, and return it; its result may get no gradient."""
        # Stored tensors are nodes as soon as one reads them, whatever the mode then is.
        is_stored = isinstance(operator, op.Source)
        if not (self.records or is_stored or isinstance(operator, op.Identity)):
            self.no_gradient.add(name)
        if self.owns_backward and not is_stored:
            self.own_backward.add(name)
        for names in self._running:
            names.extend([] if is_stored else [name])
        return super().emit(operator, inputs, name)

    def is_recording(self) -> bool:
        """Say whether a gradient passes through what code computes now.

        In a function of its own backward it does, though autograd is off there.
        """
        return self.owns_backward or torch.is_grad_enabled()

    @contextmanager
    def own_backwards(self) -> Iterator[None]:
        """Note that nodes are those of a function with a backward of its own."""
        before, self.owns_backward = self.owns_backward, self.is_recording()
        try:
            yield
        finally:
            self.owns_backward = before

    @contextmanager
    def recomputed(self, *, stops_early: bool) -> Iterator[None]:
        """Record the nodes of a checkpoint."""
        self._running.append([])
        try:
            yield
        finally:
            self.checkpoints.append((self._running.pop(), stops_early))

    def learns(self, path: str) -> bool:
        """Say whether a stored tensor is a parameter that requires a gradient now.

        **Errors**: it did not when it was used before, or it was the other way round.
        """
        value, is_parameter = self.by_path[path]
        now = is_parameter and value.requires_grad
        if self._learned.setdefault(path, now) != now:
            raise CostModelError(
                f'"{path}": its requires_grad changes between its uses, so that some '
                "train it and others do not, which no trace follows"
            )
        return now

    def check_learned(self) -> None:
        """Refuse parameters that were frozen after their use: they get no gradient."""
        for path in [path for path, learned in self._learned.items() if learned]:
            self.learns(path)

    def requires_gradient(self, value: torch.Tensor) -> bool:
        """Say whether a tensor depends on a parameter that requires a gradient."""
        known = self.tensor(value)
        if isinstance(known, Constant):
            return any(map(self.learns, {*known.sources} - known.detached))
        if known is None:
            return False
        so_far = Network(
            self._leading_to(known.node), (), shared=self.shared,
            no_gradient=frozenset(self.no_gradient),
        )  # fmt: skip
        return gradient_flow(so_far).needs[known.node]

    def _leading_to(self, name: str) -> tuple[Node, ...]:
        """Return a node behind those that it depends on, in operands or in weights."""
        found, waiting = dict[str, Node](), [name]
        while waiting:
            node = self.nodes[waiting[-1]]
            before = (*node.inputs, self.shared.get(node.name, node.name))
            missing = [n for n in before if n not in found and n != node.name]
            if not missing:
                found[waiting.pop()] = node
            waiting += missing
        return tuple(found.values())

    # The modules, the running one, and the names of its nodes.

    def nest(self, paths: Iterable[tuple[str, nn.Module]]) -> None:
        """Reserve the names of modules that hold others or are code of their own."""
        self.scopes.update(_clean(path) for path, one in paths if not is_leaf(one))

    @property
    def path(self) -> str:
        """The path of the running module."""
        return self.modules[-1][0] if self.modules else ""

    @contextmanager
    def inside(self, path: str, module: nn.Module) -> Iterator[None]:
        """Set the running module."""
        self.modules.append((path, module))
        try:
            yield
        finally:
            self.modules.pop()

    def name(self, kind: str, *, is_step: bool = False) -> str:
        """Return the next node's name: its module's path, if it is the only node of it.

        An auxiliary step gets the path with a suffix.
        """
        path, module = _clean(self.path), self.modules[-1][1] if self.modules else None
        if path and is_leaf(module) and path not in self.scopes:
            return self._unique(f"{path}_{kind}" if is_step else path)
        base = f"{path}.{kind}".lstrip(".")
        return self._unique(base)

    def _unique(self, base: str) -> str:
        self._taken[base] = count = self._taken.get(base, 0) + 1
        name = base if count == 1 else f"{base}_{count}"
        is_free = name not in self.nodes and name not in self.scopes
        return name if is_free else self._unique(base)

    # Tensors.

    def tensor(self, value: torch.Tensor) -> Traced | Constant | None:
        """Return the record of a tensor, if it has one."""
        found = self._known.get(id(value))
        if found is not None:
            return found[1]
        if id(value) in self.stored:
            path = self.stored[id(value)]
            sizes = tuple(formula_of(s) for s in value.shape)
            self.know(value, Constant(sizes, (path,), is_itself=True))
            return self._known[id(value)][1]
        return None

    def change(self, value: torch.Tensor) -> None:
        """Forget how a tensor is made that code writes to, and what it is a view of."""
        written: Any = (value, value._base)  # noqa: SLF001 - PyTorch has no other
        changed = {id(one) for x in written for one in (x, self.original(x))}
        for key in changed & self._known.keys():
            known = self._known[key]
            if isinstance(known[1], Constant):
                one = replace(known[1], made={}, is_itself=False)
                self._known[key] = known[0], one

    def know(self, value: torch.Tensor, what: Traced | Constant) -> None:
        """Record a tensor."""
        self._known[id(value)] = value, what
        if isinstance(what, Traced):
            storage = value.untyped_storage()._cdata  # noqa: SLF001 - its identity
            self._names.setdefault(storage, {})[id(value)] = value

    def write(self, value: torch.Tensor) -> None:
        """Note that other names of a tensor, or of part of it, are not as recorded."""
        names = self._names.get(value.untyped_storage()._cdata, {})  # noqa: SLF001
        others = {key: one for key, one in names.items() if one is not value}
        if others:
            elements = value.untyped_storage().nbytes() // value.element_size()
            is_written = torch.zeros(elements, dtype=torch.bool)
            _elements(is_written, value).fill_(value=True)
            self._overwritten |= {
                key: self.path
                for key, one in others.items()
                if _elements(is_written, one).any()
            }

    def check_names(self, values: Iterable[torch.Tensor]) -> None:
        """Refuse to read a tensor that code wrote to by another name of it."""
        for value in values if self._overwritten else ():
            if id(value) in self._overwritten:
                raise CostModelError(
                    f"{self.path or 'forward'}: reads a tensor that code has written "
                    "to, in place, by another name of it or of a part of it (a view, "
                    f"in {self._overwritten[id(value)] or 'forward'}), which no trace "
                    "follows; compute a tensor of its own there"
                )

    def twin(self, value: Any) -> Any:
        """Return a tensor without memory in place of a real one."""
        if not isinstance(value, torch.Tensor) or value.device.type == "meta":
            return value
        if id(value) not in self._twins:
            made = torch.empty_strided(
                value.shape, value.stride(), dtype=value.dtype, device="meta"
            )
            self._twins[id(value)] = value, made
            self._originals[id(made)] = value
            found = self.tensor(value)
            if found is not None:
                self.know(made, found)
        return self._twins[id(value)][1]

    def original(self, value: torch.Tensor) -> torch.Tensor:
        """Return the real tensor in whose place one without memory is, or itself."""
        return self._originals.get(id(value), value)

    def scratch(self) -> Self:
        """Return a graph for tensors of which the sizes alone are wanted."""
        made = super().scratch()
        made.stored, made.used = {}, set()
        for own in ("_known", "_parameters", "_owners", "_tensors", "_taken"):
            setattr(made, own, {})
        return made

    def operand(self, value: torch.Tensor) -> Traced:
        """Return a tensor as an operand; a stored one becomes a node of its own."""
        found = self.tensor(value)
        if isinstance(found, Traced):
            self._tell_places(found)
            return found
        if found is None:
            found = Constant(tuple(formula_of(s) for s in value.shape))
        return self._parameter(value, found)

    def computed(self, value: torch.Tensor) -> str:
        """Return the node of a weight that is computed from stored tensors.

        A node that computes, such as a product, may have weights of its own: its result
        gets a node that has none.
        """
        found = self.operand(value)
        if not self.nodes[found.node].operator.is_unbatched:
            made_of, name = (found.node,), self.name("derived", is_step=True)
            name = self.emit_derived(found.shape, made_of, name, found.layout)
            self.know(value, replace(found, node=name))
            return name
        return found.node

    def _tell_places(self, found: Traced) -> None:
        """Note that an extreme's places are read, which are not what the node gives."""
        node = self.nodes[found.node]
        if found.dtype == PLACES and "places" in node.operator.defaults:
            operator = replace(node.operator, constants="places=...")
            self.nodes[found.node] = replace(node, operator=operator)

    def _parameter(self, value: torch.Tensor, constant: Constant) -> Traced:
        name = self._parameters.get(id(value))
        sizes = constant.sizes
        layout, shape = split(sizes, self.batch)
        if name is None:
            name = self._emit_constant(shape, constant, layout)
            self._parameters[id(value)] = name
            self._known.setdefault(id(value), (value, constant))
        return Traced(name, shape, sizes, layout)

    def _emit_constant(self, shape: Shape, constant: Constant, layout: Layout) -> str:
        is_itself = constant.is_itself and not constant.detached
        if is_itself and constant.sources[0] not in self._owners:
            return self._store(constant.sources[0], shape)
        stops = not any(map(self.learns, {*constant.sources} - constant.detached))
        parts = frozenset() if stops else constant.detached
        made_of = tuple(self.store(one, stops=one in parts) for one in constant.sources)
        name, made = self.name("derived"), dict(constant.made)
        if constant.is_itself:
            made = {"dims": ()}
        stored = [self.nodes[one].operator for one in made_of]
        if "dims" in made and [type(one) for one in stored] != [op.Parameter]:
            made = {}  # the layer that it belongs to is no operand
        name = self.emit_derived(shape, made_of, name, layout, made)
        self.no_gradient.update({name} if constant.detached and stops else ())
        return name

    def store(self, path: str, *, stops: bool = False) -> str:
        """Return the node of a stored tensor, or of the layer that it belongs to.

        If gradients stop, it is that of another name of it, to which none gets.
        """
        if path in self._owners and not stops:
            return self._owners[path]
        sizes = tuple(formula_of(s) for s in self.by_path[path][0].shape)
        if not stops:
            return self._store(path, shaped(sizes))
        one = Constant(sizes, (path,), is_itself=True, detached=frozenset({path}))
        layout, shape = split(sizes, self.batch)
        return self._emit_constant(shape, one, layout)

    def _store(self, path: str, shape: Shape) -> str:
        self.used.add(path)
        learnable = self.by_path[path][1]
        # Under its node's name if a compiled network has it so, as a block's scale.
        name = self._free(path.removesuffix(".data"))
        self.emit_stored(shape, name, learnable=learnable)
        if learnable and not self.learns(path):
            self.no_gradient.add(f"{name}.data")
        self._owners[path] = name
        return name

    def lender(self, path: str) -> str | None:
        """Return the node that stores a tensor already, or the tensor's name of it."""
        return self._tensors.get(path, self._owners.get(path))

    def own(self, path: str, name: str, tensor: str = "") -> None:
        """Register the layer that stores a tensor, under a name of its own."""
        self.used.add(path)
        self._owners[path] = name
        if tensor:
            self._tensors[path] = f"{name}.{tensor}"

    def _free(self, path: str) -> str:
        """Return an unused node's name for a stored tensor."""
        scope, _, last = _clean(path).rpartition(".")
        is_node = scope in self._taken and scope not in self.scopes
        if scope and not is_node:
            self.scopes.add(scope)  # where a layer of that name will be, if it runs
        return self._unique(
            f"{scope}_{last}" if is_node else f"{scope}.{last}".lstrip(".")
        )


def _elements(of: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the elements of a storage that a tensor is of."""
    return of.as_strided(like.shape, like.stride(), like.storage_offset())


def _clean(path: str) -> str:
    return ".".join(re.sub(r"\W", "_", part) for part in path.split("."))


def is_leaf(module: nn.Module | None) -> bool:
    """Say whether a module is one layer of PyTorch's or of ours."""
    home = type(module).__module__
    if module is None or home == "costmodel.bridge.compile.modules":
        return module is not None
    is_alone = next(module.children(), None) is None
    return home.startswith("torch.nn.modules") and is_alone


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Return the tensors among arguments, in lists and other containers too."""
    return (one for one in leaves(value) if isinstance(one, torch.Tensor))


def leaves(value: Any) -> Iterator[Any]:
    """Return what lists, tuples, dictionaries and slices hold.

    >>> list(leaves(([1, slice(2, None)], {"a": (3,)})))
    [1, 2, None, None, 3]
    """
    if isinstance(value, Mapping):
        value = tuple(value.values())
    elif isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from leaves(one)
    else:
        yield value
