"""Tracing of a module: the sample, the run, the second run, and the network."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import sympy
import torch
from torch import fx, nn
from torch.utils._pytree import tree_flatten

from costmodel.algebra.extent import Extent
from costmodel.algebra.polynomial import size
from costmodel.algebra.symbols import D, Dim, H, N, W, as_dim
from costmodel.bridge.importing.batch_axis import split
from costmodel.bridge.importing.constraints import admits
from costmodel.bridge.importing.graph import DEPTH, SIDES, Traced
from costmodel.bridge.importing.symbolic_int import Record
from costmodel.bridge.trace.failures import check_runnable, did_not_run
from costmodel.bridge.trace.patches.autograd_functions import recording_functions
from costmodel.bridge.trace.patches.builtins import symbolic_builtins
from costmodel.bridge.trace.patches.checkpoints import recording_checkpoints
from costmodel.bridge.trace.patches.forms import by_name
from costmodel.bridge.trace.patches.kept import Kept
from costmodel.bridge.trace.patches.module_stack import following
from costmodel.bridge.trace.readers import READERS
from costmodel.bridge.trace.second_run import (
    KNOWN,
    UNKNOWN,
    at_sizes,
    check_again,
    check_draws,
)
from costmodel.bridge.trace.tracer import DependsOnDataError, Tracer
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.shape import Shape


COUNT = 13
"""The batch to run at: a number that hardly occurs as another size."""


def trace(
    module: nn.Module | torch.export.ExportedProgram,
    input: Sequence[Any] = (3, H, W),  # noqa: A002 - the name that users know
    *,
    batch: Dim = N,
    name: str | None = None,
    on_unknown: str = "raise",
    check: bool = True,
) -> Network:
    """Return the network that a module runs, symbolic in the sizes of its input.

    ``input`` is the shape of one sample, channels first; sizes are symbols or numbers.
    A video is ``(3, D, H, W)``.
    The module runs as it is, in its own mode, on tensors without memory: nothing is
    copied or changed. With ``check`` it runs a second time at another size, which
    shows whether a size has been lost on the way.

    **Errors**: operators without a rule, all of them with their modules, unless
    ``on_unknown="mark"`` keeps them as opaque nodes; control flow that depends on data;
    sizes that lose their formula.

    >>> net = trace(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()))
    >>> [node.name for node in net.nodes], str(net["0"].output)
    (['input', '0', '1'], '8×⌊(H-1)/2⌋×⌊(W-1)/2⌋')
    """
    network, tracer = traced(module, input, batch, name, on_unknown, check=check)
    warn_unused(network.name, tracer)
    return network


def traced(
    module: nn.Module | torch.export.ExportedProgram,
    given: object,
    batch: Dim,
    name: str | None,
    on_unknown: str,
    *,
    check: bool,
    draws: Callable[[Tracer], AbstractContextManager[None]] | None = None,
) -> tuple[Network, Tracer]:
    """Return the network of ``trace``, and a run; ``draws`` may decide in each run."""
    if isinstance(module, torch.export.ExportedProgram):
        module = module.module()
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise CostModelError(f"trace: needs a torch.nn.Module, got {kind}")
    if on_unknown not in {"raise", "mark"}:
        raise CostModelError(
            f'trace: on_unknown {on_unknown!r} is not "raise" or "mark"'
        )
    # What ``torch.compile`` returns holds the module.
    module = getattr(module, "_orig_mod", module)
    check_runnable(module, _title(module))
    shape, batch = _sample_shape(module, given), as_dim(batch, "trace: batch")
    # Sizes are told apart by their formulas, so a numeric batch is substituted last.
    count = N if isinstance(batch, int) else batch
    kept = Kept(module)
    title = name or _title(module)
    hint = KNOWN if draws is None else UNKNOWN

    def found(count: Dim) -> tuple[Network, Tracer]:
        marks, sizes = on_unknown == "mark", (count, *shape)
        run = partial(_run, module, kept, shape, count, marks=marks, draws=draws)
        samples = _samples(shape, batch)
        return _found(run, samples, title, sizes, check=check, hint=hint)

    try:
        network, tracer = found(count)
    except CostModelError:
        if batch != 1:
            raise
    else:
        return network.bind({N: batch} if isinstance(batch, int) else {}), tracer
    return found(1)  # code for one sample may not keep several apart


def _sample_shape(module: nn.Module, given: object) -> tuple[Dim, ...]:
    """Return the shape of the one tensor that the module is run on, or say what is."""
    if isinstance(given, torch.Tensor):
        shape, one = tuple(given.shape), tuple(given.shape[1:])
        raise CostModelError(
            f"trace: input is a tensor of shape {shape}; give the shape of one sample "
            f"without its batch: input={one}, with H and W in it for formulas in them"
        )
    parts = list(given) if isinstance(given, Sequence | Mapping) else []
    if isinstance(given, str) or not parts:
        raise CostModelError(
            f"trace: input {given!r} is not the shape of a sample, such as (3, H, W)"
        )
    if isinstance(given, Mapping) or isinstance(parts[0], Sequence | torch.Tensor):
        raise CostModelError(f"trace: input is a {type(given).__name__}; {_ONE_INPUT}")
    try:
        inspect.signature(module.forward).bind(None)
    except ValueError:
        pass  # a module compiled by TorchScript has no signature
    except TypeError as error:
        raise CostModelError(
            f"trace: {_title(module)}.forward: {error}; {_ONE_INPUT}"
        ) from None
    return tuple(as_dim(s, "trace: input") for s in parts)


_ONE_INPUT = (
    "a module is run on one tensor: trace a module of your own whose forward takes one "
    "and calls this one"
)


def _found(
    run: Callable[..., tuple[Tracer, list[str]]],
    samples: Iterable[Mapping[sympy.Symbol, int]],
    title: str,
    sizes: Sequence[Dim],
    *,
    check: bool,
    hint: str,
) -> tuple[Network, Tracer]:
    """Return the network of the first sample whose conditions admit the usual size."""
    batch, *shape = sizes
    tried: list[tuple[str, Exception]] = []
    refused: CostModelError | None = None
    fallback: tuple[Network, Tracer] | None = None
    for values in samples:
        try:
            tracer, outputs = run(values)
        except CostModelError as error:
            # Code written for one size may mix samples at every other.
            refused = refused or error
            continue
        except Exception as error:  # noqa: BLE001 - whatever the module raises
            tried.append((at_sizes(values), error))
            continue
        _require_rules(tracer, title)
        if check:
            check_again(lambda other: run(other)[0], tracer, title)
            again = partial(run, values, follows_draws=True)
            check_draws(again, tracer, title, hint)
        network = tracer.network(outputs, title, batch)
        if admits(tracer.record, {**values, H: 224, W: 224}):
            return network, tracer
        # Code may branch on sizes: the branch of the usual size is wanted.
        fallback = fallback or (network, tracer)
    if fallback is None:
        raise refused or did_not_run(title, shape, tried)
    return fallback


def _title(module: nn.Module) -> str:
    return type(module).__name__


def _samples(shape: Sequence[Dim], batch: Dim) -> Iterator[dict[sympy.Symbol, int]]:
    """Return sets of values for the symbols of an input, to be tried in turn."""
    symbols = sorted(
        {
            s
            for d in (*shape, N if isinstance(batch, int) else batch)
            if isinstance(d, sympy.Expr)
            for s in d.free_symbols
        },
        key=str,
    )
    seen = []
    for height, width in SIDES:
        samples = batch if isinstance(batch, int) else COUNT
        known: dict[Any, int] = {N: samples, D: DEPTH, H: height, W: width}
        values = {s: known.get(s, height) for s in symbols}
        if values not in seen:
            seen.append(values)
            yield values


def _run(
    module: nn.Module,
    kept: Kept,
    shape: Sequence[Dim],
    batch: Dim,
    values: Mapping[sympy.Symbol, int],
    *,
    marks: bool,
    follows_draws: bool = False,
    draws: Callable[[Tracer], AbstractContextManager[None]] | None = None,
) -> tuple[Tracer, list[str]]:
    """Run the module once; return the tracer, and the nodes of the outputs."""
    stored: dict[str, tuple[torch.Tensor, bool]] = {
        path: (value, learnable)
        for learnable, group in (
            (True, module.named_parameters()),
            (False, module.named_buffers()),
        )
        for path, value in group
    }
    tracer = Tracer(
        batch=size(batch), record=Record(values), by_path=stored, readers=READERS,
        keeps_identities=isinstance(module, fx.GraphModule), marks_unknown=marks,
        follows_draws=follows_draws,
    )  # fmt: skip
    tracer.nest(module.named_modules(remove_duplicate=False))
    image = _image(tracer, shape, batch)
    try:
        # In a training step autograd records, whatever the caller's mode is.
        with (
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            following(tracer, module, kept),
            recording_checkpoints(tracer),
            recording_functions(tracer),
            symbolic_builtins(tracer.record),
            by_name(),
            tracer,
            draws(tracer) if draws else nullcontext(),
        ):
            result = module(image)
            tracer.check_learned()
            tracer.check_names(_tensors(result))
    except DependsOnDataError:
        raise
    except Exception:
        _require_rules(tracer, _title(module))
        raise
    tensors = list(_tensors(result))
    known = [tracer.tensor(tensor) for tensor in tensors]
    outputs = [
        tracer.operand(tensor).node
        for tensor, one in zip(tensors, known, strict=True)
        if isinstance(one, Traced)
    ]
    if not tensors:
        kind = type(result).__name__
        raise CostModelError(
            f"trace: no tensor is found in the output, of class {kind}"
        )
    if not outputs:
        raise CostModelError("trace: no output depends on the input")
    return tracer, outputs


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    """Return the tensors of a result: of containers, dataclasses, and those inside."""
    for value in tree_flatten(result)[0]:
        if isinstance(value, torch.Tensor):
            yield value
        elif hasattr(value, "to_tuple"):
            yield from _tensors(value.to_tuple())
        elif is_dataclass(value) and not isinstance(value, type):
            for field in fields(value):
                yield from _tensors(getattr(value, field.name))
        elif isinstance(value, Mapping):  # of a class that PyTorch does not know
            yield from _tensors(list(value.values()))


def _image(tracer: Tracer, shape: Sequence[Dim], batch: Dim) -> torch.Tensor:
    """Return the input, without memory, and append its node."""
    sizes = (size(batch), *map(size, shape))
    numbers = [s.at(tracer.record.values) for s in sizes]
    image = torch.empty(numbers, device="meta", dtype=_type(tracer))
    sample = Shape(shape[0], tuple(Extent(s) for s in shape[1:]))
    node = tracer.emit_input(sample, tracer.name("input"))
    layout, _ = split(sizes, size(batch))
    tracer.know(image, Traced(node.name, node.output, sizes, layout))
    return image


def _type(tracer: Tracer) -> torch.dtype | None:
    """Return the dtype of the first floating-point weight; None: the default."""
    types = (value.dtype for value, _ in tracer.by_path.values())
    return next((t for t in types if t.is_floating_point), None)


def _require_rules(tracer: Tracer, name: str) -> None:
    """Refuse operators without a rule, all of them at once."""
    if tracer.unknown and not tracer.marks_unknown:
        many = "; ".join(
            f"{kind} ({len(places)}×) in {', '.join(dict.fromkeys(places))}"
            for kind, places in tracer.unknown.items()
        )
        raise CostModelError(
            f"trace: {name} calls operators without a rule: {many}; "
            'on_unknown="mark" keeps them as opaque nodes'
        )


def warn_unused(title: str, tracer: Tracer) -> None:
    """Warn of parameters that no node reads, in the name of the caller's caller."""
    unused = [
        path
        for path, (value, learnable) in tracer.by_path.items()
        if learnable and path not in tracer.used and value.numel()
    ]
    if unused:
        names = sorted({path.partition(".")[0] for path in unused})
        warnings.warn(
            f"{title}: {len(unused)} parameters are never used in this mode, "
            f"and left out: those in {', '.join(names)}",
            stacklevel=3,
        )
