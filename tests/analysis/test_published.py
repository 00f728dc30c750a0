"""Every published figure agrees with the formula, or departs for a cause that holds."""

from dataclasses import replace

import pytest

import costmodel as cm
from costmodel.analysis.evidence.printed import verify
from costmodel.errors import CostModelError
from costmodel.network.registry import find
from costmodel.network.registry.printed_figures import Published, read_table


def check(outcome: str, printed: str, departure: str | None) -> None:
    """Judge LeNet-5's 156 parameters in layer C1, printed otherwise."""
    lenet = find("lenet5")
    row = replace(lenet.published[0], printed=printed, departure=departure)
    (verdict,) = verify([replace(lenet, published=(row,))])
    assert (outcome, 156) == (verdict.outcome, verdict.computed)
    assert (outcome in ("unexplained", "stale departure")) == verdict.is_wrong


@pytest.mark.parametrize("name", cm.architectures())
def test_no_published_figure_is_wrong(name: str) -> None:
    wrong = [verdict for verdict in verify([find(name)]) if verdict.is_wrong]
    assert wrong == []


def test_a_figure_that_holds_agrees() -> None:
    check("agrees", "156", None)


def test_a_wrong_figure_without_a_cause_is_unexplained() -> None:
    check("unexplained", "157", None)


def test_a_wrong_figure_with_a_cause_departs() -> None:
    check("departure", "157", "a misprint")


def test_a_cause_for_a_figure_that_holds_is_stale() -> None:
    check("stale departure", "156", "a misprint")


def test_a_measured_accuracy_is_only_recorded() -> None:
    mobilenet = find("mobilenet_v1")
    recorded = [v for v in verify([mobilenet]) if v.outcome == "recorded"]
    assert recorded
    assert {("top1", None)} == {(v.row.quantity, v.computed) for v in recorded}


def test_a_quantity_that_nobody_computes_is_an_error() -> None:
    lenet = find("lenet5")
    row = replace(lenet.published[0], quantity="latency")
    match = '^lenet5: no quantity "latency" is computed; known are layers, '
    with pytest.raises(CostModelError, match=match):
        list(verify([replace(lenet, published=(row,))]))


def test_mobilenets_table_8_counts_weights_alone() -> None:
    net = cm.load("mobilenet_v1", width="1/2", resolution=160)
    weights = sum(
        int(weight.numel)
        for node in net.nodes
        if node.operator.kind in ("conv", "linear")
        for key, weight in net.weights_of(node).items()
        if key == "weight"
    )
    # 3,139,584/4 + 1,069,504/2: the paper's 1.32M; all parameters are 1.33M.
    assert weights == 1_319_648
    assert cm.cost(net).parameters == 1_331_592  # 784,896 + 545,696 + 1,000
    printed = [r for r in find("mobilenet_v1").published if r.printed == "1.32M"]
    assert [
        (row.agrees(weights), row.agrees(cm.cost(net).parameters)) for row in printed
    ] == [(True, False)]


def test_mobilenets_table_4_leaves_out_the_classifier_of_full_convolutions() -> None:
    cost = cm.cost(cm.load("mobilenet_v1", convolution="full", resolution=224, batch=1))
    kinds = cost.by_operator()
    row = Published("macs", "4866M", (), None, None, "Table 4")
    assert row.agrees(kinds["conv"].macs)
    assert kinds["linear"].macs == 1_024_000
    assert not row.agrees(cost.macs)


def test_alexnets_first_layer_is_printed_with_the_next_ones_channels() -> None:
    (row,) = (r for r in find("alexnet").published if r.printed == "253440")
    assert row.value == 55 * 48 * 96
    cost = cm.cost(cm.load("alexnet", resolution=227, batch=1))
    assert cost.of("conv1").activations == 55 * 55 * 96


def test_squeeze_and_excitation_costs_what_its_formula_says() -> None:
    reduction = cm.symbol("r")
    gated = cm.cost(cm.load("se_resnet50", reduction=reduction)).parameters
    plain = cm.cost(cm.load("resnet50")).parameters
    # Equation 5: (2/r)·ΣN·C² over the stages; the notation's division is exact there.
    blocks = {256: 3, 512: 4, 1024: 6, 2048: 3}
    expected = sum(2 * count * maps**2 for maps, count in blocks.items()) / reduction
    assert cm.relax(gated - plain) == expected


def test_googlenets_first_layer_is_printed_as_a_separable_convolution() -> None:
    # 3 maps, 8 filters of 7×7 each, then 24 to 64 maps by 1×1
    assert 3 * 8 * 49 + 24 * 64 == 2712
    assert (3 * 8 * 49 + 24 * 64) * 112 * 112 == 34_019_328


def test_googlenet_with_its_early_classifiers_is_what_others_count() -> None:
    with_them = cm.load("googlenet", variant="torchvision", aux=True, resolution=224)
    assert cm.cost(with_them).parameters == 13_004_888
    assert len(with_them.outputs) == 3


@pytest.mark.parametrize(("width", "printed"), [("1", "3.47M"), ("0.35", "1.66M")])
def test_mobilenet_v2_without_normalization_is_what_was_printed(
    width: str, printed: str
) -> None:
    cost = cm.cost(cm.load("mobilenet_v2", width=width))
    counted = cost.parameters - cost.by_operator()["batch_norm"].parameters
    row = Published("parameters", printed, (), None, None, "the cause of a departure")
    assert row.agrees(counted)


def test_the_figures_that_depart_are_few_and_known() -> None:
    departing = {
        (verdict.name, verdict.row.quantity, verdict.row.printed)
        for verdict in verify(cm.architectures().values())
        if verdict.outcome == "departure"
    }
    assert departing == {
        ("alexnet", "activations", "253440"),
        ("alexnet", "activations", "650000"),
        ("amoebanet_a_large", "macs", "104G"),
        ("bn_inception", "parameters", "13.6M"),
        ("convnext_base", "macs", "45.0G"),
        ("darts_imagenet", "macs", "574M"),
        ("densenet264", "layers", "264"),
        ("efficientnet_b1", "macs", "0.70G"),
        ("efficientnet_b4", "macs", "4.2G"),
        ("efficientnet_b5", "macs", "9.9G"),
        ("googlenet", "macs", "34M"),
        ("googlenet", "macs", "54M"),
        *(
            ("googlenet", "parameters", f"{printed}Ki")
            for printed in (2.7, 364, 437, 463, 580, 840, 1072, 1388)
        ),
        ("inception_resnet_v2", "macs", "11.75G"),
        ("inception_v2", "layers", "42"),
        ("inception_v2", "macs", "4.8G"),
        ("inception_v3", "macs", "4.8G"),
        ("inception_v3", "parameters", "23,626,728"),
        ("inception_v4", "parameters", "48M"),
        *(("mnasnet_a1", "macs", f"{printed}M") for printed in (63, 315.2, 591.5)),
        ("mobilenet_v1", "macs", "4866M"),
        ("mobilenet_v1", "parameters", "1.32M"),
        ("mobilenet_v2", "macs", "585M"),
        *(
            ("mobilenet_v2", "parameters", f"{printed}M")
            for printed in (1.66, 1.95, 2.61, 3.4, 3.47, 6.06, 6.9)
        ),
        ("mobilenet_v3_large", "macs", "219M"),
        ("mobilenet_v3_small", "macs", "66M"),
        ("nasnet_a_cifar", "parameters", "27.6M"),
        ("nasnet_a_large", "macs", "4.93G"),
        *(("nasnet_a_large", "parameters", f"{p}M") for p in (22.6, 88.9, 93.5)),
        ("preact_resnet1001_cifar", "parameters", "10.2M"),
        ("resnext101_32x4d", "macs", "7.99G"),
        ("se_inception_resnet_v2", "macs", "11.76G"),
        ("se_resnet50", "parameters", "30.7M"),
        ("se_resnet152", "macs", "11.32G"),
        ("se_resnext50_32x4d", "macs", "4.25G"),
        ("senet154", "parameters", "146M"),
        *(("shufflenet_v1", "macs", f"{printed}M") for printed in (133, 137, 140, 142)),
        ("shufflenet_v2_x1_0", "macs", "146M"),
        ("shufflenet_v2_x1_5", "macs", "299M"),
        ("shufflenet_v2_x2_0", "macs", "591M"),
        ("wide_resnet16_8_cifar", "layers", "16"),
        ("wide_resnet28_10_cifar", "layers", "28"),
        ("wide_resnet40_4_cifar", "layers", "40"),
        ("xception", "layers", "36"),
    }


@pytest.mark.parametrize(
    ("printed", "value", "tolerance"),
    [
        ("569M", 569 * 10**6, 10**6),
        ("3.86G", 3_860_000_000, 10**7),
        ("25,557,032", 25_557_032, 1),
        ("1.0K", 1000, 100),
        ("60", 60, 1),
    ],
)
def test_the_last_printed_digit_is_the_tolerance(
    printed: str, value: int, tolerance: int
) -> None:
    figure = Published("macs", printed, (), None, None, "Table 1")
    assert (value, tolerance) == (figure.value, figure.tolerance)
    for near in (value - tolerance + 1, value, value + tolerance - 1):
        assert figure.agrees(near)
    for far in (value - tolerance, value + tolerance):
        assert not figure.agrees(far)


def test_a_formula_does_not_agree_or_disagree() -> None:
    figure = Published("macs", "1M", (), None, None, "Table 1")
    with pytest.raises(CostModelError, match=r"^macs: H is not a number yet$"):
        figure.agrees(cm.H)


TABLE = """
    name  width  resolution  layer  macs     parameters  source
    a     1/2    224         -      569M     4.2M[1]     Table 6
    b     -      -           fc     -        1,000       the text
"""


def test_a_table_gives_a_figure_for_each_cell() -> None:
    setting = (("width", "1/2"),)
    expected = (
        Published("macs", "569M", setting, "224", None, "Table 6"),
        Published("parameters", "4.2M", setting, "224", None, "Table 6", "a misprint"),
    )
    assert expected == read_table(TABLE, ["a misprint"], "a", {"width"})
    (figure,) = read_table(TABLE, ["a misprint"], "b", {"width"})
    assert Published("parameters", "1,000", (), None, "fc", "the text") == figure
    assert read_table(TABLE, ["a misprint"], "c", {"width"}) == ()
    assert read_table("", [], "a", {}) == ()


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ('published table of "a": last column is not source', "macs\n1M"),
        ('published figure "12X" is not a number', "macs source\n12X Table"),
        ('published figure "1.2.3" is not a number', "macs source\n1.2.3 Table"),
        ('published table of "a": a line is too short: 1M', "macs layer source\n1M"),
        ('published figure "1M": no departure 2', "macs source\n1M[2] Table"),
        ('published figure "1M": no departure 0', "macs source\n1M[0] Table"),
        ('published figure "1M": no departure x', "macs source\n1M[x] Table"),
    ],
)
def test_a_malformed_table_is_an_error(problem: str, text: str) -> None:
    with pytest.raises(CostModelError) as caught:
        read_table(text, ["only one"], "a", {})
    assert str(caught.value).startswith(problem)
