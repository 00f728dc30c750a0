"""Tables that others measured: read, matched with networks, predicted family by family.

The tables themselves are not part of the repository: what needs them is skipped where
they are missing, and says so.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import costmodel as cm
from costmodel.bridge.model_zoo import timm_network_and_scalars, torchvision_network
from costmodel.errors import CostModelError
from costmodel.runtime.validate import timm_results
from costmodel.runtime.validate.class_regression import DEVIATION, ByClass
from costmodel.runtime.validate.metrics import summary
from costmodel.runtime.validate.timm_results import Entry, Timing
from tests import zoo
from tests.bridge.trace.chosen import spread
from tests.runtime import timm_table
from tests.runtime.timm_features import TABLE, counted


FOLDER = Path(__file__).parents[4] / "shared" / "timm"
GOOD = """model,infer_step_time,param_count,infer_img_size,infer_batch_size
a,10.5,1.2,224,256
a,21.0,1.2,288,256
b,"1,050.5",3.0,224,64
"""


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_found_in_any_order(tmp_path: Path) -> None:
    timings, problems = timm_results.read_timings(written(tmp_path, GOOD))
    assert problems == []
    assert timings == [
        Timing("a", 224, 256, 0.0105),
        Timing("a", 288, 256, 0.021),
        Timing("b", 224, 64, 1.0505),
    ]


def test_bad_lines_are_named_and_left_out(tmp_path: Path) -> None:
    bad = "c,fast,1,224,256\nd,1.0,1,224.5,256\na,3,1,224,256\n,3,1,224,1\n"
    bad += "e,0,1,9,9\nf\n"
    timings, problems = timm_results.read_timings(written(tmp_path, GOOD + bad))
    assert [timing.model for timing in timings] == ["a", "a", "b"]
    assert problems == [
        'table.csv, line 5: c: infer_step_time "fast" is no positive number',
        "table.csv, line 6: d: infer_img_size 224.5 is no whole number",
        "table.csv, line 7: a at 224: a second time",
        "table.csv, line 8: no model",
        'table.csv, line 9: e: infer_step_time "0" is no positive number',
        'table.csv, line 10: f: infer_img_size "" is no positive number',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column model, infer_img_size, .*; is it a table of timm's"),
        ("model,speed\na,1\n", r"Its columns are model, speed"),
        ("model\0,speed\na,1\n", r"Its columns are model\\x00, speed$"),
        ("model,infer_img_size,infer_batch_size,infer_step_time\n", "no line has a"),
        ("model,infer_img_size,infer_batch_size,infer_step_time\na,1,1,x\n",
         r'no line has a time; table.csv, line 2: a: infer_step_time "x"'),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        timm_results.read_timings(written(tmp_path, text))


def test_bytes_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CostModelError, match="is no text, and so no CSV"):
        timm_results.read_timings(path)


def tiny() -> Entry:
    return timm_results.entry(cm.load("resnet18"), "resnet", 64)


@pytest.mark.parametrize("name", ["totals.json", "totals.json.gz"])
def test_a_table_of_totals_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    one = tiny()
    table = {("b", 64): replace(one, totals=replace(one.totals, steps=())),
             ("a", 32): Entry("x", replace(one.totals, steps=(), macs=3))}  # fmt: skip
    timm_results.write_totals(tmp_path / name, table)
    assert timm_results.read_totals(tmp_path / name) == table
    content = (tmp_path / name).read_bytes()
    timm_results.write_totals(tmp_path / name, dict(reversed(table.items())))
    assert (tmp_path / name).read_bytes() == content


def packed(stream: bytes) -> bytes:
    """Return a gzip file of a stream that was altered."""
    return gzip.compress(b"", mtime=0)[:10] + stream


def altered(key: str, value: object) -> bytes:
    """Return a table of totals, where one of them is another value."""
    totals = {**tiny().totals.to_json(), key: value}
    row = {"name": "a", "resolution": 64, "family": "a", "totals": totals}
    return json.dumps({"schema": timm_results.SCHEMA, "networks": [row]}).encode()


@pytest.mark.parametrize("content", [
    b"{", b"[]", b'{"schema": "x"}', b"\x1f\x8b\x00", b"[" * 9000,
    packed(b"\7" * 20), packed(b"\x2b\x49\x2d" * 9), altered("roofs", 3),
    altered("roofs", {"a100": []}), altered("classes", {"conv": [1]}),
])  # fmt: skip
def test_what_is_no_table_of_totals_is_said(tmp_path: Path, content: bytes) -> None:
    for name in ("totals.json", "totals.json.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(CostModelError, match=re.escape(str(path))):
            timm_results.read_totals(path)


def test_cases_are_whole_batches_of_what_is_known() -> None:
    one = tiny()
    timings = [Timing("resnet18", 64, 8, 0.5), Timing("unknown", 64, 8, 0.5)]
    there = [Timing("resnet18", 64, 2, 0.25)]
    (case,) = timm_results.cases(timings, {("resnet18", 64): one}, there)
    assert (case.name, case.family, case.batch) == ("resnet18@64", "resnet", 8)
    assert case.totals == one.totals.batch(8)
    assert case.elsewhere == 1.0


def test_other_names_are_not_guessed() -> None:
    with pytest.raises(CostModelError, match='"resnet51" is no network of the regist'):
        timm_results.registered("resnet51")
    zoo.timm()
    with pytest.raises(CostModelError, match='timm has no network "resnet51"'):
        timm_network_and_scalars("resnet51")
    with pytest.raises(CostModelError, match='torchvision has no network "resnet51"'):
        torchvision_network("resnet51")


def test_transformers_are_left_to_others() -> None:
    zoo.timm()
    with pytest.raises(CostModelError, match="vit_tiny_patch16_224 is not convolut"):
        timm_results.entry_of(Timing("vit_tiny_patch16_224", 224, 8, 1.0))
    entry = timm_results.entry_of(Timing("resnet18", 224, 8, 1.0))
    assert (entry.family, entry.totals.macs) == ("resnet", 1_814_073_344)


@cache
def table() -> dict[timm_results.Key, Entry]:
    return timm_results.read_totals(TABLE)


def test_the_table_is_what_is_counted_now() -> None:
    zoo.timm()
    keys = [key for key in sorted(table()) if table()[key].totals.operators < 200]
    for model, size in spread(keys, 6):
        recounted = counted(model, [size])[model, size]
        entry = replace(recounted, totals=replace(recounted.totals, steps=()))
        assert table()[model, size] == entry


def folder() -> Path:
    """Return where timm's tables are, or skip: they are not part of the repository."""
    for name in timm_table.FILES.values():
        if not (FOLDER / name).exists():
            pytest.skip(f"{name} is not here: timm's results are not part of this")
    return FOLDER


STATED = {"RTX 3090": (0.075, 0.045), "RTX 4090": (0.072, 0.04)}
"""Mean and median error that the page states, with a little room for other BLAS."""


@pytest.mark.parametrize("device", STATED)
def test_each_family_is_predicted_from_all_others_as_stated(device: str) -> None:
    found = timm_table.validated(folder(), device)
    figures = {score.name: score.summary for score in found.scores}
    ours, *others = figures
    mean, median = STATED[device]
    assert figures[ours].count >= 800
    assert figures[ours].mape <= mean
    assert figures[ours].median <= median
    assert figures[ours].tau >= 0.93
    others.remove("another device × scalar")  # a measurement, and no model
    for name in others:
        assert figures[name].mape > figures[ours].mape
        assert figures[name].tau < figures[ours].tau
    assert found.refused == {}


def test_without_a_prior_a_family_of_its_own_explodes() -> None:
    path = folder() / timm_table.FILES["RTX 3090"]
    cases = timm_results.cases(timm_results.read_timings(path)[0], table())
    alone = [case for case in cases if case.family == "convnext"]
    rest = [case for case in cases if case.family != "convnext"]
    off = {
        deviation: summary(
            list(map(ByClass(deviation=deviation).fit(rest), alone)),
            [case.seconds for case in alone],
        ).mape
        for deviation in (DEVIATION, 1e6)
    }
    assert off[DEVIATION] < 0.3
    assert off[1e6] > 1


def test_the_page_says_what_comes_out() -> None:
    page = timm_table.PAGE.read_text(encoding="utf-8")
    _, mark, tables = page.partition(timm_table.MARK)
    assert mark
    wanted = "\n".join(timm_table.lines(folder())).split()
    numbers = re.compile(r"[-+]?\d+\.?\d*")
    # The last digit may be another one on another processor.
    for ours, said in zip(wanted, tables.split(), strict=True):
        assert numbers.sub("", ours) == numbers.sub("", said)
        for one, other in zip(numbers.findall(ours), numbers.findall(said)):
            assert float(one) == pytest.approx(float(other), abs=1, rel=0.02)
