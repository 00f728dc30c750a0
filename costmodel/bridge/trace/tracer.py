"""The tracer: runs a module on tensors without memory and reads its function calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.hooks import RemovableHandle

from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio, plain, whole
from costmodel.bridge.trace.constants import how_made
from costmodel.bridge.trace.function_names import (
    FILLED,
    MADE_ANEW,
    NORMALIZES,
    OF_TWO,
    PRODUCTS,
    RECURRENT,
    VIEWS,
    canonical,
    is_question,
    keeps_sizes,
    writes_to_operand,
)
from costmodel.bridge.trace.trace_graph import TraceGraph, leaves, tensors
from costmodel.bridge.trace.values import Values
from costmodel.errors import CostModelError


if TYPE_CHECKING:
    from costmodel.bridge.trace.dispatch import Readers


FEW = 64
"""Elements up to which tensors that no input and no weight reaches keep numbers."""
MOVES = {torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.cuda}
"""Methods that move a tensor to a device, of which tensors without memory have none."""


class DependsOnDataError(CostModelError):
    """The code's control flow depends on the values in a tensor."""


@dataclass(kw_only=True, eq=False)
class Tracer(TraceGraph, TorchFunctionMode):
    """A torch function mode that reads every call while it is active.

    Real tensors are replaced by copies without memory; the module is never changed.
    """

    readers: Readers

    def __post_init__(self) -> None:
        """Start with nothing known."""
        super().__post_init__()
        self.values = Values(self)
        TorchFunctionMode.__init__(self)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read one call."""
        options = dict(kwargs or {})
        name = canonical(func)
        freezes = func == torch.Tensor.requires_grad.__set__
        if name == "set_grad_enabled" or (freezes and id(args[0]) in self.stored):
            return func(*args, **options)
        if func == torch.Tensor.requires_grad.__get__:
            return self.requires_gradient(args[0])
        if name in {"register_hook", "retain_grad"}:  # which concern backward alone
            return RemovableHandle(OrderedDict())
        self.records = self.is_recording()
        given = [*tensors((args, options))]
        known = [self.tensor(value) for value in given]
        if is_question(name):
            return self._answer(name, func, args, options)
        reached = any(isinstance(one, Traced) for one in known)
        # Products of stored tensors alone are work as well, once for any batch.
        reached = reached or (name in PRODUCTS and any(known))
        if not reached or name in MADE_ANEW:
            return self._constant(name, func, args, options, known)
        self.check_names(given)
        self._check_held(given, name)
        if name == "getitem":
            args = args[0], self.values.places(args[1])
        if writes_to_operand(func) and not isinstance(known[0], Traced):
            self.values.forget(args[0])
        return self.readers.read(self, func, args, options)

    def _check_held(self, values: Iterable[torch.Tensor], name: str) -> None:
        """Refuse to read a parameter that is none of the module's."""
        for one in values:
            is_loose = isinstance(one, nn.Parameter) and id(one) not in self.stored
            if is_loose and one.requires_grad:
                raise CostModelError(
                    f"{self.path or 'forward'}: {name} reads a parameter of shape "
                    f"{tuple(one.shape)} that the module does not hold: keep layers in "
                    "nn.ModuleList or nn.ModuleDict, and run a module that makes "
                    "layers while it runs once before it is traced"
                )

    def run(self, func: Callable[..., Any], args: Any, options: Any) -> Any:
        """Run a function on tensors without memory."""
        made = self._at_once(func, args, options)
        if made is not None:
            return made
        args, options = tree_map(self.twin, (tuple(args), dict(options)))
        if func in MOVES:
            places = (str, torch.device) if func == torch.Tensor.to else object
            rest = ("meta" if isinstance(a, places) else a for a in args[1:])
            func, args = torch.Tensor.to, (args[0], *rest)
        if canonical(func) in RECURRENT and len(args) == 9:
            return _recurrent(*args[:2], is_both=args[7])
        device = options.get("device")
        if device is not None:
            options["device"] = "meta"
        with torch.no_grad():
            return func(*args, **options)

    def _at_once(self, func: Any, args: Any, options: Any) -> Any:
        """Return a result with its operand's sizes, without running the function.

        The kernels of such functions are the slowest ones on tensors without memory.
        """
        x = args[0] if args else None
        written = getattr(func, "__name__", "")
        name = canonical(func)
        normalizes = name in NORMALIZES
        if not isinstance(x, torch.Tensor) or not (normalizes or keeps_sizes(name)):
            return None
        if normalizes and not _fits(x, args, options):
            return None
        if name in OF_TWO:
            other = args[1] if len(args) == 2 else None
            single = isinstance(other, (int, float)) or (
                isinstance(other, torch.Tensor) and other.shape == x.shape
            )
            if not single or not isinstance(self.tensor(x), Traced):
                return None
        if written.startswith("__"):
            is_in_place = written.startswith("__i") and name in OF_TWO
        else:
            is_in_place = written.endswith("_")
        alike = self.twin(x)
        if is_in_place or options.get("inplace") is True:
            return alike
        if not normalizes and any(a is True for a in args[1:]):
            return None
        # What drops nothing returns its operand.
        is_idle = "dropout" in name and False in (*args[1:], options.get("training"))
        return alike.view_as(alike) if is_idle else torch.empty_like(alike)

    def _answer(
        self, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Return the answer to a query of a tensor; sizes have their formulas."""
        value = args[0]
        found = self.tensor(value) if isinstance(value, torch.Tensor) else None
        sizes = found.sizes if found is not None else None
        if name in {"truth", "number", "item", "tolist", "numpy"}:
            if isinstance(found, Traced):
                raise DependsOnDataError(
                    f"{self.path or 'forward'}: its control flow depends on data "
                    f"({name}() of a tensor), so its cost depends on the image"
                )
            if isinstance(found, Constant) and found.is_of_sizes:
                self.record.lose(f"{name}() of a tensor made of sizes")
            return self.values.asked(name, func, args, options)
        if sizes is None or name not in {"shape", "size", "numel", "nelement", "len"}:
            return func(*args, **options)
        numbers = [whole(s, self.record) for s in sizes]
        if name == "len":
            self.record.lose(f"len() of {sizes[0].value}")
            return numbers[0]
        if name in {"numel", "nelement"}:
            product: Any = 1
            for count in numbers:
                product = product * count
            return product
        if name == "size" and (len(args) > 1 or "dim" in options):
            numbers = [numbers[args[1] if len(args) > 1 else options["dim"]]]
        free = [
            n for n in numbers if isinstance(n, SizeInt) and n.formula != self.batch
        ]
        self.record.is_asked |= bool(free)
        return numbers[0] if len(numbers) < len(sizes) else torch.Size(numbers)

    def _constant(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        options: dict[str, Any],
        known: list[Traced | Constant | None],
    ) -> Any:
        """Run a function that does not depend on the input, and record its sources."""
        writes = writes_to_operand(func)
        if writes and known and known[0] is not None:
            self.change(args[0])
        constants = [one for one in known if isinstance(one, Constant)]
        sources = tuple(dict.fromkeys(p for one in constants for p in one.sources))
        if any(one is not None for one in known) and (
            sources or not all(map(_is_small, tensors((args, options))))
        ):
            run = partial(self.run, func, args, options)
            result = self.values.run(run, func, args, options, writes=writes)
        else:
            if name in FILLED and any(
                isinstance(s, SizeInt) for s in tree_flatten(args)[0]
            ):
                options = {**options, "device": "meta"}
            run = torch.no_grad()(partial(func, *args, **options))
            is_real = not _is_without_memory(options)
            result = run() if is_real else self.values.run(run, func, args, options)
        is_of_sizes = any(
            isinstance(v, (SizeInt, SizeRatio)) for v in leaves((args, options))
        ) or any(one.is_of_sizes for one in constants)
        passing = {p for one in constants for p in {*one.sources} - one.detached}
        if not self.records or (name == "detach" and not self.owns_backward):
            passing.clear()
        detached = frozenset(filter(self.learns, {*sources} - passing))
        # Without autograd, a tensor that is returned itself is as it was.
        given = () if self.records or name == "detach" else tensors((args, options))
        itself = {
            id(self.twin(one)): what.detached
            for one, what in zip(given, known, strict=False)
            if isinstance(what, Constant)
        }
        for value, sizes in self.readers.sizes(self, func, args, options, result):
            if id(value) not in self.stored:
                is_itself = (
                    len(sources) == 1
                    and len(constants) == 1
                    and constants[0].is_itself
                    and name in VIEWS
                )
                made = how_made(name, args, options, known)
                self.know(
                    value,
                    Constant(
                        sizes, sources, is_itself, is_of_sizes,
                        detached=itself.get(id(value), detached), made=made,
                    ),
                )  # fmt: skip
        return result


def _is_without_memory(options: dict[str, Any]) -> bool:
    """Say whether a tensor is to be made where the sample is."""
    device = options.get("device")
    return device is not None and torch.device(device).type == "meta"


def _is_small(value: torch.Tensor) -> bool:
    """Say whether a tensor has numbers, and so few that working with them is no work.

    Code may ask for them: of a draw, whether it is below a half.
    """
    return bool(value.device.type != "meta" and value.numel() <= FEW)


def _recurrent(x: torch.Tensor, states: Any, *, is_both: bool) -> Any:
    """Return results with the sizes of a recurrent layer's, without its steps."""
    each = states if isinstance(states, (list, tuple)) else (states,)
    width = int(each[0].shape[-1]) * (2 if is_both else 1)
    return x.new_empty((*x.shape[:-1], width)), *map(torch.empty_like, each)


def _fits(x: torch.Tensor, args: Any, options: Any) -> bool:
    """Say whether the weights of a normalization fit a tensor."""
    shape = options.get("normalized_shape", args[1] if len(args) > 1 else None)
    if isinstance(shape, Sequence):
        return tuple(map(plain, shape)) == tuple(x.shape[-len(shape) :])
    weights = [w for w in (*args[1:], *options.values()) if isinstance(w, torch.Tensor)]
    return x.dim() > 1 and all(w.numel() == x.shape[1] for w in weights)
