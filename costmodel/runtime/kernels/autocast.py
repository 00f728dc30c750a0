"""Automatic mixed precision: which tensors are halves, and what is cast between.

Under ``torch.autocast`` weights stay float32. Convolutions and products take halves and
give halves; norms, softmax and powers are computed in float32 and give float32, which
stays until the next convolution; all else promotes its operands to the widest.

**Source**: PyTorch 2.13, "Automatic Mixed Precision package", the lists of operators
that autocast to float16, to float32, and to the widest input type.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from costmodel.algebra.count import added
from costmodel.algebra.symbols import as_int
from costmodel.network import operators as op
from costmodel.network.graph import Network
from costmodel.network.node import Node
from costmodel.network.operators import Operator
from costmodel.network.shape import Shape, counted


HALF, FLOAT = 2, 4
"""Bytes per element."""

_TO_HALF = (
    op.Conv, op.TableConv2d, op.ConvTranspose, op.Linear,
    op.MatMul, op.Einsum, op.Attention, op.PReLU,
)  # fmt: skip
_TO_FLOAT = (op.LayerNorm, op.RMSNorm, op.GroupNorm)
_SUMS = frozenset({"sum", "norm", "prod"})
"""Reductions that read halves and add up in float32; nothing is cast before them."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What mixed precision adds to a node computed in half precision.

    ``extra_bytes`` of its own kernel, for float32 operands and results;
    ``cast_elements`` that are converted before it, in ``casts`` kernels. Per sample.
    """

    extra_bytes: int
    cast_elements: int
    casts: int

    @property
    def cast_bytes(self) -> int:
        """Bytes that conversions read and write."""
        return (HALF + FLOAT) * self.cast_elements


def moved(net: Network, scalars: Collection[str] = ()) -> dict[str, Moved]:
    """Return by node what mixed precision moves beyond halves, without symbols.

    ``scalars`` are stored numbers without an axis: they promote nothing, a tensor of
    one number does.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> net = network(relu(conv(image(3, 8, 8), 4, kernel=1)), batch=1)
    >>> moved(net)["conv1"].cast_elements, moved(net)["relu1"]
    (192, Moved(extra_bytes=0, cast_elements=0, casts=0))
    """
    widths: dict[str, int] = {}
    found = {}
    for node in net.nodes:
        given = [_width(net, source, widths, scalars) for source in node.inputs]
        wanted, made = _widths(node.operator)
        widths[node.name] = made or max(given, default=FLOAT)
        found[node.name] = _of_node(net, node, given, wanted, widths[node.name])
    return found


def _width(
    net: Network, name: str, widths: dict[str, int], scalars: Collection[str]
) -> int:
    """Return an operand's bytes per element; a scalar promotes nothing."""
    is_number = name in scalars and isinstance(net[name].operator, op.Parameter)
    return HALF if is_number else widths[name]


def _widths(operator: Operator) -> tuple[int | None, int | None]:
    """Return bytes per element of operands and result; None where they stay."""
    if isinstance(operator, _TO_HALF):
        return HALF, HALF
    told = operator.attributes
    if isinstance(operator, op.Softmax) or (
        isinstance(operator, op.Reduce) and told["operation"] in _SUMS
    ):
        return None, FLOAT
    if isinstance(operator, _TO_FLOAT) or (
        isinstance(operator, (op.Pointwise, op.Arithmetic)) and operator.row.in_float32
    ):
        return FLOAT, FLOAT
    return None, None


def _of_node(
    net: Network, node: Node, given: list[int], wanted: int | None, made: int
) -> Moved:
    if not node.inputs or node.operator.view or node.name in net.unbatched:
        return Moved(0, 0, 0)
    extra = (made - HALF) * _elements(node.output)
    cast = casts = 0
    for source, width in zip(node.inputs, given):
        if source in net.unbatched:
            continue  # once per batch, and small
        size = _elements(net[source].output)
        extra += ((wanted or width) - HALF) * size
        if wanted not in (None, width):
            cast, casts = cast + size, casts + 1
    return Moved(extra, cast, casts)


def _elements(shape: Shape) -> int:
    return as_int(added([(1, counted(shape).numel)]))
