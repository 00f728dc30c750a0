"""Reading of an ONNX file: its inputs, its nodes in order, and the network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice, product
from pathlib import Path
from typing import Any

import sympy

from costmodel.algebra.polynomial import Size, size
from costmodel.algebra.symbols import Dim, N
from costmodel.bridge.importing.batch_axis import Sizes, shaped, split
from costmodel.bridge.importing.call import NoRule
from costmodel.bridge.importing.graph import SIDES, SampleError, Traced
from costmodel.bridge.importing.symbolic_int import Record
from costmodel.bridge.onnx.call import NodeCall
from costmodel.bridge.onnx.constants import constant, operand_sizes
from costmodel.bridge.onnx.file import load, written_out
from costmodel.bridge.onnx.graph import OF_SIZES, FileGraph, own_name, reached
from costmodel.bridge.onnx.inference import infer
from costmodel.bridge.onnx.inputs import Axes, axes_of, inputs_of
from costmodel.bridge.onnx.names import clean, path_of
from costmodel.bridge.onnx.readers import reader_of
from costmodel.bridge.onnx.tensors import Constant
from costmodel.errors import CostModelError
from costmodel.network.graph import Network


COUNT = 11
"""The batch of samples: a number that hardly occurs as another size."""

SMALL, LARGE, FEW = 65, 1025, 5
"""Where samples are looked for that solve what the others fail at: any sides below
``SMALL``, equal ones below ``LARGE``; so many of them are tried."""


def read(path: str | Path, *, on_unknown: str = "raise") -> Network:
    """Return the network of an ONNX file, symbolic in the sizes without a number.

    For an input N × C × H × W, axes without a number become N, H and W, for a volume
    D, H and W; other such axes have the file's own names. Sizes of weights are read,
    not their values. Every formula is compared with what ONNX itself infers at a sample
    size.

    **Errors**: operators without a rule, all of them with their nodes, unless
    ``on_unknown="mark"`` keeps them as opaque nodes; sizes that lose their formula; a
    file of another format; :class:`MissingDependencyError` without the package onnx.
    """
    if on_unknown not in {"raise", "mark"}:
        raise CostModelError(
            f'onnx: on_unknown {on_unknown!r} is not "raise" or "mark"'
        )
    file = Path(path)
    try:
        model = load(file)
        kinds = {(n.domain, n.op_type) for n in reached(model.graph)}
        model = written_out(model, {kind for kind in kinds if not _is_known(*kind)})
        return _at_any_batch(model, file, marks=on_unknown == "mark")
    except (CostModelError, OSError):
        raise
    except Exception as error:
        raise CostModelError(
            f"{file.name}: cannot be read; is it a well-formed ONNX model? "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error


def _at_any_batch(model: Any, file: Path, *, marks: bool) -> Network:
    """Return the network at a batch of N, if the file's graph allows it."""
    axes = axes_of(model)
    if axes.literal_batch is None:
        return _read(model, file, axes, N, marks=marks)
    try:
        network = _read(model, file, axes, N, marks=marks)
    except CostModelError:
        if axes.literal_batch != 1:
            raise
        return _read(model, file, axes.of_one_sample(), 1, marks=marks)
    warnings.warn(
        f"{file.name}: the batch is {axes.literal_batch} in the file; it is read as N",
        stacklevel=3,
    )
    return network


def _is_known(domain: str, kind: str) -> bool:
    """Say whether an operator has a reader, or needs none."""
    return domain in _OURS and (kind == "If" or reader_of(kind) is not None)


_OURS = {"", "ai.onnx"}
"""The names of ONNX's own operator set."""


def _read(model: Any, file: Path, axes: Axes, batch: Dim, *, marks: bool) -> Network:
    """Read the model at the first sample size that fits it."""
    first: CostModelError | None = None
    needed: list[Size] = []
    for values, is_solution in _samples(axes, needed):
        graph = FileGraph(
            model=model, folder=file.parent, batch=size(batch), record=Record(values),
            literal_batch=axes.literal_batch, marks_unknown=marks, named=axes.named,
        )  # fmt: skip
        try:
            _walk(graph, axes)
        except CostModelError as error:
            if not (is_solution or isinstance(error, SampleError)):
                raise
            first = first or error
            difference = getattr(error, "difference", None)
            needed += [] if difference is None else [difference]
            continue
        return _network(graph, file.stem, batch)
    raise CostModelError(f"{file.name}: {first}") from None


def _samples(
    axes: Axes, needed: Sequence[Size]
) -> Iterator[tuple[Mapping[sympy.Symbol, int], bool]]:
    """Return sets of values for the symbols of the inputs, to be tried in turn.

    Those at the end are solutions: what is ``needed`` by then is 0 there.
    """
    seen = []
    for height, width in SIDES:
        values = axes.sample(COUNT, height, width)
        if values not in seen:
            seen.append(values)
            yield values, False
    small = sorted(product(range(1, SMALL), repeat=2), key=max)
    large = ((side, side) for side in range(SMALL, LARGE))
    found = (axes.sample(COUNT, *sides) for sides in chain(small, large) if needed)
    solved = (v for v in found if not any(left.at(v) for left in needed))
    yield from ((values, True) for values in islice(solved, FEW) if values not in seen)


def _walk(graph: FileGraph, axes: Axes) -> None:
    """Read every node, in the file's order, which is a topological one."""
    several = len(inputs_of(graph.model)) > 1
    for value in inputs_of(graph.model):
        sizes = axes.sizes[value.name]
        layout, shape = split(sizes, graph.batch)
        if layout.is_folded or not layout.has_batch:
            shape = shaped(sizes)
        name = graph.names.node("", clean(value.name) if several else "input", "input")
        graph.emit_input(shape, name)
        dtype = value.type.tensor_type.elem_type
        graph.tensors[value.name] = Traced(
            name, graph.nodes[name].output, sizes, layout, dtype
        )
    walk(graph, graph.model.graph.node)


def walk(graph: FileGraph, nodes: Any) -> None:
    """Read nodes one by one."""
    for node in nodes:
        graph.where = path_of(node) or own_name(node) or node.op_type
        if node.op_type == "If":
            _branch(graph, node)
            continue
        if node.output and all(name in graph.tensors for name in node.output if name):
            # Already read, with the node before it.
            continue
        with _named(NodeCall(graph, node)) as bare:
            call = infer(bare)
            if _is_reached(call) or _is_product(call):
                _read_node(call)
            else:
                constant(call)


@contextmanager
def _named(call: NodeCall) -> Iterator[NodeCall]:
    """Name the node of an error that reading it ends with, whatever the error is."""
    try:
        yield call
    except CostModelError:
        raise
    except Exception as error:
        raise call.refuse(
            "cannot be read; do its attributes and operands fit together? "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error


def _is_reached(call: NodeCall) -> bool:
    if call.kind in OF_SIZES:
        return False
    return any(call.is_traced(i) for i in range(call.many))


def _is_product(call: NodeCall) -> bool:
    """Say whether a node multiplies stored tensors, which is work once per batch."""
    if call.kind not in _PRODUCTS:
        return False
    operands = (call.tensor(i) for i in range(call.many))
    return any(isinstance(x, Constant) and x.is_learnable for x in operands)


_PRODUCTS = {"MatMul", "Gemm", "Einsum", "Conv"}


def _read_node(call: NodeCall) -> None:
    reader = reader_of(call.kind) if call.node.domain in _OURS else None
    if reader is None:
        _unknown(call)
        return
    try:
        reader(call)
    except NoRule:
        _unknown(call)


def _unknown(call: NodeCall) -> None:
    """Record an operator without a rule; its outputs have ONNX's inferred sizes."""
    graph = call.graph
    given = (call.tensor(i) for i in range(call.many))
    operands = [call.operand(value) for value in given if value is not None]
    outputs: dict[int, Sizes] = {}
    for place, name in enumerate(call.node.output):
        expected = call.expected[place] if place < len(call.expected) else None
        if name and (not place or graph.readers.get(name)):
            if expected is None:
                graph.unknown.setdefault(call.kind, []).append(call.where)
                raise _unknown_error(graph, _rest(graph))
            outputs[place] = graph.guessed(expected, operand_sizes(call))
    call.unknown(operands, outputs, clean(call.kind).lower())


def _rest(graph: FileGraph) -> dict[str, list[str]]:
    """Return the operators without a rule, and those that follow an unknown size."""
    found = {kind: list(nodes) for kind, nodes in graph.unknown.items()}
    for node in reached(graph.model.graph):
        nodes = found.setdefault(node.op_type, [])
        label = node.name or node.output[0]
        if not _is_known(node.domain, node.op_type) and label not in nodes:
            nodes.append(label)
    return {kind: nodes for kind, nodes in found.items() if nodes}


def _unknown_error(graph: FileGraph, unknown: dict[str, list[str]]) -> CostModelError:
    many = "; ".join(
        f"{kind} ({len(nodes)}×) at {', '.join(nodes)}"
        for kind, nodes in unknown.items()
    )
    hint = (
        "the file does not say how large their results are"
        if graph.marks_unknown
        else 'on_unknown="mark" keeps them as opaque nodes'
    )
    return CostModelError(f"onnx: operators without a rule: {many}; {hint}")


def _branch(graph: FileGraph, node: Any) -> None:
    """Read the taken branch of a condition on sizes; refuse a condition on data."""
    call = NodeCall(graph, node)
    condition = call.tensor(0)
    array = condition.array if isinstance(condition, Constant) else None
    if array is None:
        raise call.refuse(
            "the branch depends on data, so the cost depends on the image"
        )
    chosen = call.attribute("then_branch" if bool(array.ravel()[0]) else "else_branch")
    for tensor in chosen.initializer:
        graph.store(tensor.name, tensor, learnable=True)
    walk(graph, chosen.node)
    for outer, inner in zip(node.output, chosen.output, strict=True):
        graph.tensors[outer] = graph.tensors[inner.name]


def _network(graph: FileGraph, name: str, batch: Dim) -> Network:
    if graph.unknown and not graph.marks_unknown:
        raise _unknown_error(graph, graph.unknown)
    outputs = []
    for value in graph.model.graph.output:
        known = graph.tensors.get(value.name)
        if isinstance(known, Traced):
            outputs.append(known.node)
    if not outputs:
        raise CostModelError(f"onnx: {name}: no output depends on the input")
    return graph.network(outputs, name, batch)


__all__ = ["read"]
