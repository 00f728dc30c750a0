"""Calibration: what is drawn, whose time is whose, and what a fit gives back."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

import costmodel as cm
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import registry
from costmodel.network.build import add, conv, flatten, image, network, relu
from costmodel.network.graph import Network
from costmodel.runtime.calibrate import (
    COMPILED,
    QUICK,
    Draw,
    _pairs,
    fitted,
    kernel_seconds,
    passes,
    refit,
    timed_kernels,
)
from costmodel.runtime.compiled import WINDOWS
from costmodel.runtime.kernels import kernels
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.measure import jsonl
from costmodel.runtime.measure.result import Measurement, at_one_speed, combined
from costmodel.runtime.profile import Profile, load_profile
from costmodel.runtime.profile.fit import grouped, predicted
from costmodel.runtime.random_networks import USUAL, anchor, drawn, identity
from costmodel.runtime.setting import Setting
from tests.runtime.drawn_devices import device
from tests.runtime.table import MACHINES, Machine


STAMP = {
    "date": "2026-01-02T03:04:05+00:00", "cpu": "a CPU", "cores": 1, "isa": [],
    "versions": {"torch": "0"},
}  # fmt: skip
RATES = (3e-11, 1.5e-10, 2.5e-10, 4e-6)
"""Seconds a unit of work, a byte of activations, a byte of weights, a call."""


def test_the_same_seed_draws_the_same_networks_in_any_process() -> None:
    code = (
        "import hashlib, sys\n"
        "from costmodel.runtime.random_networks import calibration_networks\n"
        "texts = [net.to_json() for net in calibration_networks(22, seed=5)]\n"
        "print(hashlib.sha256(''.join(texts).encode()).hexdigest())\n"
        "assert 'torch' not in sys.modules\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], env=_environment(salt),
                       capture_output=True, text=True, check=True).stdout
        for salt in ("0", "1")
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert drawn(3, seed=5) != drawn(3, seed=6)


def test_every_class_of_kernels_is_drawn_often_enough_to_be_fitted() -> None:
    counts = Counter(
        kernel.kind
        for net in Draw().all()
        for kernel in kernels(net, Setting())
        if kernel.is_modelled
    )
    assert {kind: n for kind, n in counts.items() if n < 12} == {}
    # Fused kernels occur in compiled graphs alone.
    assert KINDS.keys() - counts.keys() == {"fused"}


def test_drawn_networks_are_networks_that_pytorch_runs() -> None:
    import torch

    for net in Draw(QUICK.networks, seed=2).all():
        module = cm.compile(net, device="meta")
        size = (net.batch, *net.inputs[0].output.sizes)
        with torch.no_grad():
            result = module(torch.zeros(size, device="meta"))
        shape = net[net.outputs[0]].output
        assert tuple(result.shape) == (net.batch, *shape.sizes), net.name


def _signatures(net: Network) -> set[Any]:
    """Return the layers with weights: operator and shape of its operand."""
    return {
        (str(node.operator), str(net.shapes_into(node)[0]))
        for node in net.nodes
        if node.operator.is_layer
    }


def test_no_published_network_is_among_the_drawn_ones(record_property: Any) -> None:
    drawn_layers: set[Any] = set()
    for net in Draw().all():
        drawn_layers |= _signatures(net)
    shares = {}
    for name, known in registry.architectures().items():
        net = registry.load(name, resolution=known.resolution, batch=1)
        layers = _signatures(net)
        shares[name] = len(layers & drawn_layers) / len(layers)
    assert len(shares) >= 30
    mean = sum(shares.values()) / len(shares)
    record_property("share of published layers that are drawn too, mean", mean)
    record_property("largest of one network", max(shares.values()))
    # Small layers occur by chance, such as a gate's; but few of any one network.
    assert {name: share for name, share in shares.items() if share > 0.2} == {}
    assert mean < 0.03


def measurement(net: Network, **changes: Any) -> Measurement:
    """Return what a device of known rates takes for a network."""
    setting = Setting()
    operators: dict[str, float] = {}
    for kernel in kernels(net, setting):
        asked = (kernel.work, kernel.activation_bytes, kernel.weight_bytes, 1)
        seconds = sum(rate * int(count) for rate, count in zip(RATES, asked))
        operators[kernel.name] = operators.get(kernel.name, 0.0) + seconds
    total = sum(operators.values())
    known: dict[str, Any] = {
        "name": net.name, "setting": setting, "batch": net.batch,
        "shape": net.inputs[0].output.sizes, "seconds": 1.25 * total, "iqr": 0.0,
        "split_half": 0.0, "least": total, "rounds": 1, "samples": 1,
        "clock": "thread", "wall_seconds": total, "faults": 0.0, "stamp": STAMP,
        "operators": operators, "options": identity(net),
    }  # fmt: skip
    return Measurement(**{**known, **changes})


def test_a_device_of_known_rates_is_found_out() -> None:
    nets = Draw(networks=33).all()
    pairs = [(measurement(net), net) for net in nets]
    profile = fitted(pairs, setting=Setting(), name="known")
    assert profile.overhead == pytest.approx(1.25, rel=1e-4)
    for net in Draw(11, seed=9).all():  # that it has not seen
        seconds = float(cm.predict(net, profile))
        assert seconds == pytest.approx(measurement(net).seconds, rel=0.03)
    assert profile.left_out
    assert profile.left_out.mape < 0.03
    assert profile.left_out.better == {}


FASTER, LAID_OUT = 0.8, 7e-10
"""What a compiler makes of kernels, and seconds a byte of weights with windows."""


def compiled(net: Network) -> Measurement:
    """Return what that device takes for a network under its compiler."""
    setting, seconds = Setting(mode="compile"), 0.0
    for kernel in kernels(net, setting):
        asked = (kernel.work, kernel.activation_bytes, kernel.weight_bytes, 1)
        eager = sum(rate * int(count) for rate, count in zip(RATES, asked))
        is_laid_out = int(kernel.weight_bytes) * (kernel.kind in WINDOWS)
        seconds += FASTER * eager + LAID_OUT * is_laid_out
    return measurement(net, setting=setting, seconds=seconds, operators={})


def test_a_compiler_is_found_out_by_whole_networks() -> None:
    setting, nets = Setting(mode="compile"), Draw().all()
    pairs = [(measurement(net), net) for net in nets]
    wholes = [(compiled(net), net) for net in nets[::COMPILED]]
    profile = fitted(pairs, wholes, setting=setting, name="known")
    assert profile.overhead == pytest.approx(FASTER, rel=0.02)
    assert profile.coefficients.keys() >= {"fused", "conv"}
    assert "fused" in profile.box
    off = [
        float(cm.predict(net, profile)) / compiled(net).seconds - 1
        for net in Draw(22, seed=9).all()  # that it has not seen
    ]
    assert np.mean(np.abs(off)) < 0.03
    assert profile.left_out
    assert profile.left_out.networks == len(wholes)
    assert profile.left_out.better == {}


def test_compiled_networks_are_measured_after_eager_ones(tmp_path: Path) -> None:
    setting, draw = Setting(mode="compile"), Draw(networks=9)
    (eager, nets, _), (whole, some, _) = passes(setting, draw)
    assert (eager, whole) == (Setting(layout="channels_last"), setting)
    assert [net.name for net in some] == [net.name for net in nets[::COMPILED]]
    path = tmp_path / "rows.jsonl"
    for net in nets:
        jsonl.append(path, measurement(net, setting=eager).to_row())
    with pytest.raises(CostModelError, match=r"of these networks in cpu .* compile"):
        refit(setting, path, draw, name="none")
    for net in some:
        jsonl.append(path, compiled(net).to_row())
    found = refit(setting, path, draw, name="some")
    assert (found.setting, found.left_out) == (setting, None)


def sittings(device: Profile, nets: Sequence[Network], seed: int) -> list[Measurement]:
    """Return what one measures of a device in three sittings: all of it is off.

    Each run of a kernel by 20 % and one in twenty by a factor of 5, whole networks by
    3 %, the machine's speed by 30 % from group to group, and the anchor by 10 % more.
    A kernel runs twice in each of four rounds, and a sitting has their median.
    """
    random, rows = np.random.default_rng(seed), []
    known = [truth(net, device) for net in nets]
    for sitting in range(3):
        for number, index in enumerate(random.permutation(len(nets))):
            if number % 8 == 0:
                speed = float(np.exp(0.3 * random.normal()))
            seconds = known[index]
            runs = (8, len(seconds))
            slips = random.choice([0.2, 1.0, 5.0], runs, p=[0.025, 0.95, 0.025])
            off = np.median(slips * np.exp(0.2 * random.normal(size=runs)), axis=0)
            operators = {
                node: float(speed * one * factor / device.overhead)
                for (node, one), factor in zip(seconds.items(), off)
            }
            whole = (
                sum(seconds.values()) * speed * float(np.exp(0.03 * random.normal()))
            )
            beside = ANCHOR * speed * float(np.exp(0.1 * random.normal()))
            date = f"2026-01-02T{sitting:02}:{number // 8:02}:00+00:00"
            rows.append(measurement(
                nets[index], setting=device.setting, seconds=whole, operators=operators,
                anchor=beside, sitting=sitting, stamp=STAMP | {"date": date},
            ))  # fmt: skip
    return rows


ANCHOR = 2e-3
"""Seconds of the anchor where the machine is as fast as a drawn device says."""


def truth(net: Network, device: Profile) -> dict[str, float]:
    """Return a device's seconds of every node."""
    found: dict[str, float] = {}
    for row in cm.predict(net, device).rows:
        found[row.name] = found.get(row.name, 0.0) + float(row.seconds)
    return found


SEEDS = range(20 if settings().max_examples >= 200 else 4)
"""Devices that are drawn: each takes ten seconds, so few of them by default."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drawn_device_is_recovered_from_what_a_noisy_machine_measures(
    seed: int,
) -> None:
    known, nets = device(seed), Draw(networks=55).all()
    by_name = {net.name: net for net in nets}
    steady = combined(sittings(known, nets, seed))
    pairs = [(one, by_name[one.name]) for one in steady]
    found = fitted(pairs, setting=known.setting, name="found", judged=False)
    slower = ANCHOR / found.stamp["anchor"]
    off = [
        slower * float(cm.predict(net, found)) / sum(truth(net, known).values()) - 1
        for net in Draw(11, seed=9).all()  # that it has not seen
    ]
    assert np.mean(np.abs(off)) < 0.05


def slower(one: Measurement, factor: float, minute: int) -> Measurement:
    """Return what would have been measured while the machine was slower."""
    return replace(
        one, seconds=factor * one.seconds, sitting=minute,
        operators={node: factor * s for node, s in one.operators.items()},
        anchor=factor * one.anchor if one.anchor else None,
        stamp=STAMP | {"date": f"2026-01-02T03:{minute:02}:00+00:00"},
    )  # fmt: skip


def test_a_machine_that_is_slower_for_a_while_gives_the_same_times() -> None:
    nets = Draw(networks=11).all()
    rows = [measurement(net, anchor=2e-3) for net in nets]
    factors = (1.5, 1.0, 0.8)
    slow = [slower(one, factor, minute)
            for minute, factor in enumerate(factors) for one in rows]  # fmt: skip
    for one, two in zip(3 * rows, at_one_speed(slow), strict=True):
        assert two.seconds == pytest.approx(one.seconds)
        assert two.operators == pytest.approx(one.operators)
        assert two.anchor == pytest.approx(2e-3)


def test_networks_tell_how_fast_the_machine_was_where_the_anchor_errs() -> None:
    rows = [measurement(net, anchor=2e-3) for net in Draw(networks=11).all()]
    slow = [replace(slower(one, factor, minute), anchor=anchored)
            for minute, (factor, anchored) in enumerate(((1.0, 9e-3), (1.5, 2e-3)))
            for one in rows]  # fmt: skip
    found = combined(slow)
    ratios = {round(one.seconds / known.seconds, 6) for one, known in zip(found, rows)}
    assert len(ratios) == 1  # all at one speed, whichever that is


def test_groups_without_a_network_in_common_are_compared_by_their_anchors() -> None:
    one, two = (measurement(net, anchor=2e-3) for net in Draw(networks=2).all())
    found = at_one_speed([slower(one, 1.5, 0), slower(two, 1.0, 1)])
    # Neither is touched: each still says how fast the machine was.
    assert [m.seconds for m in found] == pytest.approx([1.5 * one.seconds, two.seconds])
    assert [m.anchor for m in found] == pytest.approx([3e-3, 2e-3])


def test_times_go_to_the_kernels_that_took_them() -> None:
    x = image(3, 16, 16)
    y = conv(x, 8, kernel=3)
    net = network(flatten(add(relu(y), y, y)), name="three", batch=2)
    seconds = {"conv1": 5e-6, "relu1": 1e-6, "add1": 4e-6, "flatten1": 9e-6}
    one = replace(measurement(net), operators=seconds)
    found = [(t.kernel.name, t.kernel.kind, t.seconds) for t in timed_kernels(one, net)]
    # A sum of three tensors is two kernels, and a view is none.
    assert found == [
        ("conv1", "stem_conv", 5e-6), ("relu1", "relu", 1e-6),
        ("add1", "add", 2e-6), ("add1", "add", 2e-6),
    ]  # fmt: skip
    assert kernel_seconds(one, net) == pytest.approx(10e-6)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda known: known.profile)
def test_the_shipped_profile_is_what_its_measurements_give(machine: Machine) -> None:
    shipped = load_profile(machine.profile)
    rows = machine.folder / "calibration.jsonl.gz"
    again = refit(shipped.setting, rows, name=shipped.name)
    pairs = _pairs(rows, shipped.setting, Draw().all())
    groups = grouped(row for pair in pairs for row in timed_kernels(*pair))
    assert again.coefficients.keys() == shipped.coefficients.keys()
    for kind, found in again.coefficients.items():
        expected = shipped.coefficients[kind]
        assert found.samples == expected.samples
        # Where bytes are so many per element, which of both costs is not told apart.
        told, again_told = (predicted(c, groups[kind]) for c in (expected, found))
        assert again_told == pytest.approx(told, rel=0.02), kind
        assert [leaf.samples for leaf in found.leaves] == [
            leaf.samples for leaf in expected.leaves
        ]
    assert again.overhead == pytest.approx(shipped.overhead, rel=1e-4)
    assert again.margin == pytest.approx(shipped.margin, rel=1e-2)
    assert (again.box, again.stamp) == (shipped.box, shipped.stamp)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda known: known.profile)
def test_a_calibration_says_how_wrong_it_is_on_what_it_left_out(
    machine: Machine,
) -> None:
    found = load_profile(machine.profile).left_out
    assert found
    assert found.networks == USUAL  # measured before larger batches were drawn
    assert 0.75 <= found.coverage <= 0.85
    assert found.median < found.mape < min(found.baselines.values())
    shares = [share for share, _ in found.classes.values()]
    assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_a_profile_that_simple_predictors_beat_says_so() -> None:
    found = load_profile("intel-xeon-avx512-1-thread-float32")
    assert found.left_out
    worse = replace(found, left_out=replace(found.left_out, mape=0.9))
    net = cm.load("lenet5", batch=1)
    assert not any("is no good" in said for said in cm.predict(net, found).warnings)
    said = next(s for s in cm.predict(net, worse).warnings if "ConvMeter" in s)
    assert "is no good: networks that its calibration left out are" in said


def test_a_file_of_other_networks_or_machines_is_refused(tmp_path: Path) -> None:
    path, draw = tmp_path / "rows.jsonl", Draw(networks=2)
    one, two = draw.all()
    with pytest.raises(CostModelError, match="has no measurement of these networks"):
        refit(Setting(), path, draw, name="none")
    jsonl.append(path, measurement(one, options={"network": "another"}).to_row())
    with pytest.raises(CostModelError, match="made with another seed"):
        refit(Setting(), path, draw, name="none")
    jsonl.append(path, measurement(one).to_row())
    assert refit(Setting(), path, draw, name="one").notes
    elsewhere = {**STAMP, "cpu": "another CPU"}
    jsonl.append(path, measurement(two, stamp=elsewhere).to_row())
    with pytest.raises(CostModelError, match="of several machines: a CPU"):
        refit(Setting(), path, draw, name="two")


def test_a_profile_that_nothing_was_left_out_of_says_so() -> None:
    nets = Draw(networks=3).all()
    pairs = [(measurement(net), net) for net in nets]
    found = cm.predict(nets[0], fitted(pairs, setting=Setting(), name="few"))
    assert float(found.high) == pytest.approx(2 * float(found), rel=0.01)
    assert any("nobody knows how good few is" in said for said in found.warnings)


def test_a_refit_lists_what_was_measured(tmp_path: Path) -> None:
    output, (net,) = tmp_path / "cpu.json", Draw(networks=1).all()
    jsonl.append(output.with_suffix(".jsonl"), measurement(net).to_row())
    result = run("calibrate", "-o", str(output), "--refit", "--mode", "folded")
    assert result.exit_code == 4
    assert "measured there: cpu float32 nchw eager, 1 thread, 16 lanes" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("operators", {"conv1": -1.0}), ("operators", {"conv1": 1e-320}),
        ("iqr", -1.0), ("faults", -2.0), ("seconds", 1e-320), ("anchor", -1.0),
        ("anchor", 0.0), ("clock", "sun"),
    ],
)  # fmt: skip
def test_what_no_clock_gives_is_refused(name: str, value: object) -> None:
    (net,) = Draw(networks=1).all()
    row = measurement(net).to_row()
    assert Measurement.from_row(row).name == net.name
    with pytest.raises(CostModelError, match="measurement: "):
        Measurement.from_row(row | {name: value})


@pytest.mark.parametrize("value", [[], {}, None, 3])
def test_a_row_of_another_network_is_left_out(tmp_path: Path, value: object) -> None:
    path, draw = tmp_path / "rows.jsonl", Draw(networks=1)
    row = measurement(draw.all()[0]).to_row()
    jsonl.append(path, row | {"options": {"network": value}})
    with pytest.raises(CostModelError, match="no measurement of these networks"):
        refit(Setting(), path, draw, name="none")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "cpu.txt"], 2, "does not end in .json"),
        (["-o", "nowhere/cpu.json"], 4, "there is no folder nowhere"),
        (["-o", "cpu.json", "--device", "tpu"], 4, "device 'tpu' is none of cpu, cuda"),
        (["-o", "cpu.json", "--dtype", "int8"], 4, "dtype 'int8' cannot be run"),
        (["-o", "cpu.json", "--mode", "graph"], 4, "mode graph is a CUDA graph"),
        (["-o", "cpu.json", "--batches", "1,x"], 2, "1,x is not like 1,8,64"),
        (["-o", "cpu.json", "--dtype", "float32,int8"], 4, "'int8' cannot be run"),
        (["-o", "cpu.json", "--threads", "0"], 2, "0 is not like 1,8,64"),
        (["-o", "cpu.json", "--minutes", "0"], 2, "0.0 is not in the range x>0"),
        (["-o", "cpu.json", "--minutes", "nan"], 2, "nan is no number"),
        (["-o", "cpu.json", "--threads", "1,2", "--name", "mine"], 2, "is of one"),
        (
            ["-o", "cpu.json", "--refit"],
            4,
            "asked for cpu float32 nchw eager; measured there: nothing",
        ),
    ],
)
def test_what_cannot_be_calibrated_is_said_in_one_line(
    arguments: list[str], code: int, words: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    result = run("calibrate", *arguments)
    assert (result.exit_code, list(tmp_path.iterdir())) == (code, [])
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def run(*arguments: str) -> Result:
    """Run the program in this process."""
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_gpu_is_calibrated_in_the_same_way(tmp_path: Path, mode: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no CUDA device")
    options = ("--device", "cuda", "--dtype", "bfloat16", "--layout", "channels_last")
    output = str(tmp_path / "gpu.json")
    draw = ("--batches", "1,8", "--networks", "11", "--sittings", "1", "--rounds", "2")
    result = run("calibrate", "-o", output, "--mode", mode, *options, *draw)
    assert result.exit_code == 0, result.stderr
    profile = load_profile(output)
    assert {"pointwise_conv", "batch_norm", "add"} <= profile.coefficients.keys()
    assert profile.stamp["gpu"]["name"]


def _environment(salt: str) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONHASHSEED": salt}


def test_the_anchor_stays_what_it_is() -> None:
    # Rows and profiles of other versions are compared by its seconds.
    assert (cm.cost(anchor()).macs, len(anchor().nodes)) == (43135872, 41)
