"""Comparing predictors: who is fitted to what, what is refused, what is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from subprocess import run as run_process

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import costmodel as cm
from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel.runtime.calibrate import identity
from costmodel.runtime.measure.jsonl import append
from costmodel.runtime.measure.result import Measurement
from costmodel.runtime.profile import Coefficients, Profile
from costmodel.runtime.random_networks import drawn
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate import Estimate, Known, numbered, validate
from costmodel.runtime.validate.baselines import BASELINES, Case, Model
from costmodel.runtime.validate.cases import estimate, label, place
from costmodel.runtime.validate.features import Totals


FLOPS = BASELINES[0]


def case(
    name: str,
    family: str = "one",
    seconds: float = 1.0,
    macs: int = 1000,
    batch: int = 1,
) -> Case:
    """Return a network of which only the MACs matter."""
    return Case(name, family, batch, Totals(1, macs, 1, 1, 1, 1, {}), seconds)


@dataclass
class Witness:
    """A predictor that keeps which networks it saw before it answered for another."""

    name: str = "witness"
    seen: dict[str, set[str]] = field(default_factory=dict)

    def fit(self, cases: Sequence[Case]) -> Model:
        """Return what notes down its own fit."""
        names = {one.name for one in cases}

        def model(one: Case) -> float:
            self.seen[one.name] = names
            return one.seconds

        return model


@st.composite
def measured(draw: st.DrawFn) -> list[Case]:
    """Return networks of at least two families."""
    families = draw(st.lists(st.sampled_from("abc"), min_size=2, max_size=8).filter(
        lambda found: len(set(found)) > 1))  # fmt: skip
    macs = st.integers(1, 10**9)
    seconds = st.floats(1e-4, 10)
    return [
        case(f"net{i}", family, draw(seconds), draw(macs))
        for i, family in enumerate(families)
    ]


@given(measured())
def test_a_family_is_predicted_by_exactly_all_others(cases: list[Case]) -> None:
    witness = Witness()
    validate(cases, [witness], split="family")
    for one in cases:
        others = {other.name for other in cases if other.family != one.family}
        assert witness.seen[one.name] == others


@given(measured())
def test_a_network_is_predicted_by_exactly_all_others(cases: list[Case]) -> None:
    witness = Witness()
    validate(cases, [witness], split="network")
    for one in cases:
        assert witness.seen[one.name] == {c.name for c in cases} - {one.name}


@given(measured())
def test_a_fit_to_other_networks_sees_those_alone(cases: list[Case]) -> None:
    witness = Witness()
    found = validate(cases, [witness], fitted_to=[case("drawn1"), case("drawn2")])
    assert found.split == "other networks"
    assert all(names == {"drawn1", "drawn2"} for names in witness.seen.values())


@given(measured(), st.sampled_from(["family", "network", "none"]), st.randoms())
def test_the_order_of_networks_does_not_matter(
    cases: list[Case], split: str, random: object
) -> None:
    shuffled = list(cases)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = validate(cases, [FLOPS], split=split)  # type: ignore[arg-type]
    other = validate(shuffled, [FLOPS], split=split)  # type: ignore[arg-type]
    seconds = dict(zip((c.name for c in other.cases), other["FLOPs"].predicted))
    again = [seconds[c.name] for c in one.cases]
    assert one["FLOPs"].predicted == pytest.approx(again, rel=1e-6)


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=9), st.floats(1e-12, 1e-3))
def test_what_is_true_is_found(macs: list[int], each: float) -> None:
    cases = [case(f"net{i}", f"f{i}", each * m, m) for i, m in enumerate(macs)]
    found = validate(cases, [FLOPS], split="family")
    assert found["FLOPs"].predicted == pytest.approx(found.measured)
    assert found["FLOPs"].summary.mape == pytest.approx(0, abs=1e-9)


class Refusing:
    """A predictor that does not know one family."""

    name = "careful"

    def fit(self, cases: Sequence[Case]) -> Model:  # noqa: ARG002 - a protocol's
        """Return what refuses."""

        def model(one: Case) -> float:
            if one.family == "odd":
                raise CostModelError("layer_norm is in no other family")
            return one.seconds

        return model


def test_what_one_predictor_refuses_is_in_no_figure_and_said() -> None:
    cases = [case("a", "x"), case("b", "y"), case("c", "odd")]
    found = validate(cases, [FLOPS, Refusing()], split="network")
    assert [one.name for one in found.cases] == ["a", "b"]
    assert found.refused == {"c": "careful: layer_norm is in no other family"}
    assert [score.summary.count for score in found.scores] == [2, 2]


def test_the_farthest_off_are_named_with_their_sign() -> None:
    cases = [case("a", seconds=1.0), case("b", seconds=2.0), case("c", seconds=4.0)]
    known = Known("profile", {n: Estimate(2.0, 1.5, 2.5) for n in "abc"})
    found = validate(cases, [known], split="none")
    assert found.worst("profile", 2) == [("a", 1.0), ("c", -0.5)]
    assert found["profile"].coverage(found.measured) == pytest.approx(1 / 3)
    assert found["profile"].summary.bias == 1.0


@pytest.mark.parametrize(
    ("cases", "split", "text"),
    [
        ([], "none", "validate: no measured network to compare with"),
        ([case("a"), case("a")], "none", "validate: network a is there twice"),
        ([case("a"), case("b")], "family",
         "validate: all networks are one: nothing is left to fit to"),
        ([case("a")], "random", "validate: split 'random' is none of family, network"),
        ([case("a", "odd")], "none", "validate: no network is left; careful: "),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(
    cases: list[Case], split: str, text: str
) -> None:
    with pytest.raises(CostModelError) as caught:
        validate(cases, [Refusing()], split=split)  # type: ignore[arg-type]
    assert str(caught.value).startswith(text)


def test_names_that_are_there_twice_are_numbered() -> None:
    found = numbered([case("a"), case("b"), case("a"), case("a")])
    assert [one.name for one in found] == ["a", "b", "a#2", "a#3"]


SETTING = Setting()
PROFILE = Profile(
    "made-up",
    SETTING,
    {
        "conv": Coefficients(1e-11, 1e-10, 1e-10, 1e-5, residual=0.1, samples=30),
        "batch_norm": Coefficients(1e-10, 1e-10, 0, 1e-6),
        "copy": Coefficients(0, 2e-10, 0, 1e-6),
    },
    margin=1.07,
    peak_flop_per_s=1e11,
    peak_byte_per_s=1e10,
)
NETWORKS = ("alexnet", "squeezenet1_1", "resnet18", "mobilenet_v1")


def measurement(
    name: str, seconds: float, *, batch: int = 1, side: int = 224, mode: str = "eager"
) -> Measurement:
    """Return what measuring a network might have given."""
    stamp = {"cpu": "a CPU", "cores": 2, "versions": {"torch": "2"}}
    return Measurement(
        name, Setting(mode=mode), batch, (3, side, side), seconds, 0.0, 0.02, seconds,
        8, 16, "thread", seconds, 0.0, stamp,
    )  # fmt: skip


def write(path: Path, rows: Sequence[Measurement]) -> Path:
    """Write measurements to a file."""
    for row in rows:
        append(path, row.to_row())
    return path


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return measurements that are what the profile predicts, and the profile."""
    folder = tmp_path_factory.mktemp("validate")
    profile = folder / "profile.json"
    profile.write_text(PROFILE.to_json(), encoding="utf-8")
    sizes = [(227 if name == "alexnet" else 224, name) for name in NETWORKS]
    rows = [
        measurement(name, estimate(
            cm.load(name, resolution=side, batch=batch), PROFILE
        ).seconds, batch=batch, side=side)
        for side, name in sizes for batch in (1, 2)
    ]  # fmt: skip
    return write(folder / "measured.jsonl", rows), profile


def test_options_that_are_lists_are_read_as_measure_writes_them(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    told = {"resnet18": {"repeats": [2, 2, 2, 2]}, "vgg11": {}}
    rows = [replace(measurement(name, 0.01), options=o) for name, o in told.items()]
    path = write(tmp_path / "rows.jsonl", rows)
    result = run(path, "--device", files[1], "--json", "--split", "none")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["rows"]) == 2


def test_a_profile_that_is_right_is_said_to_be(files: tuple[Path, Path]) -> None:
    result = run(files[0], "--device", files[1], "--json", "--fail-over", "0.1%")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    ours = found["summaries"]["costmodel, made-up"]
    assert found["schema"] == "costmodel.validate/1"
    assert found["split"] == "family"
    assert ours["count"] == 8
    assert ours["mape"] == pytest.approx(0, abs=1e-9)
    assert ours["tau"] == 1.0
    assert ours["coverage"] == 1.0
    assert found["noise_floor"] == pytest.approx(0.02)
    assert set(found["summaries"]) == {
        "costmodel, made-up", *(way.name for way in BASELINES), "PyTorch's roofline",
        "PyTorch's roofline × scalar",
    }  # fmt: skip
    assert [row["name"] for row in found["rows"]][:2] == [
        "alexnet@227",
        "alexnet@227×2",
    ]
    known = estimate(cm.load("alexnet", resolution=227, batch=1), PROFILE)
    assert found["rows"][0]["estimates"]["costmodel, made-up"] == {
        **asdict(known), "warnings": list(known.warnings)
    }  # fmt: skip


def test_baselines_are_fitted_to_what_is_asked_for(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    rate = 2e-12
    macs = {name: int(cm.cost(cm.load(name, resolution=224, batch=1)).macs)
            for name in ("vgg11", "resnet34")}  # fmt: skip
    rows = [measurement(name, rate * count) for name, count in macs.items()]
    others = write(tmp_path / "others.jsonl", rows)
    found = json.loads(run(files[0], "--fit", others, "--json").stdout)
    assert found["split"] == "other networks"
    for row in found["rows"]:
        name, _, size = row["name"].partition("@")
        net = cm.load(name, resolution=int(size.split("×")[0]), batch=row["batch"])
        assert row["predicted"]["FLOPs"] == pytest.approx(rate * cm.cost(net).macs)


def test_another_device_is_a_predictor(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in files[0].read_text("utf-8").splitlines()]
    slower = [Measurement.from_row({**row, "seconds": 3 * row["seconds"]})
              for row in rows]  # fmt: skip
    other = write(tmp_path / "other.jsonl", slower)
    found = json.loads(run(files[0], "--elsewhere", other, "--json").stdout)
    there = found["summaries"]["another device × scalar"]
    assert there["mape"] == pytest.approx(0, abs=1e-6)


def test_the_table_has_a_line_a_network_and_a_line_a_predictor(
    files: tuple[Path, Path],
) -> None:
    result = run(files[0], "--device", files[1])
    lines = result.stdout.splitlines()
    assert lines[0].endswith("1 thread; 8 networks; left out of fits: family")
    assert sum(line.startswith("resnet18@224") for line in lines) == 2
    assert any(line.startswith("ConvMeter-like ") for line in lines)
    assert "noise floor: halves of the measurements differ by 2.0%" in lines
    assert "80 % intervals hold 100% of the measurements" in lines
    assert lines[-1].startswith("guessed, without a class of its own: ")
    assert "resnet18@224 " not in run(files[0], "--no-networks").stdout.split("\n\n")[1]


def test_an_error_over_the_limit_is_exit_code_1(files: tuple[Path, Path]) -> None:
    result = run(files[0], "--split", "network", "--fail-over", "1%")
    assert result.exit_code == 1
    assert "FLOPs: mean error " in result.stderr
    assert result.stderr.endswith("% is over 1.00%\n")


def test_a_machine_that_was_slower_is_said_beside(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in files[0].read_text("utf-8").splitlines()]
    slower = [
        Measurement.from_row({**row, "seconds": 1.25 * row["seconds"], "anchor": 0.005})
        for row in rows
    ]
    profile = tmp_path / "stamped.json"
    stamped = replace(PROFILE, stamp={"anchor": 0.004})
    profile.write_text(stamped.to_json(), encoding="utf-8")
    path = write(tmp_path / "slower.jsonl", slower)
    found = json.loads(run(path, "--device", profile, "--json").stdout)["summaries"]
    assert found["costmodel, made-up"]["bias"] == pytest.approx(0.8)
    again = found["costmodel, made-up, at the measured speed"]
    assert again["mape"] == pytest.approx(0, abs=1e-9)
    assert again["coverage"] == 1.0


def test_files_are_judged_together(files: tuple[Path, Path], tmp_path: Path) -> None:
    more = write(tmp_path / "more.jsonl", [measurement("vgg11", 0.1)])
    found = json.loads(run(files[0], more, "--json").stdout)
    assert [row["name"] for row in found["rows"]][-1] == "vgg11@224"
    assert len(found["rows"]) == 9
    assert run(files[0], "a.csv").exit_code == 2


def test_what_does_not_fit_is_one_line(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    folded = write(
        tmp_path / "folded.jsonl", [measurement("vgg11", 1.0, mode="folded")]
    )
    mixed = write(tmp_path / "mixed.jsonl", [
        measurement("vgg11", 1.0), measurement("vgg11", 1.0, mode="folded")
    ])  # fmt: skip
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", encoding="utf-8")
    other = tmp_path / "other.jsonl"
    other.write_text('{"schema": "something else"}\n', encoding="utf-8")
    for arguments, code, text in (
        ((folded, "--device", files[1]), 4,
         'validate: profile "made-up" is of cpu float32 nchw eager, 1 thread, the '
         "measurements are of cpu float32 nchw folded, 1 thread: their mode differs"),
        ((mixed,), 4, f"{mixed}: measured in 2 settings: cpu float32 nchw eager, "),
        ((empty,), 4, f"{empty}: holds no measurement"),
        ((other,), 4, "measurement: schema 'something else': "),
        ((tmp_path / "none.jsonl",), 4, "none.jsonl: there is no such file"),
        ((files[0], "--device", "no-such"), 4, 'no device profile "no-such"'),
        ((files[0], "--fail-over", "five"), 2, '"five" is not an error such as 5%'),
        ((files[0], "--totals", "t.json"), 2, "--totals is of a CSV"),
        (("t.csv", "--device", files[1]), 2, "--device and --fit are of measurements"),
    ):  # fmt: skip
        result = run(*arguments)
        assert (result.exit_code, result.exception is None or code != 0) == (code, True)
        assert text in result.stderr, result.stderr
        assert "Traceback" not in result.stderr


def test_measurements_are_named_by_network_size_and_batch() -> None:
    one = measurement("pkg.models:net", 1.0, batch=8, side=192)
    assert label(one) == "net@192×8"
    assert place(one) == ("pkg.models:net", (), (3, 192, 192), 8)


def test_networks_of_a_calibration_are_drawn_again(tmp_path: Path) -> None:
    nets = [drawn(index) for index in range(3)]
    rows = [
        replace(
            measurement(net.name, 2e-11 * int(cm.cost(net).macs), batch=int(net.batch),
                        side=int(net.inputs[0].output.sizes[1])),
            options=identity(net),
        )
        for net in nets
    ]  # fmt: skip
    path = write(tmp_path / "calibration.jsonl", rows)
    found = json.loads(run(path, "--json").stdout)
    assert [row["family"] for row in found["rows"]] == [
        net.name.rpartition("-")[2] for net in nets
    ]
    assert found["summaries"]["FLOPs"]["mape"] == pytest.approx(0, abs=1e-6)
    other = write(
        tmp_path / "other.jsonl", [replace(rows[0], options={"network": "x"})]
    )
    assert "drawn-0-0-plain: measured as {'network': 'x'}, drawn now as " in (
        run(other).stderr
    )


def test_registered_networks_are_compared_without_pytorch(
    files: tuple[Path, Path],
) -> None:
    code = (
        "import sys; from costmodel.cli import main\n"
        f"try: main(['validate', {str(files[0])!r}, '--device', {str(files[1])!r}])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = run_process([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, b"AssertionError" in done.stderr) == (0, False)
