"""Files of results: what was written is read back, whatever stopped the writer."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostModelError
from costmodel.runtime.measure.jsonl import append, done, read, write_whole


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.integers(), st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)
)
ROWS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), max_size=5)


@given(rows=ROWS)
def test_what_was_appended_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    for row in rows:
        append(path, row)
    assert rows == read(path)


@given(rows=ROWS.filter(bool), data=st.data())
def test_a_torn_last_line_costs_that_row_alone(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    for row in rows:
        append(path, row)
    content = path.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    kept = data.draw(st.integers(last, len(content)))
    path.write_bytes(content[:kept])
    whole = rows if kept >= len(content) - 1 else rows[:-1]
    assert whole == read(path)
    append(path, {"after": 1})
    assert [*whole, {"after": 1}] == read(path)


@pytest.mark.parametrize("line", ['{"a":', "[" * 9000])
def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"a":1}}\n{line}\n{{"a":3}}\n', encoding="utf-8")
    with pytest.raises(CostModelError, match=r"rows\.jsonl, line 2: is no JSON object"):
        read(path)


def test_a_file_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path / "rows.jsonl") == []


def test_a_number_that_is_none_is_refused_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with pytest.raises(ValueError, match="JSON"):
        append(path, {"seconds": float("nan")})
    assert read(path) == []


def test_the_last_of_several_rows_counts() -> None:
    rows = [{"n": 1, "t": 1}, {"n": 2, "t": 2}, {"n": 1, "t": 3}]
    assert done(rows, lambda row: row["n"]) == {1: rows[2], 2: rows[1]}


WRITER = """
import sys
from costmodel.runtime.measure.jsonl import append
for number in range(10**6):
    append(sys.argv[1], {"number": number, "filling": "x" * 5000})
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 20:
                writer.kill()
                break
        said = [int(line), *(int(more) for more in writer.stdout if more.strip())]
    numbers = [row["number"] for row in read(path)]
    assert numbers[: said[-1] + 1] == list(range(said[-1] + 1))
    append(path, {"number": -1})
    assert read(path)[-1] == {"number": -1}


def test_a_file_is_written_whole_or_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    write_whole(path, json.dumps({"a": 1}))
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800")
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["profile.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files there")
@given(
    st.sampled_from([None, b"", b'{"n":1}\n', b'{"n":1}\n{"n":2}\n{"n']),
    st.integers(0, 12),
)
def test_a_row_that_does_not_fit_on_the_disk_leaves_the_rows_before_it(
    tmp_path_factory: pytest.TempPathFactory, before: bytes | None, room: int
) -> None:
    import resource

    path = tmp_path_factory.mktemp("full") / "rows.jsonl"
    if before is not None:
        path.write_bytes(before)
    rows = read(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    most = before.rfind(b"\n") + 1 if before else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (most + room, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            append(path, {"name": "lenet5"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.exists() == (before is not None)
    assert read(path) == rows
    append(path, {"n": 3})
    assert read(path) == [*rows, {"n": 3}]


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n": 1}\n{"n": 2}\n'))
    assert read(path) == [{"n": 1}, {"n": 2}]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CostModelError, match=r"rows.jsonl.gz: is no gzip file: "):
        read(path)
