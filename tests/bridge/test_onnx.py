"""ONNX files: read back, they are the exported module, and what ONNX executes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from torch import nn

import costmodel as cm
from costmodel import H, N, Network, W
from costmodel.analysis.cost import Cost
from costmodel.bridge.onnx import read
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.testing import networks
from tests.bridge.trace.test_sizes import detector
from tests.zoo import torchvision_models, torchvision_network


onnx = pytest.importorskip("onnx", reason="onnx is not installed")
reference = pytest.importorskip("onnx.reference", reason="onnx is not installed")

MAP = ("N", 3, "H", "W")
"""An image whose batch, height and width are open."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def written(
    folder: Path,
    nodes: Sequence[Any],
    *inputs: Sequence[Any],
    weights: Mapping[str, Any] | None = None,
    opset: int = 18,
    domains: Sequence[str] = (),
    known: Sequence[Any] = (),
) -> Path:
    """Write a graph of nodes; its inputs are x, x1, …, its output is y."""
    helper = onnx.helper
    names = ["x", *(f"x{i}" for i in range(1, len(inputs)))]
    given = [
        helper.make_tensor_value_info(name, 1, list(shape))
        for name, shape in zip(names, inputs, strict=True)
    ]
    stored = [
        onnx.numpy_helper.from_array(np.asarray(value), name)
        for name, value in (weights or {}).items()
    ]
    made = [helper.make_empty_tensor_value_info("y")]
    graph = helper.make_graph(nodes, "g", given, made, stored, value_info=list(known))
    versions = [helper.make_opsetid("", opset)]
    versions += [helper.make_opsetid(domain, 1) for domain in domains]
    path = folder / "model.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=versions, ir_version=10), str(path)
    )
    return path


def node(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, list(inputs), [to], **attributes)


def floats(*shape: int) -> Any:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def whole(*numbers: int) -> Any:
    return np.array(numbers, dtype=np.int64)


def exported(
    module: nn.Module, folder: Path, *shape: int, is_open: bool = True, **more: Any
) -> Path:
    """Export a module as it is, batch norms and all, its sizes open or fixed."""
    path = folder / f"{type(module).__name__}.onnx"
    options: dict[str, Any] = {
        "dynamo": False,
        "input_names": ["x"],
        "output_names": ["y"],
    }
    options |= {"do_constant_folding": False} | more
    if is_open:
        options["dynamic_axes"] = {"x": {0: "batch", 2: "height", 3: "width"}}
    options.setdefault("training", torch.onnx.TrainingMode.PRESERVE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch's own exporter
        torch.onnx.export(module, (torch.zeros(shape),), str(path), **options)
    return path


def in_memory(name: str) -> nn.Module:
    """Return one of torchvision's networks, with memory."""
    return in_order(torchvision_network(name).to_empty(device="cpu"))


def in_order(module: nn.Module) -> nn.Module:
    """Give a module numbers that differ: exporters store equal tensors once."""
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator)
    return module


def totals(net: Network, **values: int) -> tuple[Any, Any, Any]:
    cost: Cost = cm.cost(net.bind(**values) if values else net)
    return cost.macs, cost.parameters, cost.activations


# Exported modules.


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1"]
)
def test_an_exported_network_is_the_module_that_was_traced(
    name: str, folder: Path
) -> None:
    module = in_memory(name)
    net = read(exported(module, folder, 2, 3, 224, 224))
    traced = cm.trace(module)
    for sizes in ({"H": 224, "W": 224, "N": 1}, {"H": 193, "W": 257, "N": 3}):
        assert totals(traced, **sizes) == totals(net, **sizes)


def transformer(name: str) -> nn.Module:
    """Return a small transformer of torchvision's."""
    models = torchvision_models()
    kinds = {
        "vit": lambda: models.VisionTransformer(32, 8, 2, 4, 32, 64),
        "swin": lambda: models.SwinTransformer([4, 4], 16, [1, 1], [2, 4], [7, 7]),
    }
    return in_order(kinds[name]().eval())


@pytest.mark.parametrize(("name", "side"), [("vit", 32), ("swin", 56)])
@pytest.mark.parametrize("is_open", [True, False])
def test_attention_is_read_from_its_products(
    name: str,
    side: int,
    is_open: bool,  # noqa: FBT001
    folder: Path,
) -> None:
    module = transformer(name)
    path = exported(module, folder, 1, 3, side, side, is_open=is_open)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the batch of 1
        net = read(path)
    sizes = {"H": side, "W": side, "N": 2} if is_open else {"N": 2}
    traced = cm.trace(module, input=(3, side, side))
    assert totals(traced, N=2)[:2] == totals(net, **sizes)[:2]


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_a_fixed_batch_is_read_as_n(name: str, folder: Path) -> None:
    module = in_memory(name)
    path = exported(module, folder, 1, 3, 64, 64, is_open=False)
    with pytest.warns(UserWarning, match="the batch is 1 in the file; it is read as N"):
        net = read(path)
    assert net.batch == N
    assert totals(cm.trace(module), H=64, W=64, N=5) == totals(net, N=5)


@pytest.mark.parametrize(
    ("kind", "shape", "made", "more"),
    [
        ("Concat", (2, 1, 8, 6), 4, {"axis": 1}),
        ("Add", (2, 3, 8, 6), 3, {}),
        ("Mul", (2, 1, 8, 1), 3, {}),
        ("MatMul", (2, 3, 6, 6), 3, {}),
    ],
)
def test_what_a_file_repeats_for_each_of_its_samples_is_read(
    folder: Path, kind: str, shape: tuple[int, ...], made: int, more: dict[str, Any]
) -> None:
    path = written(
        folder,
        [node(kind, "x", "w", **more)],
        (2, 3, 8, 6),
        weights={"w": floats(*shape)},
    )
    with pytest.warns(UserWarning, match="the batch is 2 in the file; it is read as N"):
        net = read(path)
    assert net.nodes[-1].output.sizes == (made, 8, 6)
    assert net.batch == N
    assert cm.cost(net).macs == (N * 3 * 8 * 6 * 6 if kind == "MatMul" else 0)


def test_a_grid_of_places_that_an_exporter_folds_is_read(folder: Path) -> None:
    class Places(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch, _, height, width = x.shape
            row = torch.linspace(-1, 1, width)[None, None, None]
            return torch.cat([x, row.expand(batch, 1, height, -1)], 1).relu()

    path = exported(
        Places(), folder, 2, 3, 16, 12, is_open=False, do_constant_folding=True
    )
    with pytest.warns(UserWarning, match="the batch is 2 in the file; it is read as N"):
        net = read(path)
    assert net.nodes[-1].output.sizes == (4, 16, 12)


def test_a_batch_that_is_mixed_stays_as_it_is_fixed(folder: Path) -> None:
    nodes = [
        node("Reshape", "x", "rows", to="a"),
        node("Transpose", "a", to="b", perm=[1, 0]),
        node("MatMul", "b", "w"),
    ]
    weights = {"rows": whole(4, 6), "w": floats(4, 2)}
    net = read(written(folder, nodes, (1, 3, 2, 4), weights=weights))
    assert net.batch == 1
    assert cm.cost(net).macs == 4 * 6 * 2


def test_names_are_the_modules_paths(folder: Path) -> None:
    module = in_memory("resnet18")
    net = read(exported(module, folder, 2, 3, 64, 64))
    traced = cm.trace(module)
    weighted = [n.name for n in traced.nodes if traced.weights_of(n)]
    assert weighted == [n.name for n in net.nodes if net.weights_of(n)]
    assert net["layer1.0.conv1"].scope == ("layer1", "0")
    assert {
        "input",
        "maxpool",
        "layer4.1.add",
        "layer1.0.relu_1",
        "fc",
    } <= net.by_name.keys()


def test_a_channel_shuffle_is_one_operator(folder: Path) -> None:
    net = read(exported(in_memory("shufflenet_v2_x0_5"), folder, 2, 3, 64, 64))
    assert [n for n in net.nodes if n.operator.kind == "channel_shuffle"]
    assert (
        cm.receptive_field(net).size
        == cm.receptive_field(cm.trace(torchvision_network("shufflenet_v2_x0_5"))).size
    )


def test_batch_norms_that_were_folded_are_not_there(folder: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)).eval()
    folded = {"do_constant_folding": True, "training": torch.onnx.TrainingMode.EVAL}
    path = exported(module, folder, 2, 3, 9, 9, **folded)
    net = read(path)
    assert [n.operator.kind for n in net.nodes] == ["input", "conv"]
    assert cm.cost(net).parameters == 8 * 3 * 9 + 8


def test_the_other_exporter_is_read_as_well(folder: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.GroupNorm(2, 8), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    ).eval()  # fmt: skip
    in_order(module)
    dim = torch.export.Dim.DYNAMIC
    path = exported(
        module, folder, 2, 3, 33, 35, is_open=False, dynamo=True, verbose=False,
        dynamic_shapes=({0: dim, 2: dim, 3: dim},),
        training=torch.onnx.TrainingMode.EVAL,
    )  # fmt: skip
    net = read(path)
    sizes = {"H": 41, "W": 30, "N": 2}
    assert totals(cm.trace(module), **sizes) == totals(net, **sizes)
    assert net["0"].operator == cm.trace(module)["0"].operator


def is_written_whole(net: Network) -> bool:
    """Say whether PyTorch's exporter writes each operator as it is, at any size.

    Modules that only we have come out as what they compute, in other operators than
    linear layers; adaptive pooling and response norms may be fixed at a size. A layer
    that is called twice on one tensor is written once.
    """
    calls = [(net.shared.get(n.name, n.name), n.inputs) for n in net.nodes]
    ours = {"radial_basis", "subsample", "table_conv", "zeros", "local_response_norm"}
    operators = [n.operator for n in net.nodes]
    adapted = any(
        o.kind.startswith("adaptive") and o.attributes["size"] != (1, 1)
        for o in operators
    )
    is_whole = not adapted and ours.isdisjoint(o.kind for o in operators)
    return is_whole and len(set(calls)) == len(calls)


def test_local_response_norm_is_read_from_its_parts(folder: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(5)).eval()
    net = read(exported(module, folder, 2, 3, 9, 11))
    bound = net.bind(H=20, W=30)
    assert bound[bound.outputs[0]].output.sizes == (8, 18, 28)
    assert totals(cm.trace(module)) == totals(net)


@given(networks().filter(is_written_whole))
@settings(max_examples=max(25, settings().max_examples // 10), deadline=None)
def test_what_is_compiled_and_exported_is_read_back(net: Network) -> None:
    height, width = net.smallest(H)[0] + 3, net.smallest(W)[0] + 5
    module = cm.compile(net).eval()
    in_order(module)
    channels = net.inputs[0].output.channels
    assert type(channels) is int
    with TemporaryDirectory() as name:
        try:
            path = exported(module, Path(name), 2, channels, height, width)
        except torch.onnx.errors.OnnxExporterError:
            reject()  # an open size that PyTorch cannot export
        back = read(path)
    sizes = {"H": height, "W": width, "N": 2}
    assert totals(net, **sizes) == totals(back, **sizes)
    wanted = [net.bind(**sizes)[o].output for o in net.outputs]
    assert wanted == [back.bind(**sizes)[o].output for o in back.outputs]


# Operators, each against what ONNX executes.

X = {"w": floats(6, 3, 3, 3), "b": floats(6)}

OPERATORS = {
    "conv, more padding after": ([node("Conv", "x", "w", "b", pads=[0, 1, 2, 1])], X),
    "conv, same upper": (
        [node("Conv", "x", "w", auto_pad="SAME_UPPER", strides=[2, 2])], X,
    ),
    "conv, same lower": ([node("Conv", "x", "w", auto_pad="SAME_LOWER")], X),
    "conv, valid": ([node("Conv", "x", "w", auto_pad="VALID", dilations=[2, 1])], X),
    "conv, grouped": ([node("Conv", "x", "w", group=3)], {"w": floats(6, 1, 3, 3)}),
    "conv of even kernel, same": (
        [node("Conv", "x", "w", auto_pad="SAME_LOWER")], {"w": floats(6, 3, 2, 4)},
    ),
    "transposed conv": (
        [node("ConvTranspose", "x", "w", "b", strides=[2, 2], output_padding=[1, 1])],
        {"w": floats(3, 4, 3, 3), "b": floats(4)},
    ),
    "max pool": ([node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2])], {}),
    "max pool, padded": (
        [node("MaxPool", "x", kernel_shape=[3, 2], pads=[1, 1, 1, 0])], {},
    ),
    "average pool": (
        [node("AveragePool", "x", kernel_shape=[2, 3], pads=[1, 1, 1, 1])], {},
    ),
    "global pools": (
        [node("GlobalAveragePool", "x", to="a"), node("GlobalMaxPool", "x", to="b"),
         node("Mul", "a", "b")], {},
    ),
    "resize by factors": (
        [node("Resize", "x", "", "s", mode="nearest")],
        {"s": np.array([1, 1, 2, 3], dtype=np.float32)},
    ),
    "resize by a half": (
        [node("Resize", "x", "", "s", mode="linear")],
        {"s": np.array([1, 1, 0.5, 0.5], dtype=np.float32)},
    ),
    "resize to the size of another": (
        [node("MaxPool", "x", to="a", kernel_shape=[2, 2], strides=[2, 2]),
         node("Shape", "x", to="s"), node("Resize", "a", "", "", "s", mode="linear")],
        {},
    ),
    "pad": ([node("Pad", "x", "p")], {"p": whole(0, 0, 1, 2, 0, 0, 0, 3)}),
    "pad by reflection": (
        [node("Pad", "x", "p", mode="reflect")], {"p": whole(0, 0, 1, 1, 0, 0, 1, 1)},
    ),
    "pad of channels": ([node("Pad", "x", "p")], {"p": whole(0, 1, 0, 0, 0, 2, 0, 0)}),
    "pad to an even size": (
        [node("Shape", "x", to="s", start=2), node("Mod", "s", "two", to="rest"),
         node("Concat", "none", "rest", to="p", axis=0), node("Pad", "x", "p")],
        {"two": whole(2), "none": whole(0, 0, 0, 0, 0, 0)},
    ),
    "depth to space": (
        [node("Conv", "x", "w", to="a"), node("DepthToSpace", "a", blocksize=2)],
        {"w": floats(8, 3, 1, 1)},
    ),
    "depth to space, columns first": (
        [node("Conv", "x", "w", to="a"),
         node("DepthToSpace", "a", blocksize=2, mode="CRD")],
        {"w": floats(8, 3, 1, 1)},
    ),
    "space to depth": ([node("SpaceToDepth", "x", blocksize=2)], {}),
    "slice": (
        [node("Slice", "x", "from", "to", "axes")],
        {"from": whole(1, -5), "to": whole(2**62, -1), "axes": whole(2, 3)},
    ),
    "slice with steps": (
        [node("Slice", "x", "from", "to", "axes", "steps")],
        {"from": whole(1), "to": whole(2**62), "axes": whole(2), "steps": whole(2)},
    ),
    "slice backwards": (
        [node("Slice", "x", "from", "to", "axes", "steps")],
        {"from": whole(-1), "to": whole(-(2**62)), "axes": whole(3),
         "steps": whole(-1)},
    ),
    "slice of channels": (
        [node("Slice", "x", "from", "to", "axes")],
        {"from": whole(1), "to": whole(3), "axes": whole(1)},
    ),
    "roll": (
        [node("Slice", "x", "m", "end", "axis", to="a"),
         node("Slice", "x", "zero", "m", "axis", to="b"),
         node("Concat", "a", "b", axis=2)],
        {"m": whole(-3), "end": whole(2**62), "zero": whole(0), "axis": whole(2)},
    ),
    "split": (
        [onnx.helper.make_node("Split", ["x", "parts"], ["a", "b"], axis=1),
         node("Concat", "b", "a", axis=1)],
        {"parts": whole(1, 2)},
    ),
    "split in two rows": (
        [onnx.helper.make_node("Split", ["x"], ["a", "b"], axis=2, num_outputs=2),
         node("Add", "b", "a")], {},
    ),
    "gather of one": ([node("Gather", "x", "i", axis=2)], {"i": np.array(-1)}),
    "gather of several": ([node("Gather", "x", "i", axis=1)], {"i": whole(1, 2)}),
    "flatten": ([node("Flatten", "x")], {}),
    "reshape to tokens": (
        [node("Reshape", "x", "s", to="a"), node("Transpose", "a", perm=[0, 2, 1])],
        {"s": whole(0, 3, -1)},
    ),
    "reshape by a shape": (
        [node("Shape", "x", to="s"), node("Gather", "s", "zero", to="n", axis=0),
         node("Concat", "n", "rest", to="t", axis=0), node("Reshape", "x", "t")],
        {"zero": whole(0), "rest": whole(-1, 3)},
    ),
    "squeeze": (
        [node("Unsqueeze", "x", "axes", to="a"), node("Relu", "a", to="b"),
         node("Squeeze", "b", "axes")], {"axes": whole(1, 4)},
    ),
    "expand": (
        [node("GlobalAveragePool", "x", to="a"), node("Shape", "x", to="s"),
         node("Expand", "a", "s")], {},
    ),
    "tile": ([node("Tile", "x", "r")], {"r": whole(1, 2, 1, 3)}),
    "mean of axes": ([node("ReduceMean", "x", "a", keepdims=0)], {"a": whole(2, 3)}),
    "mean of channels": ([node("ReduceMean", "x", "a")], {"a": whole(1)}),
    "norm": ([node("ReduceL2", "x", "a")], {"a": whole(1)}),
    "normalize": ([node("LpNormalization", "x", axis=1)], {}),
    "running sum": ([node("CumSum", "x", "a")], {"a": np.array(2)}),
    "softmax": ([node("Softmax", "x", axis=1)], {}),
    "matmul": (
        [node("Transpose", "x", to="t", perm=[0, 1, 3, 2]), node("MatMul", "x", "t")],
        {},
    ),
    "einsum": ([node("Einsum", "x", "x", equation="nchw,nchv->ncwv")], {}),
    "linear of the last axis": (
        [node("Transpose", "x", to="t", perm=[0, 2, 3, 1]),
         node("MatMul", "t", "w", to="a"), node("Add", "a", "b")],
        {"w": floats(3, 7), "b": floats(7)},
    ),
    "gemm": (
        [node("GlobalAveragePool", "x", to="p"), node("Flatten", "p", to="f"),
         node("Gemm", "f", "w", "b", transB=1)],
        {"w": floats(7, 3), "b": floats(7)},
    ),
    "local response norm": ([node("LRN", "x", size=3)], {}),
    "prelu": ([node("PRelu", "x", "a")], {"a": floats(3, 1, 1)}),
    "clip": ([node("Clip", "x", "lo", "hi")],
             {"lo": np.float32(0), "hi": np.float32(6)}),
    "layer norm": ([node("LayerNormalization", "x", "w", "b", axis=-1, to="a"),
                    node("Relu", "a")], {"w": floats(1), "b": floats(1)}),
    "instance norm": (
        [node("InstanceNormalization", "x", "w", "b")],
        {"w": floats(3), "b": floats(3)},
    ),
    "group norm": (
        [node("GroupNormalization", "x", "w", "b", num_groups=3)],
        {"w": floats(3), "b": floats(3)},
    ),
    "batch norm": (
        [node("BatchNormalization", "x", *"abcd")],
        {name: floats(3) for name in "abcd"},
    ),
    "what ONNX defines by others": (
        [node("ReduceSumSquare", "x", "a", to="b"),
         node("MeanVarianceNormalization", "b", axes=[2, 3])], {"a": whole(1)},
    ),
    "a scale": ([node("Mul", "x", "g")], {"g": floats(3, 1, 1)}),
    "numbers": (
        [node("Sub", "one", "x", to="a"), node("Pow", "a", "two", to="b"),
         node("Div", "b", "two", to="c"), node("Max", "c", "x", to="d"),
         node("Mean", "d", "x", "c")],
        {"one": np.float32(1), "two": np.float32(2)},
    ),
    "functions": (
        [node("LeakyRelu", "x", to="a"), node("Erf", "a", to="b"),
         node("HardSwish", "b", to="c"), node("Softplus", "c", to="d"),
         node("Sigmoid", "d", to="e"), node("Elu", "e", to="f"),
         node("HardSigmoid", "f", to="g"), node("Dropout", "g", to="h"),
         node("Identity", "h", to="i"),
         onnx.helper.make_node("Cast", ["i"], ["y"], to=1)], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_shapes_are_those_that_onnx_executes(name: str, folder: Path) -> None:
    nodes, weights = OPERATORS[name]
    opset = 21 if name == "group norm" else 18
    path = written(folder, nodes, MAP, weights=weights, opset=opset)
    net = read(path)
    run = reference.ReferenceEvaluator(str(path))
    for sizes in ({"N": 2, "H": 12, "W": 10}, {"N": 1, "H": 16, "W": 14}):
        executed = run.run(None, {"x": floats(sizes["N"], 3, sizes["H"], sizes["W"])})[
            0
        ]
        bound = net.bind(
            {k: v for k, v in sizes.items() if k in map(str, net.free_symbols)}
        )
        found = (sizes["N"], *bound[net.outputs[0]].output.sizes)
        assert executed.shape == found


# Tensors that are made anew, as many as there are samples.

CAST = onnx.helper.make_node("Cast", ["column"], ["cast"], to=1)
COUNTED = [
    node("Shape", "x", to="sizes"),
    node("Gather", "sizes", "first", to="n"),
    node("Concat", "n", "eight", to="wanted", axis=0),
    node("Concat", "n", "one", to="times", axis=0),
    node("Squeeze", "n", to="count"),
]
"""N as an array and as a number, N × 8, and N × 1."""

MADE: dict[str, list[Any]] = {
    "ConstantOfShape": [node("ConstantOfShape", "wanted", to="made")],
    "Expand": [node("Expand", "row", "wanted", to="made")],
    "Tile": [node("Tile", "row", "times", to="made")],
    "Tile, then half": [node("Tile", "row", "times", to="tiled"),
                        node("Concat", "tiled", "tiled", to="both", axis=1),
                        node("MatMul", "both", "half", to="made")],
    "Range": [node("Range", "zero", "count", "step", to="line"),
              node("Unsqueeze", "line", "last", to="column"),
              CAST,
              node("Expand", "cast", "wanted", to="made")],
    "Range in twos": [node("Mul", "count", "two", to="double"),
                      node("Range", "zero", "double", "two", to="line"),
                      node("Unsqueeze", "line", "last", to="column"),
                      CAST,
                      node("Expand", "cast", "wanted", to="made")],
    "Range downwards": [node("Range", "count", "zero", "minus", to="line"),
                        node("Unsqueeze", "line", "last", to="column"),
                        CAST,
                        node("Expand", "cast", "wanted", to="made")],
    "EyeLike": [node("ConstantOfShape", "wanted", to="zeros"),
                node("EyeLike", "zeros", to="made")],
    "EyeLike of the input": [node("EyeLike", "x1", to="made")],
    "RandomNormalLike": [node("RandomNormalLike", "x1", to="made")],
    "Add": [node("ConstantOfShape", "wanted", to="zeros"),
            node("Add", "zeros", "row", to="made")],
    "Concat": [node("ConstantOfShape", "times", to="zeros"),
               *[node("Concat", *["zeros"] * 8, to="made", axis=1)]],
    "Transpose": [node("ConstantOfShape", "wanted", to="zeros"),
                  node("Transpose", "zeros", to="turned"),
                  node("Transpose", "turned", to="made")],
}  # fmt: skip
"""Ways to make N × 8 numbers, from the sizes of the input alone."""


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_for_every_sample_is_counted_for_every_sample(
    name: str, folder: Path
) -> None:
    weights = {
        "first": whole(0), "eight": whole(8), "one": whole(1), "last": whole(1),
        "zero": np.int64(0), "step": np.int64(1), "two": np.int64(2),
        "minus": np.int64(-1), "row": floats(1, 8),
        "half": floats(16, 8), "w": floats(8, 8), "v": floats(16, 8),
    }  # fmt: skip
    nodes = [
        *COUNTED, *MADE[name], node("Gemm", "made", "w", to="a"),
        node("Gemm", "x", "v", to="b"), node("Add", "a", "b"),
    ]  # fmt: skip
    path = written(folder, nodes, ("N", 16), ("N", 8), weights=weights)
    macs = 320 if name == "Tile, then half" else 192
    assert totals(read(path))[0] == macs * N


def test_anchors_fit_at_every_size(folder: Path) -> None:
    module = detector().eval()
    net = read(exported(module, folder, 1, 3, 64, 96))
    assert [str(side.admissible) for side in cm.input_sizes(net)] == [
        "every H", "every W",
    ]  # fmt: skip
    for size in (2, 320, 320), (1, 640, 640), (3, 57, 91):
        made = module(torch.zeros(size[0], 3, *size[1:]))
        bound = net.bind(dict(zip((N, H, W), size, strict=True)))
        assert tuple(made.shape) == (size[0], *bound.nodes[-1].output.sizes)


def test_a_line_that_is_expanded_and_flattened_has_its_size(folder: Path) -> None:
    nodes = [
        node("Shape", "x", to="shape"), node("Gather", "shape", "two", to="height"),
        node("Range", "zero", "height", "one", to="line"),
        node("Reshape", "line", "column", to="upright"),
        node("Slice", "shape", "third", "end", to="width"),
        node("Concat", "minus", "width", to="wide", axis=0),
        node("Cast", "upright", to="real"),
        node("Expand", "real", "ones", to="plane"),
        node("Concat", "heights", "width", to="both", axis=0),
        node("Expand", "plane", "both", to="grid"),
        node("Reshape", "grid", "minus", to="flat"),
        node("Reshape", "x", "rows", to="maps"), node("Add", "maps", "flat"),
    ]  # fmt: skip
    nodes[6].attribute.append(onnx.helper.make_attribute("to", 1))
    nodes.insert(8, node("Unsqueeze", "height", "first", to="heights"))
    weights = {
        "two": np.int64(2), "zero": np.int64(0), "one": np.int64(1),
        "column": whole(-1, 1), "third": whole(3), "end": whole(4), "minus": whole(-1),
        "first": whole(0), "ones": whole(1, 1), "rows": whole(0, 3, -1),
    }  # fmt: skip
    net = read(written(folder, nodes, MAP, weights=weights))
    assert [str(side.admissible) for side in cm.input_sizes(net)] == [
        "every H", "every W",
    ]  # fmt: skip
    assert net.bind(H=640, W=33).nodes[-1].output.sizes == (3, 640 * 33)


def test_a_size_that_nothing_explains_is_refused(folder: Path) -> None:
    nodes = [
        *COUNTED, node("ConstantOfShape", "wanted", to="zeros"),
        node("Pad", "zeros", "pads", to="made"), node("Gemm", "made", "w", to="a"),
        node("Gemm", "x", "v", to="b"), node("Add", "a", "b"),
    ]  # fmt: skip
    weights = {
        "first": whole(0), "eight": whole(8), "one": whole(1), "w": floats(8, 8),
        "v": floats(16, 8), "pads": whole(2, 0, 2, 0),
    }  # fmt: skip
    path = written(folder, nodes, ("N", 16), weights=weights)
    with pytest.raises(CostModelError, match=r'"made": how its size 15 follows'):
        read(path)


# What is unknown, and what is no network.


def test_unknown_operators_are_listed_with_their_nodes(folder: Path) -> None:
    nodes = [
        onnx.helper.make_node("Hardmax", ["x"], ["a"], name="first"),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("Hardmax", ["b"], ["c"], name="second"),
        onnx.helper.make_node("Foo", ["c"], ["y"], name="third", domain="own"),
    ]
    path = written(folder, nodes, MAP, domains=["own"])
    with pytest.raises(
        CostModelError,
        match=r"operators without a rule: Hardmax \(2×\) at first, second; "
        r'Foo \(1×\) at third; on_unknown="mark" keeps them as opaque nodes',
    ):
        read(path)
    with pytest.raises(
        CostModelError, match="does not say how large their results are"
    ):
        read(path, on_unknown="mark")


def test_marked_operators_have_the_shapes_that_onnx_infers(folder: Path) -> None:
    shape = onnx.helper.make_tensor_value_info("b", 1, ["N", 5, "H"])
    nodes = [
        onnx.helper.make_node("Hardmax", ["x"], ["a"], name="first"),
        onnx.helper.make_node("Foo", ["a"], ["b"], name="second", domain="own"),
        node("Relu", "b"),
    ]
    path = written(folder, nodes, MAP, domains=["own"], known=[shape])
    net = read(path, on_unknown="mark")
    shapes = [str(n.output) for n in net.nodes]
    assert shapes == ["3×H×W", "3×H×W", "5×H", "5×H"]
    assert cm.cost(net).unknown


@pytest.mark.parametrize(
    ("nodes", "inputs", "weights", "message"),
    [
        ([node("Add", "x", "x1")], [MAP, (4, 3, "H", "W")], {},
         "inputs have different batches"),
        ([node("Relu", "z")], [MAP], {}, 'operand "z" is made by no node'),
        ([node("Relu", "w")], [MAP], {"w": floats(3)}, "no output depends on"),
        ([node("Conv", "x", "w")], [MAP], {"w": floats(8, 4, 3, 3)},
         "3 is not 4: its weights are for 4"),
        ([node("Relu", "x")], [()], {}, "has no axis for a batch"),
        ([node("Transpose", "x", perm=[1, 0, 2, 3], to="a"), node("Relu", "a", to="b"),
          node("Softmax", "b", axis=1)], [MAP], {}, "works along the batch"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(
    nodes: Any, inputs: Any, weights: Any, message: str, folder: Path
) -> None:
    path = written(folder, nodes, *inputs, weights=weights)
    with pytest.raises(CostModelError, match=message):
        read(path)


def test_what_is_no_file_is_said(folder: Path) -> None:
    with pytest.raises(CostModelError, match="there is no such file"):
        read(folder / "none.onnx")
    (folder / "text.onnx").write_text("no model")
    with pytest.raises(CostModelError, match="no ONNX file"):
        read(folder / "text.onnx")
    with pytest.raises(CostModelError, match='is not "raise" or "mark"'):
        read(folder / "none.onnx", on_unknown="drop")


def test_without_the_package_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        MissingDependencyError, match=r'pip install "costmodel\[onnx\]"'
    ):
        read(folder / "model.onnx")


# Sizes, and what is stored.


def test_open_axes_are_n_h_and_w_and_equal_names_are_equal(folder: Path) -> None:
    relu = [node("Relu", "x")]
    assert str(read(written(folder, relu, MAP)).inputs[0].output) == "3×H×W"
    square = read(written(folder, relu, ("b", 3, "side", "side")))
    assert str(square.inputs[0].output) == "3×H×H"
    last = read(written(folder, relu, ("b", "h", "w", 3)))
    assert str(last.inputs[0].output) == "H×W×3"
    tokens = read(written(folder, relu, ("b", "tokens", 8)))
    assert str(tokens.inputs[0].output) == "tokens×8"


def test_conditions_on_the_size_are_kept(folder: Path) -> None:
    nodes = [node("Flatten", "x", to="a"), node("Gemm", "a", "w")]
    net = read(
        written(
            folder, nodes, ("N", 3, "H", 224), weights={"w": floats(3 * 224 * 224, 2)}
        )
    )
    with pytest.raises(CostModelError, match="H = 225 does not fit"):
        net.bind(H=225)
    assert cm.cost(net.bind(H=224, N=1)).macs == 3 * 224 * 224 * 2


@pytest.mark.parametrize(
    ("kernel", "count", "fits", "fails"),
    [((4, 6), 1, (7, 11), (8, 6)), ((5, 5), 9, (17, 19), (20, 20)),
     ((3, 3), 100**2, (300, 301), (303, 300))],
)  # fmt: skip
def test_sizes_that_weights_ask_for_are_found(
    folder: Path, kernel: tuple[int, int], count: int, fits: Any, fails: Any
) -> None:
    nodes = [
        node("MaxPool", "x", to="a", kernel_shape=kernel, strides=kernel),
        node("Flatten", "a", to="b"),
        node("MatMul", "b", "w"),
    ]
    net = read(written(folder, nodes, MAP, weights={"w": floats(3 * count, 7)}))
    assert net.bind(N=2, H=fits[0], W=fits[1])[net.outputs[0]].output.sizes == (7,)
    with pytest.raises(CostModelError, match=f"its weights are for {3 * count}"):
        net.bind(N=2, H=fails[0], W=fails[1])


def test_branches_that_join_have_to_be_of_one_size(folder: Path) -> None:
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("MaxPool", "x", to="a", **pool),
        node("Upsample", "a", "s", to="b"),
        node("Concat", "x", "b", axis=1),
    ]
    weights = {"s": np.array([1, 1, 2, 2], dtype=np.float32)}
    net = read(written(folder, nodes, MAP, weights=weights, opset=9))
    assert {"H even", "W even"} == {c.needs for c in net.constraints}


def test_a_weight_that_two_nodes_use_is_stored_once(folder: Path) -> None:
    nodes = [
        node("Conv", "x", "w", to="a", pads=[1, 1, 1, 1]),
        node("Conv", "a", "w", pads=[1, 1, 1, 1]),
    ]
    net = read(written(folder, nodes, MAP, weights={"w": floats(3, 3, 3, 3)}))
    assert len(net.shared) == 1
    cost = cm.cost(net)
    assert cost.parameters == 81
    assert cost.macs == 2 * 81 * N * H * W


def test_numbers_of_weights_are_not_read(folder: Path) -> None:
    weights = {"w": floats(64, 3, 9, 9), "s": whole(0, -1)}
    nodes = [node("Conv", "x", "w", to="a"), node("Reshape", "a", "s")]
    path = written(folder, nodes, MAP, weights=weights)
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="beside",
              size_threshold=100)  # fmt: skip
    (folder / "beside").unlink()
    assert cm.cost(read(path)).parameters == 64 * 3 * 9 * 9


def test_small_numbers_beside_the_file_are_read(folder: Path) -> None:
    nodes = [node("Reshape", "x", "s")]
    path = written(folder, nodes, MAP, weights={"s": whole(0, -1)})
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="beside",
              size_threshold=0)  # fmt: skip
    assert str(read(path).nodes[-1].output) == "3*H*W"
    (folder / "beside").unlink()
    with pytest.raises(CostModelError, match="its numbers lie beside the file"):
        read(path)


def test_a_branch_on_sizes_is_taken(folder: Path) -> None:
    helper = onnx.helper
    empty = helper.make_empty_tensor_value_info
    then = helper.make_graph([node("Relu", "x", to="t")], "then", [], [empty("t")])
    other = helper.make_graph([node("Exp", "x", to="e")], "else", [], [empty("e")])
    nodes = [
        node("Shape", "x", to="s", start=1, end=2),
        node("Equal", "s", "three", to="c"),
        node("If", "c", then_branch=then, else_branch=other),
    ]
    net = read(written(folder, nodes, MAP, weights={"three": whole(3)}))
    assert [n.operator.kind for n in net.nodes] == ["input", "relu"]


def test_reading_needs_no_torch(folder: Path) -> None:
    import subprocess

    path = written(folder, [node("Relu", "x")], MAP)
    code = (
        "import sys; from costmodel.bridge.onnx import read; "
        f"read({str(path)!r}); print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
