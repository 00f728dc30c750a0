"""A calibration as a process, which is killed and goes on; it times for a while."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

import costmodel as cm
from costmodel.runtime.calibrate import Draw
from costmodel.runtime.measure.prepare import Job
from costmodel.runtime.profile import load_profile
from tests.runtime import on_device


SMALL = ("--networks", "2", "--seed", "6", "--sittings", "2", "--rounds", "2")


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_calibration_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    output = tmp_path / "cpu.json"
    rows = output.with_suffix(".jsonl")
    command = [
        sys.executable,
        "-m",
        "costmodel",
        "calibrate",
        "-o",
        str(output),
        *SMALL,
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while len(_lines(rows)) < 1:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    before = _lines(rows)
    assert not output.exists()
    with rows.open("ab") as file:
        file.write(b'{"schema": "costm')  # torn, as a kill while writing leaves it
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True,
                           check=True)  # fmt: skip
    after = [json.loads(line) for line in _lines(rows)]
    assert _lines(rows)[: len(before)] == before
    names = [net.name for net in Draw(networks=2, seed=6).all()]
    measured = sorted((row["name"], row["sitting"]) for row in after)
    assert measured == sorted((name, sitting) for name in names for sitting in (0, 1))
    document = json.loads(ended.stdout)
    assert document["schema"] == "costmodel.calibrate/2"
    (document,) = document["profiles"]
    profile = load_profile(output)
    assert document["classes"].keys() == profile.coefficients.keys()
    assert profile.stamp["allocator"]["MALLOC_TRIM_THRESHOLD_"]
    subprocess.run([*command, "--refit"], capture_output=True, check=True)
    again = load_profile(output)
    assert again.coefficients.keys() == profile.coefficients.keys()
    assert (again.stamp, again.box) == (profile.stamp, profile.box)
    assert again.overhead == pytest.approx(profile.overhead)


def test_each_setting_is_a_profile_and_all_of_them_end_in_time(tmp_path: Path) -> None:
    output, started = tmp_path / "cpu.json", time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "costmodel", "calibrate", "-o", str(output),
         "--layout", "nchw,channels_last", "--mode", "eager,folded", "--threads", "1",
         "--minutes", "0.5", "--rounds", "1"],
        capture_output=True, check=True,
    )  # fmt: skip
    # A bound ends no group of networks half-way; without one it is half an hour.
    assert time.monotonic() - started < 300
    settings = set()
    for layout, mode in product(("nchw", "channels_last"), ("eager", "folded")):
        file = output.with_stem(f"cpu-{layout}-{mode}")
        found = load_profile(file)
        assert (found.name, found.setting.threads) == (file.stem, 1)
        settings.add((found.setting.layout, found.setting.mode))
        assert 8 <= len(_lines(file.with_suffix(".jsonl"))) < Draw().networks
    assert len(settings) == 4


def test_a_device_that_is_borrowed_is_calibrated_and_judged_at_once(
    tmp_path: Path,
) -> None:
    jobs = [Job(name, cm.load(name, resolution=side, batch=batch), batch, is_whole=True)
            for name, side in (("lenet5", 32), ("resnet20_cifar", 32), ("alexnet", 227))
            for batch in on_device.BATCHES["cpu"]]  # fmt: skip
    draw = Draw(networks=11, sittings=1, rounds=1)
    (found,) = on_device.run("cpu", tmp_path, 60, draw, jobs)
    stem = "cpu-float32-nchw-eager"
    files = [f"{stem}.json", f"{stem}.jsonl", f"{stem}-published.jsonl", "judged.json"]
    assert {file.name for file in tmp_path.iterdir()} == {*files}
    assert len(found["rows"]) == len(jobs)
    assert load_profile(tmp_path / f"{stem}.json").left_out
    before = (tmp_path / files[2]).read_bytes()
    (again,) = on_device.run("cpu", tmp_path, 60, draw, jobs)
    assert (tmp_path / files[2]).read_bytes() == before  # none is measured twice
    assert again["rows"] == found["rows"]


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []
