"""Networks that every tool counts: torchvision's, and small ones of every operator."""

from __future__ import annotations

import costmodel as cm
from costmodel.algebra.extent import Extent
from costmodel.network import build
from costmodel.network import operators as op
from costmodel.network.build import Value, image, network, scope
from costmodel.network.graph import Network
from costmodel.network.shape import Shape
from costmodel.testing.tensors import put


KNOWN = ("resnet50", "mobilenet_v2", "efficientnet_b0", "googlenet", "inception_v3",
         "densenet121", "vgg16", "alexnet")  # fmt: skip
"""Networks of torchvision, counted as it writes them and as we compile them."""


FAMILIES = ("vgg11_bn", "resnet18", "resnext50_32x4d", "wide_resnet50_2", "mnasnet0_5",
            "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_0",
            "regnet_x_400mf", "regnet_y_400mf")  # fmt: skip
"""One of each other family of torchvision, counted at an odd size."""


ORIGINALS = (*KNOWN, *FAMILIES, "convnext_tiny", "mobilenet_v3_large")
"""All of torchvision's networks that are counted as it writes them."""


ACTIVATIONS = ("relu", "relu6", "sigmoid", "silu", "tanh", "scaled_tanh",
               "hardsigmoid", "hardswish", "hardtanh")  # fmt: skip
"""Functions that stand in the network of maps; the others in that of tensors."""


def known(name: str, size: tuple[int, int] | None = None) -> Network:
    """Return torchvision's variant, one image, by default of the size of its weights.

    pycls's networks are torchvision's too, where torchvision has them.
    """
    side = 299 if name == "inception_v3" else 224
    theirs = "variant" in cm.architectures()[name].options
    variant = {"variant": "torchvision"} if theirs else {}
    return cm.load(name, resolution=size or side, batch=1, **variant)


def original(name: str) -> Network:
    """Return torchvision's variant at the size at which its own module is counted."""
    return known(name, None if name in KNOWN else (97, 129))


def in_modules(net: Network) -> Network:
    """Return a network that is all modules, however its code writes it."""
    layers = ((node.name, node.operator, node.inputs) for node in net.nodes)
    rest = net.batch, net.constraints, net.shared
    return Network.assemble(layers, net.outputs, net.name, *rest)


def maps(batch: int) -> Network:
    """Return a network of every operator on maps, of odd sizes and oblong windows."""
    x = build.conv(image(5, 23, 18), 8, (3, 5), (2, 1), padding=(1, 2), name="oblong")
    with scope("convolutions"):
        x = build.conv(x, 12, 3, dilation=2, groups=4, bias=False, name="grouped")
        x = build.add(x, build.depthwise(x, 5), build.conv(x, 12, 1))
        x = build.multiply(x, build.table_conv(x, ((0, 3), (11,), (5, 2, 1)) * 4, 1))
    with scope("activations"):
        for kind in ACTIVATIONS:
            x = build.activation(x, kind)
        x = build.softmax(build.dropout(build.identity(x)))
    with scope("normalizations"):
        x = build.batch_norm(build.batch_norm(x, affine=False))
        x = build.local_response_norm(build.local_response_norm(x), size=4)
    with scope("layout"):
        first, second = build.split(build.channel_shuffle(x, 3))
        x = build.concat(first, build.zeros(x, 2), second)
        x = build.pad_channels(build.pad(x, before=(-1, 2), after=(1, 0)), 1, 0)
    return network(_pooled(x), name="maps", batch=batch)


def _pooled(x: Value) -> Value:
    """Pool in every way, and classify."""
    with scope("pools"):
        x = build.max_pool(x, (3, 2), 2, padding=1, ceil_mode=True)
        x = build.avg_pool(x, 2, 1, padding=1, count_include_pad=False)
        x = build.adaptive_max_pool(build.subsample(x, (1, 2)), (4, 7))
        x = build.adaptive_avg_pool(x, (3, 1))  # where thop loses a unit
    x = build.linear(build.flatten(x), 11, bias=False)
    return build.radial_basis(build.softmax(build.linear(x, 7)), 3)


def tensors() -> Network:
    """Return a network of every other operator: tokens, parts of axes, products."""
    x = build.conv(image(3, 12, 10), 8, 3)
    with scope("functions"):
        for name in sorted(op.FUNCTIONS.keys() - {"clamp", *ACTIVATIONS}):
            x = put(x, op.Pointwise(name))
        for name in ("add", "reverse_divide", "power", "maximum"):
            x = put(x, op.Arithmetic(name, "2"))
        x = put(put(x, op.Arithmetic("clamp", "0, 6")), op.PReLU(8))
        x = put(put(x, op.PReLU()), op.Arithmetic("maximum"), x)
    with scope("norms"):
        for affine in (True, False):
            x = put(put(x, op.LayerNorm(2, affine)), op.RMSNorm(1, affine))
            x = put(put(x, op.GroupNorm(2, affine)), op.InstanceNorm(affine))
        x = put(put(x, op.Softmax(2, log=True)), op.Softmax(3))
    with scope("parts"):
        x = put(put(x, op.Pad((0, 1), (0, 0))), op.Slice(2, 1))
        x = put(put(x, op.PadTo(_axes(8, 13, 12))), op.Crop(_axes(8, 12, 11)))
        x = put(
            put(x, op.Pad((0, 1, 0), (0, 0, 1), "reflect")), op.Slice(2, 0, length=12)
        )
        x = put(put(put(x, op.Copy("rolled")), op.Copy("flipped")), op.Copy())
        x = put(put(x, op.PixelUnshuffle(2)), op.PixelShuffle(2))
        x = put(x, op.Resize("nearest", shape=_axes(8, 6, 5)))
    with scope("tokens"):
        x = put(put(x, op.Unfold((2, 3))), op.Conv(6, (3,), padding=1))
        x = put(put(build.batch_norm(x), op.Linear(8)), op.Permute((2, 1)))
        mean = put(x, op.Reduce("mean", (1,), keep=True))
        x = put(x, op.Arithmetic("subtract"), put(mean, op.Expand(_axes(8, 6))))
        x = put(x, op.MatMul(), put(x, op.Permute((2, 1))))
        x = put(x, op.Einsum("bij,bkj->bik"), put(x, op.Cumulate(2)))
        x = put(put(x, op.Reshape(_axes(64))), op.Repeat(_axes(128)))
    return network(build.batch_norm(x), name="tensors", batch=1)


def _axes(*sizes: int) -> Shape:
    return Shape(sizes[0], tuple(map(Extent, sizes[1:])))


_RESNET = {"MODEL.TYPE": "resnet", "MODEL.DEPTH": 50, "RESNET.STRIDE_1X1": False,
           "RESNET.TRANS_FUN": "bottleneck_transform"}  # fmt: skip
_REGNET = {"MODEL.TYPE": "regnet", "REGNET.GROUP_W": 8}

PYCLS: dict[str, tuple[int, dict[str, object]]] = {
    "resnet50": (4_089_185_256, _RESNET | {"RESNET.NUM_GROUPS": 1,
                                           "RESNET.WIDTH_PER_GROUP": 64}),
    "resnext50_32x4d": (4_230_480_872, _RESNET | {"RESNET.NUM_GROUPS": 32,
                                                  "RESNET.WIDTH_PER_GROUP": 4}),
    "regnet_x_200mf": (199_040_872, _REGNET | {
        "REGNET.SE_ON": False, "REGNET.DEPTH": 13, "REGNET.W0": 24,
        "REGNET.WA": 36.44, "REGNET.WM": 2.49}),
    "regnet_y_400mf": (401_849_056, _REGNET | {
        "REGNET.SE_ON": True, "REGNET.DEPTH": 16, "REGNET.W0": 48,
        "REGNET.WA": 27.89, "REGNET.WM": 2.09}),
    "efficientnet_b0": (385_825_092, {
        "MODEL.TYPE": "effnet", "EN.DEPTHS": [1, 2, 2, 3, 3, 4, 1],
        "EN.WIDTHS": [16, 24, 40, 80, 112, 192, 320],
        "EN.EXP_RATIOS": [1, 6, 6, 6, 6, 6, 6], "EN.STRIDES": [1, 2, 2, 2, 1, 2, 1],
        "EN.KERNELS": [3, 3, 5, 3, 5, 5, 3]}),
}  # fmt: skip
"""pycls's own networks: its FLOPs at 224×224, and the settings that make them."""

SMALL = {"maps": maps(1), "maps of three": maps(3)}
"""The small networks of maps by name."""

COUNTED = SMALL | {"tensors": tensors()}
"""All small networks by name."""

UNCOUNTED = frozenset({
    "attention", "derived", "opaque", "parameter", "conv_transpose"
})  # fmt: skip
"""What no tool is asked for here: fused kernels, what is no layer of a sample, and what
calflops fails on, or counts otherwise than DeepSpeed."""
