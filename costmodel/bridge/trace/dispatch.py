"""Reading of calls: by a reader for the name, by its kernels, or as unknown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from costmodel.algebra.polynomial import Size
from costmodel.bridge.importing.batch_axis import Sizes
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import Constant, Traced
from costmodel.bridge.importing.symbolic_int import SizeInt
from costmodel.bridge.trace.call import Reader, TorchCall
from costmodel.bridge.trace.constant_sizes import sizes_of
from costmodel.bridge.trace.failures import misfit
from costmodel.bridge.trace.function_names import PRODUCTS, canonical
from costmodel.bridge.trace.patches import forms
from costmodel.bridge.trace.signatures import bound
from costmodel.bridge.trace.trace_graph import tensors
from costmodel.bridge.trace.tracer import Tracer
from costmodel.errors import CostModelError
from costmodel.network import operators as op


@dataclass(frozen=True, slots=True)
class Readers:
    """Reads calls by a table of readers by name.

    Readers in ``of_sizes`` need the formulas of sizes, which kernels do not get.
    """

    find: Callable[[str], Reader | None]
    of_sizes: Collection[str]

    def read(self, tracer: Tracer, func: Any, args: Any, options: Any) -> Any:
        """Read one call by the reader of its name, or by its kernels."""
        before = len(tracer.nodes)
        result = self._read(tracer, func, args, options)
        if added := len(tracer.nodes) - before:
            forms.state(tracer, added, canonical(func), tensors((args, options)))
        _follow_names(tracer, added, tensors((args, options)), tensors(result))
        return result

    def _read(self, tracer: Tracer, func: Any, args: Any, options: Any) -> Any:
        name = canonical(func)
        reader, given = self.find(name), bound(func, args, options)
        if reader is None or given is None:
            return self.by_kernels(tracer, func, args, options)
        before = len(tracer.nodes)
        try:
            result = tracer.run(func, args, options)
        except (RuntimeError, ValueError) as error:
            if note := misfit(tracer, name, given):
                error.add_note(note)
            raise
        call = TorchCall(tracer, name, args, options, result, given)
        try:
            reader(call)
        except NoRule as none:
            manner = str(none) or "in a form that has none"
            return self.by_kernels(tracer, func, args, options, manner)
        except CostModelError:
            # What is computed once is no work of a sample, unless it is a product.
            if name in PRODUCTS or not _is_stored(tracer, args, options):
                raise
            tracer.forget_from(before)
            unknown(call)
        return result

    def sizes(
        self, tracer: Tracer, func: Any, args: Any, options: Any, made: Any
    ) -> Iterator[tuple[torch.Tensor, Sizes]]:
        """Return the tensors that a call makes of constants alone, with their sizes."""
        return sizes_of(self.find, tracer, func, args, options, made)

    def by_kernels(
        self, tracer: Tracer, func: Any, args: Any, options: Any, manner: str = ""
    ) -> Any:
        """Read a function by its kernels; if one is unknown, the function is.

        ``manner`` is the form of it that has no rule, if others have.
        """
        before = len(tracer.nodes)
        try:
            with Kernels(tracer, self):
                result = tracer.run(func, args, options)
            results = filter(torch.is_tensor, tree_flatten(result)[0])
            if all(map(tracer.tensor, results)):
                return result
        except (_MissingError, NoRule, CostModelError):
            pass
        tracer.forget_from(before)
        result = tracer.run(func, args, options)
        call = TorchCall(tracer, canonical(func), args, options, result)
        call.manner = manner
        unknown(call)
        return result


class Kernels(TorchDispatchMode):
    """Reads the kernels that one function calls.

    A kernel without a reader is replaced by PyTorch's own decomposition of it.
    """

    def __init__(self, tracer: Tracer, readers: Readers) -> None:
        """Keep the tracer that gets the nodes, and the readers."""
        super().__init__()
        self.tracer, self.readers = tracer, readers

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Read one kernel."""
        options = dict(kwargs or {})
        name = canonical(func)
        if not self._is_reached(args, options):
            return func(*args, **options)
        known = self.tracer.tensor(args[0]) if name == "detach" else None
        if known is not None:
            # Functions call it of their own; only code that calls it stops gradients.
            self.tracer.know(result := func(*args, **options), known)
            return result
        # Kernels get plain numbers: a view's sizes have lost their formulas.
        is_known = name not in self.readers.of_sizes
        reader = self.readers.find(name) if is_known else None
        given = bound(func, args, options)
        if reader is None or given is None:
            if func not in decomposition_table:
                raise _MissingError(name)
            with self:
                return decomposition_table[func](*args, **options)
        result = func(*args, **options)
        reader(TorchCall(self.tracer, name, tuple(args), options, result, given))
        return result

    def _is_reached(self, args: Any, options: Any) -> bool:
        """Say whether a kernel depends on the input, or on a stored tensor."""
        known = map(self.tracer.tensor, tensors((args, options)))
        return any(isinstance(one, Traced) for one in known)


class _MissingError(Exception):
    """A kernel has neither a reader nor a decomposition."""


def _follow_names(
    tracer: Tracer,
    added: int,
    operands: Iterator[torch.Tensor],
    results: Iterator[torch.Tensor],
) -> None:
    """Note other names of what is written in place; without autograd, stop gradients.

    They stop at other names of operands, and pass by what is written in place. A tensor
    that is returned itself stays as it is.
    """
    given = {id(tracer.twin(one)) for one in operands}
    for made in results:
        known, is_itself = tracer.tensor(made), id(made) in given
        if not isinstance(known, Traced):
            continue
        made_by = tracer.nodes[known.node].operator
        is_written = is_itself and added and not isinstance(made_by, op.Identity)
        if is_written and not made_by.view:
            tracer.write(made)
        if is_written and not tracer.records:
            names = {*islice(reversed(tracer.nodes), added)} & tracer.no_gradient
            tracer.no_gradient -= names
            passes = tracer.requires_gradient(made)
            (tracer.own_backward if passes else tracer.no_gradient).update(names)
        is_name = not (added or is_itself)
        if is_name and not tracer.records and tracer.requires_gradient(made):
            node = tracer.emit(op.Identity(), (known.node,), tracer.name("detach"))
            tracer.no_gradient.add(node.name)
            tracer.know(made, replace(known, node=node.name))


def _is_stored(tracer: Tracer, args: Any, options: Any) -> bool:
    """Say whether a call reads no tensor that depends on the sample."""
    known = map(tracer.tensor, tensors((args, options)))
    return not any(isinstance(x, Traced) and x.layout.has_batch for x in known)


def unknown(call: TorchCall) -> None:
    """Record an operator without a rule; its outputs have PyTorch's sizes."""
    tracer = call.graph
    values = tree_flatten((call.args, call.options))[0]
    known = [tracer.tensor(v) for v in tensors((call.args, call.options))]
    call.made = list(tensors(call.made))
    inputs = [found for found in known if isinstance(found, Traced)]
    given = [v.formula for v in values if isinstance(v, SizeInt)]
    outputs = {
        place: _sizes(tracer, tuple(made.shape), [x.sizes for x in inputs], given)
        for place, made in enumerate(call.made)
    }
    call.unknown(inputs, outputs, _word(call.kind))
    for found in known:
        # Its stored tensors are known, whatever it does with them.
        if isinstance(found, Constant):
            _ = [tracer.store(path) for path in found.sources]


def _sizes(
    tracer: Tracer, lengths: tuple[int, ...], operands: list[Sizes], given: list[Size]
) -> Sizes:
    """Return formulas for sizes: known ones, or ones that follow the same axis.

    Those are half of a spectrum and back, multiples, and some more or less at the ends.
    The second run tells whether they hold.
    """
    sizes = list(tracer.guessed(lengths, operands, given))
    like = operands[0] if operands else ()
    for axis, (length, there) in enumerate(zip(lengths, like, strict=False)):
        if sizes[axis].constant is None or there.constant is not None:
            continue
        if there == tracer.batch:
            continue  # none has more or fewer samples
        number = tracer.number(there)
        found = [there // 2 + 1, (there - 1) * 2, there * (length // number)]
        if abs(length - number) <= ENDS:
            found.append(there + (length - number))
        same = (one for one in found if tracer.number(one) == length)
        sizes[axis] = next(same, sizes[axis])
    return tuple(sizes)


ENDS = 16
"""So many positions more or less may be what a window takes at the ends of an axis."""


def _word(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name) or "opaque"
