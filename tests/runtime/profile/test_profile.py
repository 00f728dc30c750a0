"""Device profiles: written and read back, shipped or a user's, refused when broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.kernels.kernel import NUMBERS as NAMES
from costmodel.runtime.profile import (
    FEATURES,
    Coefficients,
    LeftOut,
    Profile,
    load_profile,
    profiles,
)
from costmodel.runtime.setting import Setting
from tests.runtime.devices import made_up


NUMBERS = st.floats(1e-15, 1e-3, allow_nan=False)


SHARES = st.floats(0, 2)


def drawn_classes(depth: int = 2) -> st.SearchStrategy[Coefficients]:
    """Draw a class, whole or in parts."""
    whole = st.builds(
        Coefficients, NUMBERS, NUMBERS, NUMBERS, NUMBERS, SHARES, st.integers(1, 999)
    )
    if not depth:
        return whole
    part = drawn_classes(depth - 1)
    split = st.builds(
        replace, whole, split=st.sampled_from(NAMES), limit=st.integers(0, 10**9),
        parts=st.tuples(part, part),
    )  # fmt: skip
    return whole | split


LEFT_OUTS = st.none() | st.builds(
    LeftOut, st.integers(8, 99), SHARES, SHARES, st.floats(0, 1),
    st.dictionaries(st.sampled_from(sorted(KINDS)), st.tuples(SHARES, SHARES)),
    st.dictionaries(st.text(), SHARES),
)  # fmt: skip


@st.composite
def drawn_profiles(draw: st.DrawFn) -> Profile:
    """Draw a profile of any classes."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, unique=True))
    bounds = st.tuples(st.integers(0, 9), st.integers(10, 10**12))
    return Profile(
        name=draw(st.text()),
        setting=Setting(threads=draw(st.integers(1, 9)), lanes=draw(st.integers(1, 9))),
        coefficients={kind: draw(drawn_classes()) for kind in kinds},
        box={kind: {f: draw(bounds) for f in FEATURES} for kind in kinds},
        overhead=draw(st.floats(0.5, 2)), between=draw(st.floats(0, 1e-3)),
        margin=draw(st.floats(1, 2)), left_out=draw(LEFT_OUTS),
        peak_flop_per_s=draw(st.floats(0, 1e15)),
        stamp={"cpu": draw(st.text())}, versions={"torch": "2.13"},
        date="2026-11-26", notes=tuple(draw(st.lists(st.text(), max_size=3))),
    )  # fmt: skip


@given(drawn_profiles())
def test_a_profile_reads_back_as_it_was_written(profile: Profile) -> None:
    assert Profile.from_json(profile.to_json()) == profile


def test_a_users_file_is_a_profile(tmp_path: Path) -> None:
    path, profile = tmp_path / "mine.json", made_up()
    path.write_text(profile.to_json(), encoding="utf-8")
    assert load_profile(path) == load_profile(str(path)) == profile
    assert load_profile(profile) is profile


def test_shipped_profiles_are_found_by_their_names() -> None:
    for name, profile in profiles().items():
        assert load_profile(name) == profile
        assert profile.name == name
        assert profile.date
        assert profile.versions
        assert profile.stamp
        for kind, found in profile.coefficients.items():
            assert found.samples > 0
            assert kind in profile.box


def test_a_baseline_that_is_better_is_named() -> None:
    found = LeftOut(88, 0.1, 0.05, 0.8, {}, {"FLOPs": 0.4, "a line": 0.09})
    assert found.better == {"a line": 0.09}


@pytest.mark.parametrize(
    ("split", "parts"), [("window", 1), ("", 2), ("colour", 2), ("window", 0)]
)
def test_half_a_split_is_refused(split: str, parts: int) -> None:
    whole = Coefficients(1, 1, 1, 1)
    with pytest.raises(cm.CostModelError, match="a class is in two parts, by one of"):
        replace(whole, split=split, parts=(whole,) * parts)


@pytest.mark.parametrize(
    ("problem", "change"),
    [
        ("no class has coefficients", {"coefficients": {}}),
        ("unknown class hammer; was it made by a later version",
         {"coefficients": {"hammer": Coefficients(1, 1, 1, 1)}}),
        ("overhead 0", {"overhead": 0}),
        ("overhead nan", {"overhead": float("nan")}),
        ("between -1", {"between": -1}),
        ("margin 0.9", {"margin": 0.9}),
    ],
)  # fmt: skip
def test_a_profile_that_is_none_is_refused(
    problem: str, change: dict[str, object]
) -> None:
    with pytest.raises(cm.CostModelError, match=problem):
        replace(made_up(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("problem", "values"),
    [
        ("none may be negative, nor all be 0", (-1, 0, 0, 1)),
        ("none may be negative, nor all be 0", (0, 0, 0, 0)),
        ("not all are numbers", (float("inf"), 0, 0, 1)),
    ],
)
def test_coefficients_that_are_no_times_are_refused(
    problem: str, values: tuple[float, ...]
) -> None:
    with pytest.raises(cm.CostModelError, match=problem):
        Coefficients(*values)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("mine: no JSON", "{"),
        ("mine: schema None is not costmodel.profile/2", "[]"),
        ("mine: schema None is not costmodel.profile/2", "{}"),
        ("mine: schema 'costmodel.profile/0' is not",
         '{"schema": "costmodel.profile/0"}'),
        ("a profile of an earlier version is made anew by costmodel calibrate --refit",
         '{"schema": "costmodel.profile/1"}'),
        ("mine: profile: field 'name' is missing",
         '{"schema": "costmodel.profile/2"}'),
    ],
)  # fmt: skip
def test_a_text_that_is_no_profile_is_refused(problem: str, text: str) -> None:
    with pytest.raises(cm.CostModelError, match=problem):
        Profile.from_json(text, "mine")


@pytest.mark.parametrize(
    "path",
    [("overhead",), ("between",), ("margin",), ("box",), ("setting", "lanes"),
     ("setting", "threads")],
    ids="/".join,
)  # fmt: skip
def test_what_changes_predictions_cannot_be_missing(path: tuple[str, ...]) -> None:
    document = json.loads(made_up().to_json())
    assert Profile.from_json(json.dumps(document)) == made_up()
    place = document
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    with pytest.raises(cm.CostModelError, match=f"field '{path[-1]}' is missing"):
        Profile.from_json(json.dumps(document))


@pytest.mark.parametrize("anchor", [-5, 0, "abc", [1], True, 1e300])
def test_an_anchor_that_is_no_time_is_refused(anchor: object) -> None:
    document = json.loads(made_up().to_json()) | {"stamp": {"anchor": anchor}}
    with pytest.raises(cm.CostModelError, match="anchor"):
        Profile.from_json(json.dumps(document))


@pytest.mark.parametrize("junk", [None, 3, "x", [1], {"conv": {"work": "much"}}])
@pytest.mark.parametrize("field", ["setting", "coefficients"])
def test_junk_inside_a_profile_is_an_error_of_ours(field: str, junk: object) -> None:
    document = json.loads(made_up().to_json())
    document[field] = junk
    with pytest.raises(cm.CostModelError, match=r"^mine: "):
        Profile.from_json(json.dumps(document), "mine")


def test_a_name_that_is_no_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(cm.CostModelError, match='no device profile "h300"; '):
        load_profile("h300")
    with pytest.raises(cm.CostModelError, match="No such file"):
        load_profile(tmp_path / "none.json")
