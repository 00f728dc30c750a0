"""Calls of torch functions: arguments, results, and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.call import Call, NoRule, Pads
from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.importing.symbolic_int import SizeInt, SizeRatio, plain
from costmodel.bridge.trace.tracer import Tracer
from costmodel.network.operators import Operator


@dataclass
class TorchCall(Call):
    """A call of a torch function that depends on the input.

    ``made`` is the result of PyTorch's own kernel on tensors without memory: every
    formula is compared with its sizes.
    """

    graph: Tracer
    kind: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    made: Any = None
    given: Mapping[str, Any] = field(default_factory=dict)
    """The arguments by PyTorch's names, defaults included."""

    @property
    def where(self) -> str:
        """The running module."""
        return self.graph.path or "forward"

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument by PyTorch's name for it."""
        return self.given.get(name, default)

    def list_of(self, name: str) -> list[Any]:
        """Return sizes or axes, a single one too."""
        value = self.get(name)
        return list(value) if isinstance(value, Sequence) else [value]

    def operand(self, value: Any) -> Traced:
        """Return a tensor as an operand; a stored one becomes a node of its own."""
        if not isinstance(value, torch.Tensor):
            raise self.refuse(f"an argument is {value!r}, not a tensor")
        return self.graph.operand(value)

    def is_traced(self, value: Any) -> bool:
        """Say whether a value depends on the input."""
        known = self.graph.tensor(value) if isinstance(value, torch.Tensor) else None
        return isinstance(known, Traced)

    def constant(self, value: Any) -> str | None:
        """Return a number as text; ``...`` for a size, which differs between samples.

        So it is for a scalar tensor without memory, whose number is not known.
        """
        if isinstance(value, (SizeInt, SizeRatio)):
            return "..."
        if is_number(value):
            is_float = isinstance(value, float)
            return repr(float(plain(value))) if is_float else str(plain(value))
        if not isinstance(value, torch.Tensor) or value.dim() or self.is_traced(value):
            return None
        known = self.graph.tensor(value)
        if isinstance(known, Constant) and known.sources:
            return None
        return "..." if value.is_meta else str(value.item())

    def optional(self, name: str) -> torch.Tensor | None:
        """Return an optional weight, which may not depend on the sample."""
        value: torch.Tensor | None = self.get(name)
        known = None if value is None else self.graph.tensor(value)
        if isinstance(known, Traced) and known.layout.has_batch:
            raise NoRule(f"with a {name} for each sample")
        return value

    def weight(self, name: str = "weight") -> torch.Tensor:
        """Return a required weight."""
        value = self.optional(name)
        if value is None:
            raise NoRule
        return value

    def lengths(self, weight: torch.Tensor) -> tuple[int, ...]:
        """Return the sizes of a weight, which are numbers."""
        return tuple(map(int, weight.shape))

    def name(self, kind: str, *, is_step: bool = False) -> str:
        """Return the name of the next node."""
        return self.graph.name(kind, is_step=is_step)

    # Its results.

    def output(self, place: int = 0) -> torch.Tensor:
        """Return a result, or one of several."""
        is_one = isinstance(self.made, torch.Tensor)
        made: torch.Tensor = self.made if is_one else self.made[place]
        return made

    def rank(self, place: int) -> int:
        """Return the number of axes of a result."""
        return int(self.output(place).dim())

    def give(self, made: Traced, place: int = 0) -> None:
        """Set a result, after comparing its sizes with those of PyTorch."""
        result = self.output(place)
        ours = self.graph.numbers(made.sizes)
        if ours != tuple(result.shape):
            raise self.refuse(
                f"PyTorch's result is {tuple(result.shape)} and ours {ours}; "
                "the reader of this function is wrong"
            )
        self.graph.know(result, made)

    def layer(
        self, operator: Operator, x: Traced, *weights: Any, **options: Any
    ) -> Traced:
        """Append a layer; of its weights, some may get no gradient."""
        made = super().layer(operator, x, *weights, **options)
        for key, value in zip(("weight", "bias"), weights, strict=False):
            if value is not None and not self.graph.requires_gradient(value):
                self.graph.no_gradient.add(f"{made.node}.{key}")
        return made

    # The owners of its weights.

    def store(
        self, name: str, weights: Mapping[str, Any], others: Mapping[str, Any]
    ) -> dict[str, str]:
        """Register a node as the owner of weights; return what it shares, with whom.

        Weights computed from stored tensors (standardized, scaled by a gain) are the
        layer's if one of those has the weight's shape; the others become nodes of their
        own. Other weights are results of nodes: a fixed filter, joined biases.
        """
        graph = self.graph
        lent = {n: self._lender(value, name, n) for n, value in weights.items()}
        for tensor, value in others.items():
            for path in self.sources(value):
                lent[tensor] = graph.lender(path) or ""
                if not lent[tensor]:
                    graph.own(path, name, tensor)
                counter = path.rpartition(".")[0] + ".num_batches_tracked"
                if (counter := counter.lstrip(".")) in graph.by_path:
                    graph.used.add(counter)
        if mean := lent.get("running_mean"):
            # Batches are counted beside the statistics.
            counter = f"{mean.removesuffix('.running_mean')}.num_batches_tracked"
            lent["num_batches_tracked"] = counter
        return {f"{name}.{n}": owner for n, owner in lent.items() if owner}

    def sources(self, *values: torch.Tensor) -> tuple[str, ...]:
        """Return the paths of the stored tensors that weights are computed from."""
        found: list[str] = []
        for value in values:
            known = self.graph.tensor(value)
            if isinstance(known, Constant):
                found += known.sources
        return tuple(dict.fromkeys(found))

    def is_stored(self, weight: torch.Tensor) -> bool:
        """Say whether a weight is a stored tensor, and not computed from some."""
        known = self.graph.tensor(weight)
        return isinstance(known, Constant) and known.is_itself

    def _lender(self, value: torch.Tensor, name: str, tensor: str) -> str:
        """Return the node, or the tensor of a layer, that is a weight.

        It is empty if the layer stores the weight itself.
        """
        graph, paths = self.graph, self.sources(value)
        made = graph.tensor(value)
        detached = made.detached if isinstance(made, Constant) else frozenset()
        fitting = [p for p in paths if _fits(graph.by_path[p], value)]
        mine = min(fitting, key=detached.__contains__, default="")
        if not mine:
            return graph.computed(value)
        known = graph.lender(mine)
        if mine in detached and (known is None or graph.requires_gradient(value)):
            # Another use may learn what is detached in this one: nobody's layer has it.
            return graph.computed(value)
        if known is None:
            graph.own(mine, name, tensor)
        for path in paths:
            if path != mine:
                graph.store(path, stops=path in detached)
        return known or ""

    # Numbers of windows and normalizations.

    @property
    def axes(self) -> int:
        """The number of axes along which a window slides, from the function's name."""
        return int(self.kind[-2])

    def pads(self, axes: int) -> Pads | str:
        """Return a window's padding."""
        given = self.get("padding", 0)
        if given == "same":
            return "after"
        both = (0,) * axes if given == "valid" else self.ints("padding", axes, 0)
        return both, both

    def stride(self, kernel: Sequence[Dim]) -> tuple[Dim, ...]:
        """Return the stride of a pooling, by default its kernel."""
        return self.ints("stride", len(kernel), tuple(kernel))

    def rounds_up(self) -> bool:
        """Say whether a window may extend beyond the end (ceil_mode)."""
        return bool(self.get("ceil_mode", False))

    def counts_padding(self, padding: Sequence[Dim]) -> bool:  # noqa: ARG002 - of all
        """Say whether a mean counts the padding."""
        return bool(self.get("count_include_pad", True))

    def is_affine(self) -> bool:
        """Say whether a normalization scales by learned numbers."""
        return self.get("weight") is not None

    def trains(self) -> bool:
        """Say whether a function trains, or the traced module itself does not."""
        traced = self.graph.modules[0][1]
        return not traced.training or bool(self.get("training", self.get("train", 1)))


Reader = Callable[[TorchCall], None]
"""The reader of a function."""


def _fits(stored: tuple[torch.Tensor, bool], value: torch.Tensor) -> bool:
    tensor, learnable = stored
    return learnable and tensor.numel() == value.numel()


def is_number(value: Any) -> bool:
    """Say whether a value is a plain number or a size."""
    return isinstance(value, (int, float, SizeInt)) and not isinstance(value, bool)
