"""A calibration as a process, which is killed and goes on; it times for a while."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from costmodel.runtime.calibrate import Draw
from costmodel.runtime.profile import load_profile


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
    assert document["schema"] == "costmodel.calibrate/1"
    profile = load_profile(output)
    assert document["classes"].keys() == profile.coefficients.keys()
    assert profile.stamp["allocator"]["MALLOC_TRIM_THRESHOLD_"]
    subprocess.run([*command, "--refit"], capture_output=True, check=True)
    again = load_profile(output)
    assert again.coefficients.keys() == profile.coefficients.keys()
    assert (again.stamp, again.box) == (profile.stamp, profile.box)
    assert again.overhead == pytest.approx(profile.overhead)


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []
