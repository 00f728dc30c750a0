"""Measuring: what is recorded, what is left as it was, and what is refused."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import costmodel as cm
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.network import build
from costmodel.network.graph import Network
from costmodel.runtime.measure import environment as stamps
from costmodel.runtime.measure.jsonl import read
from costmodel.runtime.measure.measure import Plan, measure, measure_all, setting_of
from costmodel.runtime.measure.operators import run_steps, steps
from costmodel.runtime.measure.prepare import Job, fold
from costmodel.runtime.measure.result import (
    MANY_FAULTS,
    Measurement,
    Sample,
    combined,
    medians,
    summarized,
)
from tests.drawn import bound_networks, input_size


FEW = settings(max_examples=max(15, settings().max_examples // 10))
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
TIMES = st.floats(1e-6, 10.0)


def small() -> Network:
    """Return a network with a bit of everything, fast to run."""
    x = build.conv_bn_relu(build.image(3, 32, 32), 16, kernel=3, stride=2)
    y = build.conv_bn_relu(x, 16, kernel=3)
    x = build.concat(build.add(x, y), build.max_pool(x, 3, 1, 1))
    return build.network(build.linear(build.global_average_pool(x), 10), name="small")


def one(**changes: Any) -> Measurement:
    """Return the measurement of a small network, by default on one thread."""
    return measure(small(), **{"rounds": 2, "threads": 1, **changes})


@given(st.lists(st.lists(TIMES, min_size=1, max_size=4), min_size=1, max_size=6))
def test_figures_of_rounds_lie_between_their_samples(rounds: list[list[float]]) -> None:
    samples = [[Sample(t, 2 * t, 3.0) for t in one] for one in rounds]
    found = summarized(samples)
    every = [t for one in rounds for t in one]
    assert found["least"] == min(every) <= found["seconds"] <= max(every)
    assert found["wall_seconds"] == pytest.approx(2 * found["seconds"])
    assert 0 <= found["iqr"] <= max(every) - min(every)
    assert (found["rounds"], found["samples"]) == (len(rounds), len(every))
    assert found["faults"] == 3.0
    same = summarized([[Sample(1.0, 1.0)] for _ in rounds])
    assert (same["split_half"], same["iqr"]) == (0.0, 0.0)


def test_a_drift_over_the_rounds_is_in_both_halves_and_a_wobble_is_not() -> None:
    drift = summarized([[Sample(1 + t / 100, 0)] for t in range(10)])
    wobble = summarized([[Sample(1 + t % 2 / 10, 0)] for t in range(10)])
    assert drift["split_half"] < 0.011
    assert wobble["split_half"] > 0.09


@given(st.lists(st.fixed_dictionaries({"a": TIMES, "b": TIMES}), min_size=1))
def test_medians_are_of_each_name(rows: list[dict[str, float]]) -> None:
    found = medians(rows)
    assert set(found) == {"a", "b"}
    for name, value in found.items():
        column = [row[name] for row in rows]
        assert min(column) <= value <= max(column)


def test_every_operator_is_timed_and_together_they_are_the_whole() -> None:
    found = one(per_operator=True)
    assert [n.name for n in small().nodes[1:]] == list(found.operators)
    assert found.overhead is not None
    assert 0.4 < found.overhead < 2.5  # a ratio: no absolute time holds everywhere
    assert found.rounds == 2
    assert found.samples >= 4
    assert 0 < found.least <= found.seconds
    assert (found.batch, found.shape, found.clock) == (1, (3, 32, 32), "thread")


def test_a_measurement_is_read_back_from_its_line() -> None:
    found = one(per_operator=True)
    assert Measurement.from_row(json.loads(json.dumps(found.to_row()))) == found
    with pytest.raises(CostModelError, match="schema 'else'"):
        Measurement.from_row({**found.to_row(), "schema": "else"})
    with pytest.raises(CostModelError, match="unknown field 'colour'"):
        Measurement.from_row({**found.to_row(), "colour": "red"})


def test_a_key_tells_what_was_measured_and_not_how_long() -> None:
    found = one()
    assert replace(found, seconds=1.0, iqr=3.0, faults=7.0).key == found.key
    for other in (
        replace(found, name="another"),
        replace(found, batch=2),
        replace(found, shape=(3, 64, 64)),
        replace(found, options={"width": "1/2"}),
        replace(found, setting=replace(found.setting, layout="channels_last")),
        replace(found, stamp={**found.stamp, "cpu": "another"}),
    ):
        assert other.key != found.key


def test_sittings_are_combined_by_their_medians() -> None:
    found = one()
    rows = [replace(found, seconds=s, sitting=i) for i, s in enumerate((1.0, 3.0, 2.0))]
    (both,) = combined([*rows])
    assert (both.seconds, both.sitting) == (2.0, 0)
    assert both.rounds == 3 * found.rounds
    other = replace(found, name="another")
    assert [m.name for m in combined([rows[0], other, rows[1]])] == ["small", "another"]


def test_the_process_is_left_as_it_was() -> None:
    def state() -> tuple[Any, ...]:
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        denormal = float((torch.tensor([1e-310], dtype=torch.float64) * 1).item())
        return (torch.get_num_threads(), torch.is_grad_enabled(), gc.isenabled(), cores,
                denormal, torch.get_rng_state().tolist())  # fmt: skip

    before = state()
    one(threads=1)
    one(threads=2)
    with pytest.raises(CostModelError, match="bind"):
        measure(cm.load("mobilenet_v1", width=cm.alpha), rounds=2)
    assert state() == before


def test_threads_are_as_many_as_pytorch_would_use() -> None:
    found = measure(small(), rounds=1)
    assert found.setting.threads == torch.get_num_threads()


def test_the_anchor_runs_beside_every_network() -> None:
    jobs = [Job(name, small()) for name in ("a", "b", "c")]
    rows = [*measure_all(jobs, setting_of("cpu", "float32", "nchw", "eager"), Plan(2))]
    anchors = [row.anchor for row in rows]
    assert len(set(anchors)) == 3
    assert all(0.1 < anchor / min(anchors) < 10 for anchor in anchors)


def test_with_more_threads_the_wall_tells() -> None:
    assert one(threads=2).clock == "wall"


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_number_formats_and_layouts_run(dtype: str) -> None:
    found = one(dtype=dtype, layout="channels_last", mode="folded", per_operator=True)
    assert (found.setting.dtype, found.setting.layout) == (dtype, "channels_last")
    kinds = {n.name: n.operator.kind for n in small().nodes}
    assert "batch_norm" not in {kinds[name] for name in found.operators}


@FEW
@given(bound_networks(most=2, more=8))
def test_folding_leaves_what_a_network_computes(net: Network) -> None:
    torch.manual_seed(0)
    module = cm.compile(net)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 2)
    x = torch.randn(input_size(net))
    with torch.no_grad():
        before = module(x)
        after = fold(module)(x)
    if isinstance(before, torch.Tensor):
        before, after = (before,), (after,)
    for was, now in zip(before, after, strict=True):
        torch.testing.assert_close(now, was, rtol=1e-3, atol=1e-3, equal_nan=True)


@FEW
@given(bound_networks(most=2, more=8))
def test_each_node_is_timed_once_in_order(net: Network) -> None:
    module = cm.compile(net)
    with torch.inference_mode():
        taken = run_steps(module, steps(module), torch.randn(input_size(net)))
    names = [n.name for n in net.nodes if n.inputs or n.operator.kind != "input"]
    assert list(taken) == names
    assert all(seconds >= 0 for seconds in taken.values())


class Halves(nn.Module):
    """A module of somebody else's: half of its channels go by."""

    def __init__(self) -> None:
        """Make its only layer."""
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run."""
        kept, other = self.conv(x).chunk(2, dim=1)
        return torch.cat([kept, other.relu()], dim=1)


def test_any_module_is_measured_and_its_trace_by_operators() -> None:
    found = measure(Halves(), resolution=24, rounds=2, per_operator=True, batch=2)
    assert (found.name, found.shape, found.batch) == ("Halves", (4, 24, 24), 2)
    assert "conv" in found.operators
    assert measure(Halves, input=(4, 8, 12), rounds=2).shape == (4, 8, 12)


def test_groups_take_turns_and_keep_the_jobs_order() -> None:
    jobs = [Job(f"net{number}", small) for number in range(5)]
    setting = setting_of("cpu", "float32", "nchw", "eager", 1)
    found = list(measure_all(jobs, setting, Plan(2, together=2)))
    assert [m.name for m in found] == [job.name for job in jobs]
    for one, other in (found[:2], found[2:4]):
        assert one.stamp == other.stamp


def test_a_stamp_says_where_and_with_what() -> None:
    found = one().stamp
    for name in (
        "date", "cpu", "isa", "cores", "threads", "memory_bytes", "system", "libc",
        "load", "load_after", "allocator", "versions", "torch",
    ):  # fmt: skip
        assert name in found
    assert found["versions"]["torch"] == found["torch"]["version"] == torch.__version__
    assert found["threads"] == found["torch"]["threads"] == 1
    assert json.loads(json.dumps(found)) == found
    assert stamps.cpu_model() in stamps.machine(found)
    private = (os.uname().nodename, str(Path.home()), str(Path.cwd()))
    assert not any(word in json.dumps(found) for word in private)


def test_page_faults_and_wide_halves_are_warned_of() -> None:
    found = replace(one(), faults=0.0, split_half=0.0)
    assert found.warnings == ()
    (faulty,) = replace(found, faults=2.0 * MANY_FAULTS).warnings
    assert f"{2 * MANY_FAULTS} page faults per run" in faulty
    (noisy,) = replace(found, split_half=0.2).warnings
    assert "halves of the rounds differ by 20.0%" in noisy


def program(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    command = [sys.executable, "-m", "costmodel", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


@pytest.mark.skipif(stamps.is_quiet({}), reason="the allocator is not glibc's")
def test_the_command_starts_again_with_an_allocator_that_keeps_its_memory() -> None:
    bare = {k: v for k, v in os.environ.items() if k not in stamps.ALLOCATOR}
    done = program("measure", "resnet20_cifar", "--rounds", "2", "--json", env=bare)
    assert done.returncode == 0
    assert "measuring: resnet20_cifar\n" in done.stderr
    assert "page faults" not in done.stderr  # of noise it may well warn
    (row,) = json.loads(done.stdout)["rows"]
    assert row["stamp"]["allocator"] == stamps.ALLOCATOR
    assert row["faults"] < MANY_FAULTS


def test_the_command_prints_a_table_and_the_slowest_operators() -> None:
    result = CliRunner().invoke(
        main, ["measure", "resnet20_cifar", "--rounds", "2", "--per-operator"]
    )
    assert result.exit_code == 0
    threads = torch.get_num_threads()
    for text in (
        f"cpu float32 nchw eager, {threads} thread",
        "1×3×32×32",
        "more",
        "the whole",
    ):
        assert text in result.stdout


NETS = [
    "lenet5",
    "resnet20_cifar",
    "resnet32_cifar",
    "resnet44_cifar",
    "resnet56_cifar",
]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    command = ["measure", *NETS, "--together", "1", "--rounds", "6", "-o", str(path)]
    with subprocess.Popen(
        [sys.executable, "-m", "costmodel", *command],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        limit = time.monotonic() + 120
        while len(read(path)) < 2 and time.monotonic() < limit:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    before = read(path)
    assert 2 <= len(before) < len(NETS)
    again = program(*command)
    assert again.returncode == 0
    said = f"{len(before)} measured before, {len(NETS) - len(before)} to go"
    assert said in again.stderr
    assert read(path)[: len(before)] == before
    assert [row["name"] for row in read(path)] == NETS
    assert all(name in again.stdout for name in NETS)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--mode", "graph"], 4, "mode graph is a CUDA graph; the device is cpu"),
        (["--device", "tpu"], 4, "device 'tpu' is none of cpu, cuda"),
        (["--dtype", "float12"], 4, "dtype 'float12' is none of"),
        (["--dtype", "int8"], 4, "dtype 'int8' cannot be run"),
        (["--layout", "nhwc"], 4, "layout 'nhwc' is none of nchw, channels_last"),
        (["--mode", "fast"], 4, "mode 'fast' is none of"),
        (["--mode", "compile", "--per-operator"], 4, "mode compile fuses operators"),
        (["--resolution", "S"], 4, "bind"),
        (["--batch", "0"], 2, "--batch"),
        (["--rounds", "1"], 2, "--rounds"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(
    arguments: list[str], code: int, said: str
) -> None:
    result = CliRunner().invoke(main, ["measure", "lenet5", *arguments])
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_without_a_cuda_device_that_is_said(mode: str) -> None:
    done = program("measure", "lenet5", "--device", "cuda", "--mode", mode)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(
        "costmodel: measure: device cuda: PyTorch sees no CUDA device here"
    )
    assert done.stderr.count("\n") == 1


def test_without_pytorch_that_is_said() -> None:
    code = ("import sys; sys.modules['torch'] = None; from costmodel.cli import main; "
            "main(['measure', 'lenet5'])")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "PyTorch" in done.stderr
    assert done.stderr.count("\n") == 1


@CUDA
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_gpu_is_measured_by_blocks_and_by_graphs(mode: str) -> None:
    found = one(device="cuda", mode=mode, per_operator=True)
    assert found.clock == {"eager": "wall", "graph": "events"}[mode]
    assert found.seconds > 0
    assert "name" in found.stamp["gpu"]
    assert sum(found.operators.values()) > 0
