"""Calibration: what is drawn, whose time is whose, and what a fit gives back."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import costmodel as cm
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import registry
from costmodel.network.build import add, conv, flatten, image, network, relu
from costmodel.network.graph import Network
from costmodel.runtime.calibrate import (
    QUICK,
    Draw,
    fitted,
    identity,
    kernel_seconds,
    refit,
    timed_kernels,
)
from costmodel.runtime.kernels import kernels
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.measure import jsonl
from costmodel.runtime.measure.result import Measurement, _times, at_one_speed
from costmodel.runtime.profile import load_profile
from costmodel.runtime.random_networks import anchor, calibration_networks, drawn
from costmodel.runtime.setting import Setting


STAMP = {
    "date": "2026-01-02T03:04:05+00:00", "cpu": "a CPU", "cores": 1, "isa": [],
    "versions": {"torch": "0"},
}  # fmt: skip
RATES = (3e-11, 1.5e-10, 2.5e-10, 4e-6)
"""Seconds a unit of work, a byte of activations, a byte of weights, a call."""

ROWS = Path(__file__).parents[1] / "calibration.jsonl.gz"
"""What the shipped profile was fitted to."""


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
        for net in calibration_networks(Draw().networks)
        for kernel in kernels(net, Setting())
        if kernel.is_modelled
    )
    assert {kind: n for kind, n in counts.items() if n < 12} == {}
    # Fused kernels occur in compiled graphs alone.
    assert KINDS.keys() - counts.keys() == {"fused"}


def test_drawn_networks_are_networks_that_pytorch_runs() -> None:
    import torch

    for net in calibration_networks(QUICK.networks, seed=2):
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
    for net in calibration_networks(Draw().networks):
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
    profile = fitted([(measurement(net), net) for net in nets], Setting(), name="known")
    assert profile.overhead == pytest.approx(1.25, rel=1e-4)
    for net in calibration_networks(11, seed=9):  # that it has not seen
        expected = measurement(net)
        total = 0.0
        for kernel in kernels(net, Setting()):
            rates = profile.coefficients[kernel.kind].values
            asked = (kernel.work, kernel.activation_bytes, kernel.weight_bytes, 1)
            total += sum(rate * int(count) for rate, count in zip(rates, asked))
        assert total * profile.overhead == pytest.approx(expected.seconds, rel=0.03)


def test_a_machine_that_is_slower_for_a_while_gives_the_same_profile() -> None:
    nets = Draw(networks=11).all()
    rows = [measurement(net, anchor=2e-3) for net in nets]
    slow = [_times(one, 1.5) if n % 3 == 0 else one  # of the anchor, too
            for n, one in enumerate(rows)]  # fmt: skip
    assert [one.anchor for one in slow[:2]] == pytest.approx([3e-3, 2e-3])
    for one, two in zip(rows, at_one_speed(slow), strict=True):
        assert two.seconds == pytest.approx(one.seconds)
        assert two.operators == pytest.approx(one.operators)


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


def test_the_shipped_profile_is_what_its_measurements_give(tmp_path: Path) -> None:
    shipped = load_profile("intel-xeon-avx512-1-thread-float32")
    path = tmp_path / "rows.jsonl"
    path.write_bytes(gzip.decompress(ROWS.read_bytes()))
    again = refit(shipped.setting, path, name=shipped.name)
    assert again.coefficients.keys() == shipped.coefficients.keys()
    for kind, found in again.coefficients.items():
        expected = shipped.coefficients[kind]
        assert found.samples == expected.samples
        assert found.values == pytest.approx(expected.values, rel=0.02, abs=1e-15), kind
    assert again.overhead == pytest.approx(shipped.overhead, rel=1e-4)
    assert (again.box, again.stamp) == (shipped.box, shipped.stamp)


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


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "cpu.txt"], 2, "does not end in .json"),
        (["-o", "nowhere/cpu.json"], 4, "there is no folder nowhere"),
        (["-o", "cpu.json", "--device", "tpu"], 4, "device 'tpu' is none of cpu, cuda"),
        (["-o", "cpu.json", "--dtype", "int8"], 4, "dtype 'int8' cannot be run"),
        (["-o", "cpu.json", "--mode", "graph"], 4, "mode graph is a CUDA graph"),
        (["-o", "cpu.json", "--mode", "compile"], 4, "none can be timed by itself"),
        (["-o", "cpu.json", "--batches", "1,x"], 2, "1,x is not like 1,8,64"),
        (["-o", "cpu.json", "--refit"], 4, "nothing was measured there in cpu"),
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
