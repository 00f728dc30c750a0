"""What predictors are fitted to: exact totals of a network, and of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from costmodel.algebra.count import added
from costmodel.algebra.symbols import as_int
from costmodel.analysis.cost import Row, cost
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.operators import Conv
from costmodel.runtime.kernels import Kernel, kernels
from costmodel.runtime.kernels.autocast import moved
from costmodel.runtime.setting import Setting


Terms = tuple[int, int, int, int]
"""Work, activation bytes, weight bytes and calls of a class of kernels."""


@dataclass(frozen=True, slots=True)
class Step:
    """Operators that compute and move equally much, and their count."""

    macs: int
    moved_bytes: int
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact totals of one batch, independent of the device.

    **Units**: multiply–accumulates, elements, bytes of the setting's numbers.
    ``steps`` are what a roofline is summed over; a table of totals has none of them,
    but ``roofs``: by device the MACs of operators bound by computing there, and the
    bytes of those bound by memory.
    """

    parameters: int
    macs: int
    activations: int
    activation_bytes: int
    weight_bytes: int
    operators: int
    classes: Mapping[str, Terms]
    steps: tuple[Step, ...] = ()
    roofs: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def batch(self, count: int) -> Totals:
        """Return the totals of ``count`` samples, from those of one.

        Weights and calls stay: they count once per batch. With several samples a
        matrix–vector product becomes a matrix product.
        """
        classes: dict[str, Terms] = {}
        for kind, (work, width, weights, calls) in self.classes.items():
            several = "gemm" if kind == "gemv" and count > 1 else kind
            more = (count * work, count * width, weights, calls)
            classes[several] = _sum(classes.get(several, _NONE), more)
        return replace(
            self,
            macs=count * self.macs,
            activations=count * self.activations,
            activation_bytes=count * self.activation_bytes,
            classes=classes,
            steps=(),
            roofs={name: (count * a, count * b) for name, (a, b) in self.roofs.items()},
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; :meth:`from_json` gives the totals back."""
        return {key: value for key, value in asdict(self).items() if key != "steps"}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Totals:
        """Return the totals of such values."""
        roofs = {name: (roof[0], roof[1]) for name, roof in values["roofs"].items()}
        classes = {k: (t[0], t[1], t[2], t[3]) for k, t in values["classes"].items()}
        return Totals(**{**values, "classes": classes, "roofs": roofs})


def totals(
    net: Network, setting: Setting, ridges: Mapping[str, float] | None = None,
    *, mixed: Collection[str] | None = None,
) -> Totals:  # fmt: skip
    """Return the totals of a network without symbols, in a setting.

    ``ridges``, MACs per byte at which a device's roofline bends, give ``roofs``; there
    weights are left out, which a large batch reads once. ``mixed`` lowers the classes
    for automatic mixed precision (``kernels/autocast.py``): it holds the stored
    numbers without an axis.

    >>> from costmodel.network.build import conv, image, network
    >>> net = network(conv(image(3, 8, 8), 16, kernel=1), batch=2)
    >>> found = totals(net, Setting())
    >>> found.macs, found.activations, found.activation_bytes, found.operators
    (6144, 2048, 9728, 1)
    """
    if free := net.free_symbols:
        names = ", ".join(sorted(map(str, free)))
        raise CostModelError(f"totals of {net.name}: {names} has no value yet")
    costs = cost(net, bytes_per_element=setting.element_bytes)
    weights = {row.name: _weights(row) for row in costs.rows}
    both_ways = int(costs.bytes_read + costs.bytes_written)
    running = [row for row in costs.rows if _moved(row)]
    return Totals(
        parameters=int(costs.parameters),
        macs=int(costs.macs),
        activations=int(costs.activations),
        activation_bytes=both_ways - sum(weights.values()),
        weight_bytes=sum(weights.values()),
        operators=len(running),
        classes=_classes(net, setting, mixed),
        steps=_steps(running),
        roofs={name: _roof(running, ridge) for name, ridge in (ridges or {}).items()},
    )


def _classes(
    net: Network, setting: Setting, mixed: Collection[str] | None
) -> dict[str, Terms]:
    """Add the kernels of each class; mixed precision adds to a node's first."""
    found: dict[str, Terms] = {}

    def add(kind: str, *terms: int) -> None:
        found[kind] = _sum(found.get(kind, _NONE), terms)

    extra, batch = {} if mixed is None else moved(net, mixed), int(net.batch)
    for kernel in kernels(net, setting):
        more = extra.pop(kernel.name, None)
        width = int(kernel.activation_bytes) + (batch * more.extra_bytes if more else 0)
        kind = _kind(net, kernel, setting)
        add(kind, int(kernel.work), width, int(kernel.weight_bytes), 1)
        if more and more.casts:
            cast = batch * more.cast_elements, batch * more.cast_bytes
            add("copy", *cast, 0, more.casts)
    return dict(sorted(found.items()))


def _sum(one: Terms, other: Sequence[int]) -> Terms:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


_NONE: Terms = (0, 0, 0, 0)


def _kind(net: Network, kernel: Kernel, setting: Setting) -> str:
    """Return a kernel's class; PyTorch has fast depthwise kernels of three sizes only.

    **Source**: PyTorch, ``aten/src/ATen/native/cuda/DepthwiseConv2d.cu``, and the
    sizes that ``use_cudnn_depthwise`` in ``Convolution.cpp`` hands to cuDNN.
    """
    layer = net[kernel.name].operator
    if setting.device == "cuda" and kernel.kind == "depthwise_conv":
        is_fast = isinstance(layer, Conv) and layer.kernel in _FAST_DEPTHWISE
        return kernel.kind if is_fast else GENERIC_DEPTHWISE
    return kernel.kind


_FAST_DEPTHWISE = ((1, 1), (3, 3), (5, 5))
GENERIC_DEPTHWISE = "depthwise_conv_generic"
"""The class of depthwise convolutions of other sizes, on a GPU."""


def _steps(rows: Iterable[Row]) -> tuple[Step, ...]:
    counts = Counter((int(row.macs), _moved(row)) for row in rows)
    return tuple(Step(*key, count) for key, count in counts.items())


def _roof(rows: Iterable[Row], ridge: float) -> tuple[int, int]:
    """Return MACs of rows above a ridge point, and the bytes of those below it."""
    macs = moved = 0
    for row in rows:
        count, width = int(row.macs), _moved(row) - _weights(row)
        if count > ridge * width:
            macs += count
        else:
            moved += width
    return macs, moved


def _weights(row: Row) -> int:
    return as_int(added([(1, row.sample.weight_bytes)]))


def _moved(row: Row) -> int:
    """Return the bytes that an operator reads and writes; views move none."""
    return int(row.bytes_read + row.bytes_written)
