"""Files damaged byte by byte and strange words: an answer or one line, by any reader.

Other laws alter what a file says and leave its form alone: ``test_bad_input.py``,
``network/test_messages.py``, ``bridge/test_damaged_onnx.py``.
"""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import click
import onnx
import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.bridge import onnx as onnx_files
from costmodel.cli import main
from costmodel.runtime.profile import load_profile
from costmodel.runtime.validate import timm_results
from costmodel.runtime.validate.cases import measurements
from tests.bridge.test_damaged_onnx import NODES, WEIGHTS
from tests.bridge.test_onnx import written
from tests.cli.test_cli import run
from tests.runtime.validate.test_timm_results import GOOD, tiny
from tests.test_bad_input import NET, ROW, answered, small_document


def any_network(net: cm.Network) -> None:
    """Ask what is asked of any network that a file holds."""
    assert cm.Network.from_json(net.to_json()) == net
    assert str(net)
    for query in (cm.cost, cm.memory, cm.input_sizes):
        answered(lambda: query(net))  # noqa: B023 - asked at once


def totals(where: Path) -> bytes:
    timm_results.write_totals(where, {("a", 64): tiny()})
    return where.read_bytes()


READERS: dict[str, tuple[str, Callable[[Path], bytes], Callable[[Path], Any]]] = {
    "network JSON": (
        "net.json",
        lambda _: json.dumps(small_document()).encode(),
        lambda path: any_network(cm.load(str(path))),
    ),
    "ONNX file": (
        "net.onnx",
        lambda path: written(
            path.parent, NODES, ("N", 3, "H", "W"), weights=WEIGHTS
        ).read_bytes(),
        lambda path: any_network(onnx_files.read(path)),
    ),
    "profile": (
        "mine.json",
        lambda _: next(iter(cm.profiles().values())).to_json().encode(),
        lambda path: cm.predict(NET, load_profile(path)),
    ),
    "measurements": (
        "rows.jsonl",
        lambda _: b"".join(
            json.dumps({**ROW, "batch": batch}).encode() + b"\n" for batch in (1, 2)
        ),
        measurements,
    ),
    "timm's results": ("t.csv", lambda _: GOOD.encode(), timm_results.read_timings),
    "table of totals": ("t.json", totals, timm_results.read_totals),
    "packed table of totals": ("t.json.gz", totals, timm_results.read_totals),
}


@cache
def original(kind: str, folder: Path) -> bytes:
    name, write, _ = READERS[kind]
    return write(folder / name)


TOKENS = st.sampled_from([
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b"{", b"}", b"[]", b",",
    b"null", b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"9" * 30, b"9" * 5000,
    b"true", b'"x"', b"\\ud800", b'"\\ud800"', b"[" * 3000, "\u2028\u202e".encode(),
])  # fmt: skip


def damaged(data: st.DataObject, content: bytes) -> bytes:
    """Cut, repeat or overwrite some stretches of a file."""
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from([0, 1, 2, 5, 20, len(content)]))
        new = data.draw(
            TOKENS | st.binary(max_size=4) | st.just(content[start:end] * 2)
        )
        content = content[:start] + new + content[end:]
    return content


@pytest.mark.parametrize("kind", READERS)
def test_the_files_themselves_are_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / READERS[kind][0]
    path.write_bytes(READERS[kind][1](path))
    READERS[kind][2](path)


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.malformed(k)) for k in READERS]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(
    kind: str, tmp_path: Path, data: st.DataObject
) -> None:
    content = original(kind, tmp_path)
    if kind.startswith("packed") and data.draw(st.booleans()):
        content = gzip.compress(damaged(data, gzip.decompress(content)))
    else:
        content = damaged(data, content)
    path = tmp_path / READERS[kind][0]
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answered(lambda: READERS[kind][2](path))


@pytest.mark.malformed("ONNX file")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_are_no_onnx_file_or_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    whole = onnx.ModelProto()
    path.write_bytes(whole.SerializeToString() + content)
    answered(lambda: onnx_files.read(path))


COMMANDS = [
    command
    for name, command in main.commands.items()  # these write, take long, or trace
    if name not in {"measure", "calibrate", "report", "validate", "verify", "list"}
]
NAMES = st.sampled_from([
    "lenet5", "lenet5", "lenet5", "alexnet", "lenet", "", "-", "x.onnx", "x.json", ".",
    "a:b", "tests.zoo:nothing", "no.py:f", "\ud800", "a\nb", "é", "0", "--", "lenet5 ",
])  # fmt: skip
SIZES = ["32", "33", "H", "2*H", "H/2", "N", "M", "0", "-1", "1e3", "3x32x32", "H+W"]
WORDS = st.sampled_from([
    *SIZES, *SIZES, "", " ", "x", "macs", "parameters", "memory", "seconds", "1,2",
    "9" * 30, "1/0", "nan", "inf", "1e400", "2**9999", "((", "a=b", "width=2", "=",
    "resolution=H", "batch=0", "batch=N", "classes=-3", "float16", "int8", "3x3", "x3",
    "1GB", "1 GiB", "5%", "all", "none", "conv1", "c1", "c1.*", "*", "a\nb", "\ud800",
    "É", "H=32,W=32", "H=W", "N=1", "cpu", "M<=3", "lambda: 0", "__import__('os')",
])  # fmt: skip


@st.composite
def arguments(draw: st.DrawFn) -> list[str]:
    """Draw a command with some of its options, most of them with strange values."""
    command = draw(st.sampled_from(COMMANDS))
    found = [str(command.name)]
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            found.append(draw(NAMES))
        elif draw(st.integers(0, 9)) < (8 if parameter.required else 3):
            found.append(draw(st.sampled_from(parameter.opts)))
            if not getattr(parameter, "is_flag", False):
                choices = getattr(parameter.type, "choices", ())
                usual = [str(choice) for choice in choices] or SIZES
                found.append(draw(st.sampled_from(usual) | WORDS))
    return found


@pytest.mark.malformed("command line")
@given(arguments())
@example(["field", "lenet5", "--set", "resolution=H", "--resolution", "32"])
@example(["show", "lenet5", "--set", "batch=N"])
@example(["show", "lenet5", "--set", "name=N"])
def test_any_words_are_answered_or_refused(words: list[str]) -> None:
    result = run(*words)
    note(result.output)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    assert result.exit_code in {0, 1, 2, 4}
    if result.exit_code == 4 and "--traceback" not in words:
        *_, last = result.stderr.splitlines()
        assert last.startswith("costmodel: ")
    assert "Traceback" not in result.output or "--traceback" in words
