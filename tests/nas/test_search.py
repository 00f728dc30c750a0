"""Searches: exact fronts, no evaluation twice, the same set however it is shared."""

from __future__ import annotations

import csv
import gzip
import json
from functools import cache
from itertools import product
from pathlib import Path
from random import Random

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel as cm
from costmodel.nas import ENGINES, Found
from costmodel.nas.front import front, hypervolume
from costmodel.nas.objectives import constraints
from costmodel.nas.spaces.space import Space
from costmodel.network.graph import Network


TABLE = (
    Path(__file__).parents[2].parent
    / "shared/reference/nb201_accuracy_12_epochs.csv.gz"
)
LATENCY = TABLE.with_name("nb201_latency.csv.gz")

vectors = st.integers(1, 3).flatmap(
    lambda size: st.lists(
        st.tuples(*[st.integers(0, 5)] * size), min_size=1, max_size=9
    )
)


@given(vectors)
def test_a_front_dominates_what_it_says_and_nothing_dominates_it(
    values: list[tuple[int, ...]],
) -> None:
    found = [values[number] for number in front(values)]
    best = {
        v for v in values
        if not any(w != v and all(a <= b for a, b in zip(w, v)) for w in values)
    }  # fmt: skip
    assert found == sorted(best)
    reference = (6,) * len(values[0])
    corners = product(range(6), repeat=len(reference))
    dominated = sum(
        any(all(a <= b for a, b in zip(v, corner)) for v in values)
        for corner in corners
    )
    assert hypervolume(values, reference) == dominated


def cells() -> Space:
    return cm.space("nasbench201", dataset="imagenet16", cells=1)


def latency(network: Network) -> float:
    """Seconds that some device might take, of the whole graph."""
    return 1e-6 * len(network.nodes) + 1e-12 * cm.cost(network).macs


def values_of(found: Found) -> list[tuple[float, ...]]:
    return [one.values for one in found.front]


@cache
def widths_of(dataset: str) -> Space:
    return cm.space("nats_size", widths=(8, 12, 16), dataset=dataset)


@given(
    st.sampled_from(["cifar10", "imagenet16"]),
    st.permutations(["macs", "parameters", "activations"]),
    st.integers(0, 2**32),
    st.sampled_from([">=", "<="]),
)
@settings(max_examples=20)
def test_branch_and_bound_finds_the_front_of_all_points(
    dataset: str, metrics: list[str], seed: int, sign: str
) -> None:
    space = widths_of(dataset)
    (some,) = space.cost(space.sample(seed), metrics[2:])
    limit = f"{metrics[2]} {sign} {some}"
    given_ = {"minimize": metrics[0], "maximize": metrics[1], "constraints": limit}
    bounded = cm.search(space, engine="branch-and-bound", **given_)
    everything = cm.search(space, engine="exhaustive", **given_)
    assert values_of(bounded) == values_of(everything)
    assert len(everything.evaluations) + everything.rejected == space.size()


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "branch-and-bound"])
def test_engines_evaluate_no_network_twice_and_repeat_a_seed(engine: str) -> None:
    if engine.startswith("optuna"):
        pytest.importorskip("optuna")
    given_ = {"minimize": ["macs", "parameters"], "maximize": "activations",
              "engine": engine, "evaluations": 60, "seed": 5,
              "constraints": "macs <= 20M"}  # fmt: skip
    one, other = (cm.search(cells(), **given_) for _ in range(2))
    assert one.evaluations == other.evaluations
    keys = [e.key for e in one.evaluations]
    assert len(set(keys)) == len(keys) == 60
    assert all(e.values[0] <= 20_000_000 for e in one.evaluations)
    points = [e.point for e in one.evaluations]
    expected = one.space.costs(points, ["macs", "parameters", "activations"])
    for number, e in enumerate(one.evaluations):
        assert e.values == tuple(int(column[number]) for column in expected.values())


def test_cells_that_are_graphs_are_searched_too() -> None:
    space = cm.space("nasbench101", vertices=5)
    found = cm.search(space, minimize="macs", maximize="parameters", evaluations=200)
    assert found.header["engine"] == "evolution"
    everything = cm.search(space, minimize="macs", maximize="parameters")
    assert len(everything.evaluations) == 2_532
    worst = (max(e.values[0] for e in everything.evaluations) + 1, 0)
    assert found.hypervolume(worst) > 0.9 * everything.hypervolume(worst)


@pytest.mark.skipif(not TABLE.exists(), reason="the table is not part of this")
def test_evolution_nearly_finds_the_front_of_a_measured_table() -> None:
    """Share of the true hypervolume: at 1,000 evaluations and at every hundred."""
    space = cm.space("nasbench201")
    accuracy = column(TABLE, space, "c10_valid")
    given_ = {"minimize": "macs", "maximize": {"accuracy": accuracy}}
    everything = cm.search(space, evaluations=15_625, **given_)
    assert everything.header["engine"] == "exhaustive"
    assert len(everything.front) == 17
    assert everything.front[-1].values == (153_272_960, 84.892)
    worst = (153_272_961, min(accuracy.values()))
    whole = everything.hypervolume(worst)
    marks = range(100, 1001, 100)
    shares = {
        engine: [
            [found.hypervolume(worst, mark) / whole for mark in marks]
            for found in (
                cm.search(space, engine=engine, evaluations=1000, seed=seed, **given_)
                for seed in range(10)
            )
        ]
        for engine in ("evolution", "random")
    }
    means = {
        engine: [sum(column) / 10 for column in zip(*rows)]
        for engine, rows in shares.items()
    }
    assert means["evolution"][-1] >= 0.999
    pairs = zip(means["evolution"], means["random"])
    assert all(evolved > drawn for evolved, drawn in pairs)


@pytest.mark.skipif(
    not (TABLE.exists() and LATENCY.exists()), reason="the tables are not part of this"
)
@pytest.mark.parametrize(
    ("device", "share"), [("samsung_s7", 0.98), ("1080ti_1", 0.99)]
)
def test_a_search_by_predicted_seconds_finds_most_of_the_true_front(
    device: str, share: float
) -> None:
    """Times of 100 cells are known to the search; all others judge what it found."""
    space = cm.space("nasbench201")
    accuracy = column(TABLE, space, "c10_valid")
    seconds = column(LATENCY, space, device)
    fitted = cm.fit(space, seconds, count=100, seed=0)
    found = cm.search(
        space, minimize={"predicted": fitted.table()}, maximize={"accuracy": accuracy},
        evaluations=1000,
    )  # fmt: skip
    worst = (max(seconds.values()), -min(accuracy.values()))
    true = [(seconds[text], -accuracy[text]) for text in seconds]
    chosen = [(seconds[e.text], -accuracy[e.text]) for e in found.front]
    assert hypervolume(chosen, worst) >= share * hypervolume(true, worst)


def column(path: Path, space: Space, name: str) -> dict[str, float]:
    """Return a column of a table by the text of its cells, or their digits."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        arch = row["arch"]
        point = tuple(map(int, arch)) if arch.isdigit() else space.point(arch)
        found[space.text(point)] = float(row[name])
    return found


def test_a_journal_cut_at_any_byte_loses_nothing_that_was_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    given_ = {"minimize": "layers", "maximize": {"latency": latency},
              "engine": "random", "evaluations": 12}  # fmt: skip
    space = cm.space("nats_size", widths=(8, 16))
    whole = cm.search(space, journal=path, **given_)
    text = path.read_bytes()
    assert len(text.splitlines()) == 13
    random = Random(0)  # noqa: S311
    for size in [0, 1, len(text) - 1, *(random.randrange(len(text)) for _ in range(6))]:
        path.write_bytes(text[:size])
        asked: list[str] = []

        def counted(network: Network, asked: list[str] = asked) -> float:
            asked.append(network.name)
            return latency(network)

        counted.__qualname__, counted.__module__ = latency.__qualname__, __name__
        again = cm.search(
            space, journal=path, **{**given_, "maximize": {"latency": counted}}
        )
        assert again.evaluations == whole.evaluations
        kept = max(text[:size].count(b"\n") - 1, 0)
        assert 12 - kept - 1 <= len(asked) <= 12 - kept
        assert path.read_bytes().rstrip() == text.rstrip()


def test_a_journal_of_another_search_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    space = cm.space("nats_size", widths=(8, 16))
    cm.search(space, minimize="macs", journal=path)
    text = path.read_bytes()
    for given_, what in (
        ({"minimize": "parameters"}, "objectives"),
        ({"minimize": "macs", "seed": 1}, "seed"),
    ):  # fmt: skip
        with pytest.raises(cm.CostModelError, match=f"of another search: {what}"):
            cm.search(space, journal=path, **given_)
    assert path.read_bytes() == text
    path.write_text('{"a": 1}\n')
    with pytest.raises(cm.CostModelError, match="no journal of a search"):
        cm.search(space, minimize="macs", journal=path)
    lines = text.splitlines(keepends=True)
    for value in (b'"a"', b"NaN", b"-Infinity", b"true"):
        row = b'{"key": "0", "values": [' + value + b"]}\n"
        path.write_bytes(b"".join([*lines[:2], row]))
        with pytest.raises(cm.CostModelError, match="line 3: is no evaluation"):
            cm.search(space, minimize="macs", journal=path)


def test_an_objective_that_fails_says_where_and_the_journal_stays(
    tmp_path: Path,
) -> None:
    space = cm.space("nats_size", widths=(8, 16))
    path = tmp_path / "journal.jsonl"
    calls: list[int] = []

    def failing(network: Network) -> float:
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError(f"no {network.name} today")
        return float(len(calls))

    with pytest.raises(
        cm.CostModelError,
        match=r'"score" at .*: fails with RuntimeError: no nats_size today|"score" at',
    ):
        cm.search(space, maximize={"score": failing}, engine="random", journal=path)
    assert len(path.read_text().splitlines()) == 4
    for value in (float("nan"), float("inf"), "much", None, True):
        with pytest.raises(cm.CostModelError, match=r"not a finite number|fails with"):
            cm.search(space, maximize={"score": lambda _, v=value: v})
    with pytest.raises(cm.CostModelError, match="no row for "):
        cm.search(space, maximize={"score": {"8:8": 1.0}})


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "nothing to minimize"),
        ({"minimize": 3}, "names no objective"),
        ({"minimize": "macs", "constraints": 5}, "is no text"),
        ({"minimize": "mac"}, 'unknown metric "mac".*did you mean macs'),
        ({"minimize": "flops:fvcor"}, "did you mean flops:fvcore"),
        ({"minimize": "proxy:accuracy"}, "unknown proxy"),
        ({"minimize": "macs", "maximize": "macs"}, "given twice"),
        ({"minimize": "macs", "engine": "nsga2"}, "known are exhaustive.*optuna:nsga2"),
        ({"minimize": {3: "macs"}}, "3 is no objective's name"),
        ({"minimize": "macs", "journal": 3}, "journal 3 is no file's path"),
        ({"minimize": "macs", "journal": "/"}, "/: is a folder"),
        ({"minimize": "macs", "scheduler": 5}, "scheduler 5 is no address"),
        ({"minimize": {"x": lambda _: 10**400}}, "not a finite number"),
        ({"minimize": "macs", "constraints": {"macs": (1, 2, 3)}}, r"\(low, high\)"),
        ({"minimize": "macs", "constraints": {"macs": "5 apples"}}, "macs 5 apples"),
        ({"minimize": "macs", "constraints": {"macs": cm.H}}, "macs H is no number"),
        ({"minimize": "macs", "constraints": {7: 9}}, "7 is no metric's name"),
        ({"minimize": "macs", "evaluations": 0}, "no whole number from 1"),
        ({"minimize": "macs", "seed": -1}, "no whole number from 0"),
        ({"minimize": "macs", "level": "cell"}, "unknown level"),
        ({"minimize": "macs", "jobs": 0}, "no whole number from 1"),
        ({"minimize": "macs", "constraints": "macs < 5"}, "is not like"),
        ({"minimize": "macs", "constraints": "macs <= many"}, "is not like"),
        ({"minimize": "macs", "constraints": "mac <= 5"}, "unknown metric"),
        ({"minimize": "macs", "constraints": "9 <= macs <= 5"}, "nothing is within"),
        ({"minimize": "macs", "constraints": "macs <= 5"}, "none of 32 points"),
        ({"minimize": "layers", "engine": "branch-and-bound"}, "sums over choices"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_said(
    given_: dict[str, object], message: str
) -> None:
    space = cm.space("nats_size", widths=(8, 16))
    with pytest.raises(cm.CostModelError, match=message):
        cm.search(space, **given_)  # type: ignore[arg-type]


def test_what_is_measured_may_have_a_limit_too() -> None:
    space = cm.space("nats_size", widths=(8, 16))
    table = {space.text(p): float(sum(p)) for p in space.enumerate()}
    found = cm.search(
        space, minimize="macs", maximize={"score": table}, constraints="score <= 2"
    )
    kept = [text for text, value in table.items() if value <= 2]
    assert sorted(e.text for e in found.evaluations) == sorted(kept)
    assert found.rejected == 32 - len(kept)
    assert found.header["constraints"] == ["score <= 2"]


def test_limits_are_read_exactly() -> None:
    (one,) = constraints("seconds:intel-xeon-avx512-1-thread-float32 <= 5ms")
    assert one.high == sympy.Rational(1, 200)
    (two,) = constraints({"macs": (None, "1.5G")})
    assert (two.low, two.high) == (None, 1_500_000_000)


def test_what_was_found_can_be_told_and_built() -> None:
    found = cm.search(cells(), minimize="macs", maximize="parameters", seed=3)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["provenance"]["space"] == repr(found.space)
    assert told["provenance"]["evaluations"] == len(found.evaluations)
    assert [row["macs"] for row in told["front"]] == [v[0] for v in values_of(found)]
    network = found.network(1)
    costs = cm.cost(network)
    assert (costs.macs, costs.parameters) == found.front[1].values
    with pytest.raises(cm.CostModelError, match="not 99"):
        found.network(99)
