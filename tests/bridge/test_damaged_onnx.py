"""Damaged ONNX files: a network or one clear line, whatever has been altered."""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.bridge.onnx import read
from tests.bridge.test_onnx import floats, node, whole, written


onnx = pytest.importorskip("onnx", reason="onnx is not installed")

NODES = [
    node("Conv", "x", "w", "b", to="c", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
         strides=[2, 2], dilations=[1, 1], group=1),
    node("BatchNormalization", "c", "s", "s", "s", "s", to="n", epsilon=1e-5),
    node("Relu", "n", to="r"),
    node("MaxPool", "r", to="p", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=0),
    node("AveragePool", "p", to="v", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("Concat", "p", "v", to="k", axis=1),
    node("Transpose", "k", to="t", perm=[0, 2, 3, 1]),
    node("Transpose", "t", to="u", perm=[0, 3, 1, 2]),
    node("Pad", "u", "pads", to="q", mode="constant"),
    node("Split", "q", to="h", axis=1, num_outputs=1),
    node("Slice", "h", "start", "end", "axes", to="l"),
    node("Shape", "l", to="sizes"),
    node("Gather", "sizes", "zero", to="first", axis=0),
    node("Unsqueeze", "first", "axis0", to="column"),
    node("Constant", to="rest", value_ints=[8, -1]),
    node("Concat", "column", "rest", to="view", axis=0),
    node("Reshape", "l", "view", to="three"),
    node("ReduceMean", "three", "last", to="m", keepdims=0),
    node("Gemm", "m", "g", "f", to="y", transB=1, alpha=1.0),
]  # fmt: skip
WEIGHTS = {
    "w": floats(4, 3, 3, 3), "b": floats(4), "s": floats(4), "g": floats(5, 8),
    "f": floats(5), "pads": whole(0, 0, 1, 1, 0, 0, 1, 1), "start": whole(0),
    "end": whole(8), "axes": whole(1), "zero": whole(0)[0], "axis0": whole(0),
    "last": whole(2),
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Any:
    with TemporaryDirectory() as name:
        path = written(Path(name), NODES, ("N", 3, "H", "W"), weights=WEIGHTS)
        return onnx.load(str(path))


def asked(model: Any) -> str:
    """Read a model; return the line of the refusal, or nothing."""
    with TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(name) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        try:
            read(path)
        except cm.CostModelError as error:
            said = str(error)
        else:
            return ""
    assert said.isprintable(), said
    return said


def test_the_file_itself_is_read(model: Any) -> None:
    assert not asked(model)


NUMBERS = st.sampled_from([-(2**63), -7, -1, 0, 1, 2, 9, 99, 2**31, 2**62])
LISTS = st.lists(NUMBERS, max_size=6)


def alter(data: st.DataObject, model: Any) -> None:
    """Alter one thing of a model: part of a node or tensor, or what it says of all."""
    graph = model.graph
    one = data.draw(st.sampled_from(list(graph.node)))
    what = data.draw(
        st.sampled_from(["attribute", "drop", "operand", "tensor", "node", "model"])
    )
    if what == "model":
        alter_model(data, model)
    elif what == "tensor":
        alter_tensor(data, data.draw(st.sampled_from(list(graph.initializer))))
    elif what == "node":
        kinds = [
            "",
            "If",
            "Constant",
            "Einsum",
            "Resize",
            "Tile",
            "Expand",
            one.op_type,
        ]
        one.op_type = data.draw(st.sampled_from(kinds))
        data.draw(st.sampled_from([lambda: None, lambda: graph.node.remove(one)]))()
    elif what == "operand":
        names = ["", "x", "w", "nowhere", "view", *one.output]
        place = data.draw(st.integers(0, 4))
        one.input[place:] = [data.draw(st.sampled_from(names))]
    elif one.attribute:
        attribute = data.draw(st.sampled_from(list(one.attribute)))
        if what == "drop":
            one.attribute.remove(attribute)
            return
        name = data.draw(st.sampled_from([attribute.name, "axis", "pads", "perm"]))
        values = st.one_of(NUMBERS, LISTS, st.sampled_from([1.5, "x", [0.5], ["a"]]))
        value = data.draw(values)
        attribute.CopyFrom(
            onnx.helper.make_attribute(name, value, attr_type=onnx.AttributeProto.INTS)
            if value == []
            else onnx.helper.make_attribute(name, value)
        )


SCOPES = ["5", "[1, 2]", "{}", "[" * 9000, "1" * 5000, "['', 'a', '']", "[[], {}]"]


def alter_model(data: st.DataObject, model: Any) -> None:
    """Alter sizes of an input, versions, or names of scopes; or define an operator."""
    what = data.draw(st.sampled_from(["size", "version", "scopes", "function"]))
    (given_,) = model.graph.input
    dims, node_ = given_.type.tensor_type.shape.dim, data.draw(
        st.sampled_from(list(model.graph.node))
    )  # fmt: skip
    if what == "size":
        dim = data.draw(st.sampled_from(list(dims)))
        if data.draw(st.booleans()):
            dim.dim_value = data.draw(NUMBERS)
        else:
            dim.dim_param = data.draw(
                st.sampled_from(["", "N", "H", "N+1", "a b", "\0"])
            )
        if data.draw(st.booleans()):
            dims.remove(dim)
    elif what == "version":
        opset = data.draw(st.sampled_from(list(model.opset_import)))
        opset.version = data.draw(NUMBERS)
        opset.domain = data.draw(st.sampled_from(["", "ai.onnx", "mine"]))
    elif what == "scopes":
        text = data.draw(st.sampled_from(SCOPES))
        node_.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=text)
        node_.name = data.draw(
            st.sampled_from(["", "/", "/a/b/Conv", "a\nb", "x" * 999])
        )
    else:
        inner = data.draw(st.sampled_from(["Relu", node_.op_type, "Mine"]))
        body = [node(inner, "a", to="b")]
        versions = data.draw(st.sampled_from([[], list(model.opset_import)]))
        names = data.draw(
            st.sampled_from([(["a"], ["b"]), ([], ["b"]), (["a"], ["c"])])
        )
        model.functions.append(
            onnx.helper.make_function("mine", "Mine", *names, body, versions)
        )
        node_.op_type, node_.domain = "Mine", data.draw(st.sampled_from(["mine", ""]))
        body[0].domain = node_.domain


def alter_tensor(data: st.DataObject, tensor: Any) -> None:
    what = data.draw(st.sampled_from(["dims", "bytes", "type"]))
    if what == "dims":
        tensor.dims[:] = data.draw(LISTS)
    elif what == "bytes":
        tensor.raw_data = data.draw(st.sampled_from([b"abc", b"\0", b""]))
    else:
        tensor.data_type = data.draw(st.sampled_from([0, 1, 2, 7, 8, 10, 16, 22, 99]))


@pytest.mark.malformed("ONNX file")
@given(st.data())
def test_an_altered_file_is_a_network_or_one_clear_line(
    model: Any, data: st.DataObject
) -> None:
    altered = onnx.ModelProto()
    altered.CopyFrom(model)
    for _ in range(data.draw(st.integers(1, 2))):
        if altered.graph.node:
            alter(data, altered)
    asked(altered)


def broken(model: Any, kind: str, name: str, value: Any) -> Any:
    altered = onnx.ModelProto()
    altered.CopyFrom(model)
    one = next(n for n in altered.graph.node if n.op_type == kind)
    (attribute,) = (a for a in one.attribute if a.name == name)
    one.attribute.remove(attribute)
    if value is not None:
        one.attribute.append(onnx.helper.make_attribute(name, value))
    return altered


@pytest.mark.parametrize(
    ("kind", "name", "value", "said"),
    [
        ("Conv", "pads", [1], 'Conv at "c": pads [1] is not 2 for each of 2 axes'),
        ("Conv", "pads", 1, 'Conv at "c": attribute pads is not of type INTS'),
        ("Split", "num_outputs", 2**31, 'Split at "h": num_outputs 2147483648 for 1'),
        ("MaxPool", "kernel_shape", None, 'MaxPool at "p": attribute kernel_shape is'),
        ("Transpose", "perm", [0, 9, 1, 2], 'Transpose at "t": perm [0, 9, 1, 2] is'),
    ],
)
def test_an_attribute_that_does_not_fit_is_named_with_its_node(
    model: Any, kind: str, name: str, value: Any, said: str
) -> None:
    assert said in asked(broken(model, kind, name, value))


@pytest.mark.parametrize("text", SCOPES)
def test_scopes_that_are_none_name_nothing(model: Any, text: str) -> None:
    altered = onnx.ModelProto()
    altered.CopyFrom(model)
    scopes = altered.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes")
    scopes.value = text
    assert not asked(altered)


def test_a_call_of_more_operands_than_its_function_is_refused(model: Any) -> None:
    altered = onnx.ModelProto()
    altered.CopyFrom(model)
    called = altered.graph.node[0]
    called.op_type, called.domain = "Mine", "mine"
    body = [node("Relu", "a", to="b")]
    function = onnx.helper.make_function("mine", "Mine", ["a"], ["b"], body, [])
    altered.functions.append(function)
    assert "is it a well-formed ONNX model? RuntimeError" in asked(altered)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("raw_data", b"abc", 'tensor "w": 3 bytes; its sizes and type need 432'),
        ("data_type", 99, 'tensor "w": data type 99 is none of ONNX\'s'),
        ("dims", [108], "a weight of 1 axes, for an operand of 4"),
        ("dims", [-1, 3, 3, 3], "one is below 0"),
    ],
)
def test_a_tensor_that_cannot_be_is_named(
    model: Any, field: str, value: Any, said: str
) -> None:
    altered = onnx.ModelProto()
    altered.CopyFrom(model)
    (tensor,) = (t for t in altered.graph.initializer if t.name == "w")
    if field == "dims":
        tensor.dims[:] = value
    else:
        setattr(tensor, field, value)
    assert said in asked(altered)
