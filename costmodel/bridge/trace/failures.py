"""Why a module does not run: before it is run, and from the errors of its runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from costmodel.algebra.symbols import Dim
from costmodel.bridge.importing.graph import Traced
from costmodel.bridge.trace.trace_graph import TraceGraph
from costmodel.errors import CostModelError


class DidNotRunError(CostModelError):
    """The module raised an error at every size; ``by_input``: its sizes may be why."""

    by_input: bool = True


def check_runnable(module: nn.Module, title: str) -> None:
    """Refuse layers that have no weights yet, or whose kernels need their numbers."""
    tensors = (*module.named_parameters(), *module.named_buffers())
    lazy = {path.rpartition(".")[0] or title for path, value in tensors
            if is_lazy(value)}  # fmt: skip
    if lazy:
        raise CostModelError(
            f"trace: {_listed(lazy)} in {title} is lazy, and has no weights before it "
            "has run: call the module once on a sample, then trace it"
        )
    quantized = {
        path.removesuffix("._packed_params") or title
        for path, part in module.named_modules()
        if type(part).__module__.startswith(_QUANTIZED)
    }
    if quantized:
        raise CostModelError(
            f"trace: {_listed(quantized)} in {title} is quantized: what its int8 "
            "kernels cost has no rule; trace the module that it was made from"
        )
    code = inspect.getattr_static(module, "forward")
    if code is inspect.getattr_static(nn.Module, "forward"):
        raise CostModelError(f"trace: {title} has no forward, which says what it runs")


_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")


def _listed(names: set[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))


def misfit(graph: TraceGraph, kind: str, given: Mapping[str, Any]) -> str:
    """Say which operand of a layer its weights are not for; empty if they are."""
    x, weight = given.get("input"), given.get("weight")
    if not isinstance(x, torch.Tensor):
        return ""
    known = graph.tensor(x)
    wanted = _wanted(kind, weight, given)
    if not isinstance(known, Traced) or wanted is None:
        return ""
    axis, count, ranks, word = wanted
    many, came = len(known.sizes), "×".join(_written(s.value) for s in known.sizes)
    where = f'{kind} at "{graph.path or "forward"}"'
    if ranks and many not in (ranks[1:] if known.layout.has_batch else ranks):
        return f"{where} takes {ranks[-1]} axes with the batch's, and gets {came}"
    if -many <= axis < many and graph.number(known.sizes[axis]) != count:
        have = known.sizes[axis].value
        return f"{where} takes {count} {word}, and gets {have} of them in {came}"
    return ""


def _written(size: Dim) -> str:
    return f"({size})" if getattr(size, "is_Add", False) else str(size)


def _wanted(
    kind: str, weight: Any, given: Mapping[str, Any]
) -> tuple[int, int, tuple[int, ...], str] | None:
    """Return an axis, its size, and the ranks of what weights are for."""
    if kind.endswith("_norm") and kind != "layer_norm":
        weight = weight if weight is not None else given.get("running_mean")
        if isinstance(weight, torch.Tensor):
            return 1, weight.numel(), (), "channels"
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
        return None
    if kind == "linear":
        return -1, int(weight.shape[1]), (), "features"
    if kind.startswith("conv"):
        is_transposed = "transpose" in kind
        count = int(weight.shape[0 if is_transposed else 1])
        count *= 1 if is_transposed else int(given.get("groups") or 1)
        return 1, count, (weight.dim() - 1, weight.dim()), "channels"
    return None


def did_not_run(
    title: str, shape: Sequence[Dim], tried: Sequence[tuple[str, Exception]]
) -> DidNotRunError:
    """Return the error of a module that ran at no size, from those of its runs."""
    where, first = tried[0]
    notes = {note for _, error in tried for note in getattr(error, "__notes__", ())}
    reasons = {_first_line(error): place for place, error in reversed(tried)}
    if len(notes) == 1 and all(hasattr(error, "__notes__") for _, error in tried):
        (note,) = notes
        hint = _hint(shape, note)
        return DidNotRunError(f"trace: {title}: {note}{hint} ({_first_line(first)})")
    if len(tried) == 1:
        return DidNotRunError(f"trace: {title} fails at {where}: {_first_line(first)}")
    if len(reasons) == 1:
        many = f"fails alike at all {len(tried)} sizes tried"
        found = DidNotRunError(f"trace: {title} {many}: {_first_line(first)}")
        found.by_input = isinstance(first, (RuntimeError, AssertionError))
        return found
    said = "; ".join(f"{place}: {why}" for why, place in [*reasons.items()][::-1][:3])
    return DidNotRunError(
        f"trace: {title} runs at no size tried: {said}; {_ONE_SAMPLE}"
    )


_ONE_SAMPLE = "input is the shape of one sample, without its batch"


def _hint(shape: Sequence[Dim], note: str) -> str:
    """Ask whether the channels are last, if they fit there; say what an input is."""
    if " axes with the batch's" in note:
        return f"; {_ONE_SAMPLE}"
    *sides, last = shape
    if len(shape) < 2 or f" takes {last} channels" not in note or shape[0] == last:
        return ""
    first = ", ".join(map(str, (last, *sides)))
    return f"; are the channels last? They come first: ({first})"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"
