"""What tools count that take layers and no modules.

A layer is a dictionary: ``input`` and ``weight`` are shapes, ``bias`` is a truth; a
convolution also has ``stride``, ``padding`` and ``dilation`` as pairs, and ``groups``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


Layer = Mapping[str, Any]


def xla(layer: Layer) -> float:
    """Return what XLA says of the layer's product, of 32 bits as it keeps it."""
    import jax

    def product(x: Any, weight: Any) -> Any:
        if len(layer["input"]) == 2:
            return x @ weight.T
        return jax.lax.conv_general_dilated(
            x,
            weight,
            window_strides=layer["stride"],
            padding=[(p, p) for p in layer["padding"]],
            rhs_dilation=layer["dilation"],
            dimension_numbers=("NCHW", "OIHW", "NCHW"),
            feature_group_count=layer["groups"],
        )

    shapes = (
        jax.ShapeDtypeStruct(layer[key], "float32") for key in ("input", "weight")
    )
    analysis = jax.jit(product).lower(*shapes).cost_analysis()
    return float(analysis.get("flops", 0))


def pycls(layer: Layer) -> int | None:
    """Return what pycls says of a layer; it knows no dilation and no oblong kernels."""
    from pycls.core.net import complexity_conv2d

    _, inputs, height, width = (*layer["input"], 1, 1)[:4]
    outputs, _, *kernel = (*layer["weight"], 1, 1)[:4]
    stride, padding = layer.get("stride", (1, 1)), layer.get("padding", (0, 0))
    unequal = any(a != b for a, b in (kernel, stride, padding))
    if unequal or layer.get("dilation", [1, 1]) != [1, 1]:
        return None
    start = {"h": height, "w": width, "flops": 0, "params": 0, "acts": 0}
    groups = layer.get("groups", 1)
    counted = complexity_conv2d(
        start, inputs, outputs, kernel[0], stride[0], padding[0], groups, layer["bias"]
    )
    return int(counted["flops"])


def pycls_network(settings: Mapping[str, Any]) -> int:
    """Return what pycls says of one of its own networks."""
    from pycls.core.builders import get_model
    from pycls.core.config import cfg
    from pycls.core.net import complexity

    cfg.defrost()
    always = {"MODEL.NUM_CLASSES": 1000, "TRAIN.DATASET": "imagenet"}
    for key, value in (always | dict(settings)).items():
        cfg.merge_from_list([key, value])
    return int(complexity(get_model())["flops"])


LAYER_COUNTERS: dict[str, Callable[[Layer], float | None]] = {
    "xla": xla,
    "pycls": pycls,
}
"""Tools that count layers, by the name of the convention."""
