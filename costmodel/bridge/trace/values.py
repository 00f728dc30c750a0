"""Values of small tensors that no data reaches: stored ones, and what is made of them.

Code runs on stand-ins without memory. Beside them, what stored tensors and constants
alone give is computed on copies, so that code may ask for it and may write to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.importing.symbolic_int import SizeInt
from costmodel.bridge.trace.function_names import MADE_ANEW, canonical
from costmodel.bridge.trace.trace_graph import TraceGraph, leaves, tensors
from costmodel.errors import CostModelError


MOST_VALUES = 4096
"""Elements up to which tensors have values beside their stand-ins."""


class _UnknownError(Exception):
    """An operand has no known values."""


class Values:
    """The values of small tensors of one run."""

    def __init__(self, graph: TraceGraph) -> None:
        """Start with those of stored tensors."""
        self.graph = graph
        self._known: dict[int, tuple[torch.Tensor, torch.Tensor | None]] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Return a tensor with the values of one; None if they are not known."""
        tensor = self.graph.original(tensor)
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        known = self.graph.tensor(tensor)
        is_small = tensor.device.type != "meta" and tensor.numel() <= MOST_VALUES
        if not is_small or isinstance(known, Traced):
            return None
        if not isinstance(known, Constant) or not known.sources:
            return tensor
        self._known[id(tensor)] = tensor, tensor.detach().clone()
        return self._known[id(tensor)][1]

    def asked(self, name: str, func: Any, args: Any, options: Any) -> Any:
        """Answer a question for a tensor's values.

        **Errors**: they are not known.
        """
        tensor = self.graph.original(args[0])
        value = self.of(tensor)
        if value is None and (id(tensor) in self._known or tensor.is_meta):
            raise CostModelError(
                f'trace: "{self.graph.path or "forward"}" asks for a value ({name}()) '
                "that tracing does not know; it knows those of tensors of up to "
                f"{MOST_VALUES} elements that are stored in memory, and what is "
                "computed from such and from constants alone"
            )
        return func(args[0] if value is None else value, *args[1:], **options)

    def run(
        self,
        run: Callable[[], Any],
        func: Callable[..., Any],
        args: Any,
        options: Any,
        *,
        writes: bool = False,
    ) -> Any:
        """Return what a run without memory gives, and note the values of that.

        If there is no such run, since sizes or answers depend on values, these give it.
        """
        failed: Exception | None = None
        try:
            result = run()
        except (NotImplementedError, RuntimeError) as error:
            result, failed = None, error
        made = list(tensors(result))
        try:
            values = self._computed(func, args, options, made)
        except (_UnknownError, NotImplementedError, RuntimeError):
            if failed is not None:
                raise failed from None
            if writes:
                self.forget(args[0])
            return result
        found = [v for v in tree_leaves(values) if isinstance(v, torch.Tensor)]
        if failed is not None:
            if any(one.numel() > MOST_VALUES for one in found):
                raise failed
            result = tree_map(_without_memory, values)
            made = list(tensors(result))
        elif not found and values is not None:
            return values
        for one, value in zip(made, found, strict=False):
            self._known[id(one)] = one, value
        return result

    def forget(self, tensor: torch.Tensor) -> None:
        """Forget the values of a tensor that is written to, and of what shares them."""
        value, tensor = self.of(tensor), self.graph.original(tensor)
        self._known[id(tensor)] = tensor, None
        if value is not None:
            place = value.untyped_storage().data_ptr()
            for key, (one, other) in self._known.items():
                if other is not None and other.untyped_storage().data_ptr() == place:
                    self._known[key] = one, None

    def places(self, places: Any) -> Any:
        """Return indices with the places of each known mask instead of the mask."""
        given = places if isinstance(places, tuple) else (places,)
        found = [new for one in given for new in self._unmasked(one)]
        if all(any(new is one for one in given) for new in found):
            return places
        many = [one for one in found if isinstance(one, (torch.Tensor, list))]
        is_one = len(many) == 1 and not any(many[0] is one for one in given)
        return tuple(
            _evenly(one) if is_one and one is many[0] else one for one in found
        )

    def _unmasked(self, place: Any) -> Iterable[Any]:
        is_list = isinstance(place, list) and place
        if is_list and all(isinstance(one, bool) for one in place):
            place = torch.tensor(place)
        if not isinstance(place, torch.Tensor) or place.dtype != torch.bool:
            return (place,)
        known, value = self.graph.tensor(place), self.of(place)
        if value is None or not place.dim():
            return (place,)
        if isinstance(known, Constant) and known.is_of_sizes:
            self.graph.record.lose("the places in a mask made of sizes")
        found: tuple[torch.Tensor, ...] = value.nonzero(as_tuple=True)
        return found

    def _computed(
        self,
        func: Callable[..., Any],
        args: Any,
        options: Any,
        made: Sequence[torch.Tensor],
    ) -> Any:
        """Run a function on values, in memory; ``made`` is without."""
        if any(one.numel() > MOST_VALUES for one in made):
            raise _UnknownError
        name, is_moved = canonical(func), func in _MOVES
        is_made = name in MADE_ANEW or not any(True for _ in tensors((args, options)))
        if is_made and any(isinstance(one, SizeInt) for one in leaves((args, options))):
            raise _UnknownError  # there is one for each sample, or for each place

        def real(one: Any) -> Any:
            if isinstance(one, torch.Tensor):
                return _like(one) if name in MADE_ANEW else self._required(one)
            is_place = isinstance(one, torch.device) or (is_moved and one in _DEVICES)
            return "cpu" if is_place else one

        args, options = tree_map(real, (tuple(args), dict(options)))
        if options.get("device") is not None:
            options["device"] = "cpu"
        if is_moved and func is not torch.Tensor.to:
            return args[0]
        with torch.no_grad():
            return func(*args, **options)

    def _required(self, one: torch.Tensor) -> torch.Tensor:
        value = self.of(one)
        if value is None:
            raise _UnknownError
        return value


def _evenly(places: torch.Tensor) -> Any:
    """Return the slice that takes out the same places, if they are evenly apart."""
    first, *rest = places.tolist() or [0]
    step = rest[0] - first if rest else 1
    even = range(first, first + step * len(places), step)
    return slice(even.start, even.stop, step) if [*even] == places.tolist() else places


_MOVES = (torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.cuda)
_DEVICES = ("cpu", "cuda", "meta", "mps", "xpu")


def _without_memory(value: Any) -> Any:
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _like(one: torch.Tensor) -> torch.Tensor:
    """Return a tensor in memory of which only the type, or the sizes too, are used."""
    if one.numel() > MOST_VALUES:
        return torch.empty(0, dtype=one.dtype)
    return torch.empty(tuple(map(int, one.shape)), dtype=one.dtype)
