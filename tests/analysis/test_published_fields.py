"""Published receptive fields: Araujo, Norris, Sim 2019, and their library's table."""

from __future__ import annotations

import pytest

import costmodel as cm
from costmodel.algebra.symbols import Dim, M
from costmodel.analysis.receptive_field import receptive_field
from costmodel.analysis.receptive_field.field import Field
from costmodel.errors import CostModelError
from costmodel.network import operators as op
from costmodel.network.graph import Network


README = "google-research/receptive_field, README and RECEPTIVE_FIELD_TABLE.md"
"""Araujo, Norris, Sim 2019; computed there from TF-slim's graphs.

Rows of resolution 321, where TensorFlow's SAME pads both ends alike, or None.
"""

PUBLISHED = [
    # name, options, size, stride, padding
    ("alexnet", {}, 195, 32, 64),  # alexnet_v2: its first layer is not padded
    ("alexnet", {"variant": "torchvision"}, 195, 32, 66),
    ("vgg11", {}, 150, 32, 59),  # vgg_a
    ("vgg16", {}, 212, 32, 90),
    ("bn_inception", {}, 699, 32, 349),  # inception_v2
    ("inception_v3", {}, 1311, 32, 618),
    ("inception_v4", {}, 2071, 32, 998),
    ("inception_resnet_v2", {"variant": "released"}, 3039, 32, 1482),
    ("mobilenet_v1", {}, 315, 32, 157),
    ("mobilenet_v1", {"width": 0.75}, 315, 32, 157),
    ("resnet50", {}, 483, 32, 241),
    ("resnet101", {}, 1027, 32, 513),
    ("resnet152", {}, 1507, 32, 753),
    ("preact_resnet50", {}, 483, 32, 241),  # resnet_v2_50
    ("preact_resnet200", {}, 1763, 32, 881),
    ("resnet50", {"variant": "torchvision"}, 427, 32, 213),  # stride on the 3×3
]


def window_of(field: Field) -> tuple[tuple[Dim, Dim], ...]:
    """Return size, stride and padding."""
    return field.size, field.stride, field.padding


@pytest.mark.parametrize(("name", "options", "size", "stride", "padding"), PUBLISHED)
def test_the_last_map_has_the_published_field(
    name: str, options: dict[str, object], size: int, stride: int, padding: int
) -> None:
    field = cm.receptive_field(cm.load(name, **options))
    expected = ((size, size), (stride, stride), (padding, padding))
    assert expected == window_of(field)
    assert field.misalignments == ()


# The same table's end-points: layer here, then RF, effective stride and padding there.
ENDPOINTS = {
    "alexnet": """conv1 11 4 0, max_pool1 19 8 0, conv2 51 8 16, conv3 99 16 32,
                  conv4 131 16 48, conv5 163 16 64, max_pool3 195 32 64""",
    "vgg16": """stage1.conv1 3 1 1, stage1.max_pool1 6 2 2, stage2.conv1 10 2 4,
                stage2.max_pool1 16 4 6, stage3.conv1 24 4 10, stage3.conv2 32 4 14,
                stage3.max_pool1 44 8 18, stage4.conv1 60 8 26,
                stage4.max_pool1 100 16 42,
                stage5.conv2 164 16 74, stage5.max_pool1 212 32 90""",
    "inception_v3": """mixed_5b.concat1 63 8 18, mixed_5d.concat1 127 8 50,
                       mixed_6a.concat1 159 16 58, mixed_6b.concat1 351 16 154,
                       mixed_6e.concat1 927 16 442, mixed_7a.concat1 1055 32 490,
                       mixed_7b.concat3 1183 32 554, mixed_7c.concat3 1311 32 618""",
    "mobilenet_v1": """stem.conv1 3 2 1, block1.conv2 7 2 3, block2.conv2 11 4 5,
                       block6.conv2 59 16 29, block11.conv2 219 16 109,
                       block13.conv2 315 32 157""",
}  # fmt: skip


@pytest.mark.parametrize("name", ENDPOINTS)
def test_layers_have_the_published_fields(name: str) -> None:
    field = cm.receptive_field(cm.load(name))
    for text in ENDPOINTS[name].split(","):
        layer, *numbers = text.split()
        found = window_of(field.of(layer))
        assert (layer, [(int(n),) * 2 for n in numbers]) == (layer, list(found))


@pytest.mark.parametrize(
    ("name", "padding", "stem"), [("mobilenet_v1", 126, 0), ("bn_inception", 318, 2)]
)
def test_at_even_sizes_tensorflow_pads_less_in_front(
    name: str, padding: int, stem: int
) -> None:
    # The README's paddings of 126 and 318 are those of 224×224: SAME puts the odd one
    # of 3 − 2 and 7 − 2 pixels behind. Any multiple of 32 has them; 321 has ours.
    for side in (224, 32 * M):
        field = cm.receptive_field(cm.load(name, resolution=side), same=True)
        assert (padding, padding) == field.padding
        assert (stem, stem) == field.of("stem.conv1").padding
    odd = cm.load(name, resolution=321)
    assert window_of(receptive_field(odd, same=True)) == window_of(receptive_field(odd))
    with pytest.raises(CostModelError, match=r"depends on H mod 2; give the input's s"):
        cm.receptive_field(cm.load(name), same=True)


def test_resnets_padding_of_239_is_that_of_its_pool() -> None:
    # TF-slim pads strided convolutions alike at both ends ("conv2d_same"), its pool by
    # SAME: at 224 one row behind. So the README prints 239, and 241 at 321.
    graph = cm.load("resnet50", resolution=224).graph.copy()
    graph.nodes["stem.max_pool1"]["operator"] = op.MaxPool((3, 3), (2, 2))
    graph.add_node("padded", operator=op.Pad((0, 0, 0), (0, 1, 1)))
    graph.remove_edge("stem.relu1", "stem.max_pool1")
    graph.add_edges_from([("stem.relu1", "padded"), ("padded", "stem.max_pool1")])
    graph.nodes["stem.max_pool1"]["inputs"] = ("padded",)
    field = cm.receptive_field(Network.from_graph(graph))
    assert window_of(field) == ((483, 483), (32, 32), (239, 239))
