"""Any network that a user names: found, built, traced, and refused in one clear line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import costmodel as cm
from costmodel.algebra.parse import parse
from costmodel.cli import main
from costmodel.network.build import conv, image, network
from tests.bridge.trace.modules import Code
from tests.zoo import timm, torchvision_models


NETS = """
import sys
import warnings

import torch
from torch import nn

import layers


class Net(nn.Module):
    def __init__(self, width=8, act="relu"):
        super().__init__()
        print("building")
        self.body = layers.body(width)
        self.head = nn.Linear(width, 5)
        self.act = act

    def forward(self, x):
        return self.head(getattr(torch, self.act)(self.body(x)).mean((2, 3)))


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.head = nn.Linear(4 * 26 * 26, 5)

    def forward(self, x):
        assert x.shape[-1] == 28
        return self.head(self.conv(x).flatten(1))


class Branching(nn.Module):
    def __init__(self, question):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.question = question

    def forward(self, x):
        x = self.conv(x)
        return self.conv(x) if eval(self.question, {"x": x}) else x


class Strange(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return torch.sort(self.conv(x), dim=1).values


class Unused(Net):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 3)


class Noisy(Net):
    def forward(self, x):
        return super().forward(x) if self.training else self.body(x)


class Back(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.one(self.pool(self.one(x)))


class Own(nn.Module):
    def forward(self, x):
        raise RuntimeError("no way through")


def drawn(rate=0.5):
    values = torch.linspace(0, rate, 3).tolist()
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout(values[1]))


def tokens():
    return nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 2))


def needs(width):
    return Net(width)


def fails():
    raise ValueError("too wide\\nby far")


def leaves():
    sys.exit("never ran")


def nothing():
    return "a string"


ready = Net()
number = 7
name = "<b>net & co</b>"
globals()["odd"] = nn.Sequential(nn.Conv2d(3, 2, 1))
"""

LAYERS = """
from torch import nn


def body(width):
    return nn.Sequential(nn.Conv2d(3, width, 3, stride=2), nn.BatchNorm2d(width))
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a folder with a file of networks, and its neighbour."""
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "layers.py").write_text(LAYERS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("nets", "layers"):
        sys.modules.pop(name, None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def parsed(*arguments: str) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def counted(module: nn.Module, *size: int) -> int:
    """Return what PyTorch itself counts while the module runs."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module.eval()(torch.zeros(1, *size))
    return counter.get_total_flops() // 2


def body(width: int) -> nn.Module:
    layers = nn.Conv2d(3, width, 3, stride=2), nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 5))


@pytest.mark.parametrize(
    ("target", "options", "width"),
    [
        ("nets.py:Net", [], 8),
        ("nets.py:Net", ["--option", "width=16", "--option", "act=tanh"], 16),
        ("nets.py:needs", ["--option", "width=4"], 4),
        ("nets.py:ready", [], 8),
        ("./nets.py:Net", ["--set", "width=3"], 3),
        ("nets:Net", [], 8),
    ],
)
def test_what_is_named_is_counted_as_pytorch_counts_it(
    target: str, options: list[str], width: int
) -> None:
    found = parsed("analyze", target, *options, "--input", "3x61x40")
    assert found["totals"]["macs"] == counted(body(width), 3, 61, 40)
    stored = sum(p.numel() for p in body(width).parameters()) + 2 * width
    assert found["totals"]["parameters"] == stored
    assert found["memory"]["weight_bytes"] == 4 * stored
    assert sum(row["macs"] for row in found["rows"]) == found["totals"]["macs"]
    assert found["schema"] == "costmodel.analyze/1"
    assert {"macs", "weight_bytes"} <= found["units"].keys()


QUESTIONS = {
    "x.shape[3] > 100": lambda x: x.shape[3] > 100,
    "x.shape[2] == x.shape[3]": lambda x: x.shape[2] == x.shape[3],
    "x.shape[2] % 2": lambda x: x.shape[2] % 2,
    "x.size(2) < 99": lambda x: x.size(2) < 99,
    "x[:, :, -70:].shape[2] == 70": lambda x: x[:, :, -70:].shape[2] == 70,
}
"""What code asks about its input's size, as text and as code."""


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("size", ["3x64x64", "3x64x200", "3x200x64", "3x63x101"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_code_that_branches_on_its_size_takes_the_branch_of_the_input(
    question: str, size: str
) -> None:
    asked = "--option", f"question={question}", "--input", size
    found = parsed("analyze", "nets.py:Branching", *asked)
    layer = nn.Conv2d(3, 3, 3, padding=1)

    def run(_: object, x: torch.Tensor) -> torch.Tensor:
        x = layer(x)
        return layer(x) if QUESTIONS[question](x) else x

    assert found["totals"]["macs"] == counted(Code(run), *map(int, size.split("x")))


def test_user_code_prints_to_stderr_alone() -> None:
    result = run("analyze", "nets.py:Net", "--json")
    assert "building" in result.stderr
    assert json.loads(result.stdout)["warnings"] == []


def test_without_input_there_are_formulas_that_give_the_numbers() -> None:
    law = parsed("analyze", "nets.py:Net")
    both = parsed("analyze", "nets.py:Net", "--input", "3x50x71", "--symbolic")
    assert law["formulas"] == both["formulas"]
    at = {"N": 1, "H": 50, "W": 71}
    for metric, number in both["totals"].items():
        formula = parse(str(law["formulas"][metric]))
        values = {s: at[s.name] for s in getattr(formula, "free_symbols", ())}
        assert number == (formula.subs(values) if values else formula)
    assert run("analyze", "nets.py:Net").stdout.count("macs = ") == 1
    assert "macs = " not in run("analyze", "nets.py:Net", "--input", "3x9x9").stdout


def test_depth_folds_and_totals_stay() -> None:
    rows, totals = {}, {}
    for depth in ("1", "2"):
        found = parsed("analyze", "nets.py:Net", "--input", "3x9x9", "--depth", depth)
        rows[depth], totals[depth] = found["rows"], found["totals"]
    assert totals["1"] == totals["2"]
    assert len(rows["1"]) == len(rows["2"]) == 5
    deeper = parsed("analyze", "nets.py:Unused", "--input", "3x9x9")
    assert deeper["totals"] == totals["1"]
    assert any("spare" in said for said in deeper["warnings"])


def test_training_mode_is_what_the_module_does_in_it() -> None:
    plain = parsed("analyze", "nets.py:Noisy", "--input", "3x9x9")["totals"]
    trained = parsed("analyze", "nets.py:Noisy", "--input", "3x9x9", "--train")
    assert trained["totals"]["macs"] == plain["macs"] + 8 * 5
    assert "training mode" in trained["title"]


def test_a_size_that_only_itself_fits_is_traced_and_named() -> None:
    found = parsed("analyze", "nets.py:Fixed", "--input", "1x28x28")
    assert found["totals"]["macs"] == 9 * 4 * 26**2 + 4 * 26**2 * 5
    refused = run("analyze", "nets.py:Fixed", "--input", "1x28x29")
    assert refused.exit_code == 4
    assert run("analyze", "nets.py:Fixed").stderr.endswith(
        "; --input 1x28x28 gives the shape of its input\n"
    )


def test_a_vector_is_an_input_as_well() -> None:
    found = parsed("analyze", "nets.py:tokens", "--input", "20", "--batch", "3")
    assert found["totals"]["macs"] == 3 * (20 * 8 + 8 * 2)
    assert found["sides"] == {}


def test_what_cannot_be_built_without_memory_is_built_really() -> None:
    found = parsed("analyze", "nets.py:drawn", "--input", "3x9x9")
    assert found["totals"]["parameters"] == 3 * 8 * 9 + 8


def test_conditions_are_stated_with_their_reason() -> None:
    unet = str(Path(__file__).parents[2] / "docs" / "unet.py") + ":UNet"
    result = run("analyze", unet, "--input", "3x64x64")
    assert '"forward" needs 16 divides H (joined feature maps' in result.stdout
    assert "in {0, 1" not in result.stdout
    sides = parsed("analyze", unet)["sides"]
    assert sides["width"]["admissible"] == "16 divides W"
    refused = run("analyze", unet, "--input", "3x60x64")
    assert refused.exit_code == 4
    assert "H = 60 does not fit" in refused.stderr
    limit = run("largest", unet, "--symbol", "resolution", "--budget", "1G")
    assert limit.exit_code == 4
    steps = parsed(
        "largest", unet, "--symbol", "resolution", "--budget", "1G", "--step", "16"
    )
    assert steps["value"] % 16 == 0


def test_unknown_operators_are_named_and_never_zero() -> None:
    refused = run("analyze", "nets.py:Strange")
    assert refused.exit_code == 4
    assert "sort (1×)" in refused.stderr
    assert "--mark-unknown keeps them" in refused.stderr
    for size in ([], ["--input", "3x8x8"]):
        told = run("analyze", "nets.py:Strange", "--mark-unknown", *size).stdout
        assert "partial: 1 operator unknown" in told
        assert "unknown: sort" in told
    found = parsed("analyze", "nets.py:Strange", "--mark-unknown")
    assert found["unknown"] == ["sort"]
    assert found["memory"] == {}


def test_networks_of_code_and_of_files_are_taken_as_they_are(here: Path) -> None:
    (here / "own.py").write_text(
        "from costmodel.network.build import conv, image, network\n"
        "def build(width=4):\n"
        "    return network(conv(image(), width, kernel=3), name='mine')\n"
        "made = build(7)\n"
    )
    for target, width in (("own.py:build", 4), ("own.py:made", 7)):
        found = parsed("analyze", target, "--input", "3x10x10")
        assert found["totals"]["macs"] == 27 * width * 100
    own = network(conv(image(), 9, kernel=3), name="mine")
    (here / "net.json").write_text(own.to_json())
    assert parsed("show", "net.json", "--resolution", "10")["totals"]["macs"] == 24300


def test_networks_of_code_need_no_pytorch(here: Path) -> None:
    (here / "own.py").write_text(
        "from costmodel.network.build import conv, image, network\n"
        "def build():\n"
        "    return network(conv(image(), 4, kernel=3))\n"
    )
    code = (
        "import sys; from click.testing import CliRunner; "
        "from costmodel.cli import main; "
        "assert CliRunner().invoke(main, ['analyze', 'own.py:build']).exit_code == 0; "
        "assert 'torch' not in sys.modules"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True, cwd=here)


def test_an_onnx_model_is_read(here: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    image_in = onnx.helper.make_tensor_value_info("x", 1, ["N", 3, "H", "W"])
    image_out = onnx.helper.make_tensor_value_info("y", 1, None)
    weight = onnx.helper.make_tensor("w", 1, (4, 3, 3, 3), [0.0] * 108)
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])
    graph = onnx.helper.make_graph([node], "g", [image_in], [image_out], [weight])
    onnx.save(onnx.helper.make_model(graph), here / "model.onnx")
    found = parsed("analyze", "model.onnx", "--input", "3x10x12")
    assert found["totals"]["macs"] == 108 * 8 * 10


def test_torchvision_and_timm_are_targets() -> None:
    torchvision_models()
    name = "torchvision.models:resnet18"
    found = parsed("analyze", name, "--input", "3x224x224")
    assert found["totals"] == {
        key: cm.cost(cm.load("resnet18", resolution=224, batch=1)).metric(key)
        for key in found["totals"]
    }
    ratio = run("compare", name, "resnet18", "--resolution", "97").stdout
    assert ratio == f"macs of {name} / resnet18 = 1\n"
    regnet = parsed("show", "torchvision.models:regnet_y_400mf", "--input", "3x64x64")
    theirs = torchvision_models().regnet_y_400mf()
    assert regnet["totals"]["macs"] == counted(theirs, 3, 64, 64)
    timm()
    made = parsed(
        "show", "timm:create_model", "--option", "model_name=resnet18",
        "--option", "num_classes=7", "--resolution", "224",
    )  # fmt: skip
    assert made["totals"]["parameters"] == 11689512 - 993 * 513


@pytest.mark.parametrize("command", ["field", "sizes", "memory", "show", "formula"])
def test_every_command_takes_a_target(command: str) -> None:
    result = run(command, "nets.py:Net", "--input", "3x64x65")
    assert result.exit_code == 0, result.stderr
    assert result.stdout


def test_two_files_of_one_folder_name_have_their_own_neighbours(here: Path) -> None:
    for width in (4, 12):
        folder = here / f"v{width}"
        folder.mkdir()
        (folder / "layers.py").write_text(f"WIDTH = {width}\n")
        (folder / "net.py").write_text(
            "from torch import nn\n"
            "def build():\n"
            "    from layers import WIDTH\n"
            "    return nn.Conv2d(3, WIDTH, 1)\n"
        )
    path = sys.path.copy()
    result = run("compare", "v12/net.py:build", "v4/net.py:build")
    assert result.stdout.endswith("= 3\n")
    assert sys.path == path
    assert not {"layers", "net"} & sys.modules.keys()
    mixed = run("compare", "nets:needs", "v4/net.py:build", "--first", "width=4")
    assert mixed.exit_code == 0, mixed.stderr


def test_neighbours_may_have_the_names_of_our_packages(here: Path) -> None:
    (here / "reports.py").write_text("WIDTH = 6\n")
    (here / "net.py").write_text(
        "import reports\nfrom torch import nn\n"
        "def build():\n    return nn.Conv2d(3, reports.WIDTH, 1)\n"
    )
    import reports as ours

    result = run("report", "net.py:build", "-o", "out")
    assert result.exit_code == 0, result.stderr
    assert sys.modules["reports"] is ours


def test_a_report_has_a_page_with_a_safe_name(here: Path) -> None:
    names = ["nets.py:Net", "nets.py:Back", "nets.py:ready", "nets.py:odd", "lenet5"]
    result = run("report", *names, "-o", "out", "--jobs", "1")
    assert result.exit_code == 0, result.stderr
    pages = {path.name for path in (here / "out" / "architectures").iterdir()}
    assert pages == {
        "nets.py-Net.html", "nets.py-Back.html", "nets.py-ready.html",
        "nets.py-odd.html", "lenet5.html",
    }  # fmt: skip
    index = (here / "out" / "index.html").read_text()
    assert 'href="architectures/nets.py-Net.html">nets.py:Net</a>' in index
    page = (here / "out" / "architectures" / "nets.py-Net.html").read_text()
    assert "3×224×224" in page
    assert "FlopCounterMode" in page
    twin = json.loads((here / "out" / "data" / "nets.py-Net.json").read_text())
    assert (twin["year"], twin["page"]) == (None, "nets.py-Net")
    assert all(check["agrees"] for check in twin["checks"])


def test_names_that_differ_in_case_alone_have_two_files(here: Path) -> None:
    (here / "two.py").write_text(
        "from torch import nn\nNet = nn.Conv2d(3, 1, 1)\nnet = nn.Conv2d(3, 2, 1)\n"
    )
    result = run("report", "two.py:Net", "two.py:net", "-o", "out", "--no-oracles")
    assert result.exit_code == 0, result.stderr
    pages = {path.name for path in (here / "out" / "architectures").iterdir()}
    assert pages == {"two.py-Net.html", "two.py-net-2.html"}


def test_a_report_has_pages_of_any_symbols_or_none(here: Path) -> None:
    (here / "sized.py").write_text(
        "import costmodel as cm\n"
        "from costmodel.algebra.symbols import H, W\n"
        "from costmodel.network.build import conv, image, network\n"
        "def made(*sizes):\n"
        "    return network(conv(image(*sizes), 8, kernel=3))\n"
        "numbers = made(3, 16, 16).bind(N=1)\n"
        "channels = made(cm.symbol('C'), H, W)\n"
    )
    names = [f"sized.py:{one}" for one in ("numbers", "channels")]
    result = run("report", *names, "--input", "3x16x16", "-o", "out", "--no-oracles")
    assert result.exit_code == 0, result.stderr
    pages = [here / f"out/architectures/sized.py-{n[9:]}.html" for n in names]
    doubled = ["Doubling the" in page.read_text() for page in pages]
    assert doubled == [False, True]


def test_a_report_escapes_what_it_names_and_says_what_is_partial(here: Path) -> None:
    (here / "<b>&.py").write_text((here / "nets.py").read_text())
    name = "<b>&.py:Strange"
    result = run("report", name, "--mark-unknown", "-o", "out", "--input", "3x8x10")
    assert result.exit_code == 0, result.stderr
    (page,) = (here / "out" / "architectures").iterdir()
    assert page.name == "b-.py-Strange.html"
    text = page.read_text()
    assert "<b>&.py" not in text
    assert "&lt;b&gt;&amp;.py:Strange" in text
    assert "partial: 1 operator unknown" in text
    assert "8×10" in (here / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("target", "message"),
    # ruff: noqa: E501 - a message is one line
    [
        ("nets.py", "nets.py: name what builds the network: nets.py:NAME"),
        ("nope.py:Net", "nope.py: there is no such file"),
        ("nets.py:Nett", 'nets.py: there is no attribute "Nett"; did you mean Net'),
        ("nets.py:Net.body.x", 'nets.py: there is no attribute "Net.body.x"'),
        ("nets.py:", '"nets.py:": no name of an attribute after the colon'),
        ("nets.py:a-b", '"nets.py:a-b": no name of an attribute after the colon'),
        (":Net", '":Net": no name of an attribute after the colon'),
        ("no/such:Net", '"no/such" is neither a module, such as package.module, nor a file of Python, which ends in .py'),
        ("nowhere.at_all:Net", 'nowhere.at_all: there is no module "nowhere" here, and none is installed'),
        ("torch.nothing:Net", 'torch.nothing: there is no module "torch.nothing" here, and none is installed'),
        ("torchvision.models.resnet50", 'unknown architecture "torchvision.models.resnet50"; a network of your own is package.module:attribute, path/to/file.py:attribute, model.onnx or net.json'),
        ("nets.py:fails", "nets.py:fails: ValueError: too wide (line "),
        ("nets.py:leaves", "nets.py:leaves: SystemExit: never ran (line "),
        ("nets.py:nothing", "nets.py:nothing: gives a str, not a torch.nn.Module or a costmodel.Network"),
        ("nets.py:number", "nets.py:number: gives a int, not a torch.nn.Module or a costmodel.Network"),
        ("nets.py:needs", "nets.py:needs: missing a required argument: 'width'; --option KEY=VALUE gives its arguments"),
        ("nets.py:Own", "nets.py:Own: fails alike at all 10 sizes tried: RuntimeError: no way through"),
        ("broken.py:Net", "broken.py: SyntaxError: "),
        ("lacks.py:Net", "lacks.py: ModuleNotFoundError: No module named 'not_there_at_all' (line 1)"),
        ("net.json", "net.json: No such file or directory"),
        ("bad.json", "bad.json: network JSON: not JSON: "),
        ("bytes.json", "bytes.json: is not text, and so not JSON"),
        ("model.onnx", "model.onnx: there is no such file"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["analyze", "report"])
def test_wrong_targets_are_one_clear_line(
    here: Path, command: str, target: str, message: str
) -> None:
    (here / "broken.py").write_text("def Net(:\n")
    (here / "lacks.py").write_text("import not_there_at_all\n")
    (here / "bad.json").write_text("{")
    (here / "bytes.json").write_bytes(b"\xff\xfe\x00")
    result = run(command, target)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 4
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"costmodel: {message}")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nets.py:Net", "--input", "3xfoo"], 4, '"foo" is neither a number nor'),
        (["nets.py:Net", "--input", "3x0x5"], 4, "0 is not a positive integer"),
        (["nets.py:Net", "--input", "3x8x8x8"], 4, "nets.py:Net: "),
        (["nets.py:Net", "--resolution", "-3"], 4, "-3 is not a positive integer"),
        (["nets.py:Net", "--batch", "0"], 4, "batch: 0 is not a positive integer"),
        (
            ["nets.py:Net", "--input", "2x8x8"],
            4,
            'costmodel: nets.py:Net: conv2d at "body.0" takes 3 channels, and gets 2',
        ),
        (["nets.py:Net", "--input", "3x2x2"], 4, "H = 2 is too small"),
        (["lenet5", "--input", "3x32x32"], 4, "its input is 1×height×width, not 3×32"),
        (["nets.py:ready", "--option", "width=3"], 4, "a Net takes no options"),
        (["nets.py:Net", "--option", "depth=3"], 4, "unexpected keyword argument"),
        (["nets.py:Net", "--option", "width"], 2, '--option "width" is not KEY=VALUE'),
        (["lenet5", "--input", "1x32x32", "--resolution", "32"], 2, "do not go toge"),
    ],
)
def test_wrong_settings_are_one_clear_line(
    arguments: list[str], code: int, message: str
) -> None:
    result = run("analyze", *arguments)
    assert code == result.exit_code
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_traceback_is_shown_where_it_is_asked_for() -> None:
    result = run("analyze", "nets.py:fails", "--traceback")
    assert result.exit_code == 4
    assert "by far" in result.stderr
    assert 'nets.py", line ' in result.stderr
    assert result.stderr.splitlines()[-1].startswith("costmodel: nets.py:fails: ")


@pytest.mark.parametrize(
    ("missing", "target", "install"),
    [
        ("torch", "nets.py:Net", 'pip install "costmodel[torch]"'),
        ("torchvision", "torchvision.models:resnet50", "pip install torchvision"),
        ("timm", "timm:create_model", "pip install timm"),
        ("timm", "uses.py:net", "pip install timm"),
        ("onnx", "model.onnx", 'pip install "costmodel[onnx]"'),
    ],
)
def test_what_is_missing_is_named_with_what_installs_it(
    here: Path, monkeypatch: pytest.MonkeyPatch,
    missing: str, target: str, install: str,
) -> None:  # fmt: skip
    (here / "uses.py").write_text("import timm.layers\n")
    (here / "model.onnx").write_bytes(b"")
    ours = [name for name in sys.modules if name.startswith("costmodel.bridge.onnx")]
    theirs = [name for name in sys.modules if name.partition(".")[0] == missing]
    for name in [*ours, *theirs]:
        monkeypatch.delitem(sys.modules, name)
    blocked = _Blocked(missing)
    monkeypatch.setattr(sys, "meta_path", [blocked, *sys.meta_path])
    result = run("analyze", target)
    assert result.exit_code == 3, result.stderr
    assert install in result.stderr
    assert "Traceback" not in result.stderr


class _Blocked:
    """Let a package be missing."""

    def __init__(self, name: str) -> None:
        """Keep its name."""
        self.name = name

    def find_spec(self, name: str, *_: object) -> ModuleType | None:
        """Refuse it as Python does."""
        if name.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def test_trace_is_a_public_name() -> None:
    from costmodel import trace

    assert trace is cm.trace
    assert cm.cost(trace(nn.Conv2d(3, 2, 1))).parameters == 8


@pytest.mark.parametrize("name", ["nets.py:Net", "resnet20_cifar"])
def test_scopes_are_trained_by_name(name: str) -> None:
    size = ["--input", "3x9x9"]
    asked = "memory", name, "--training", "--batch", "2", *size
    whole, part = parsed(*asked), parsed(*asked, "--trained", "head")
    assert part["options"]["trained"] == "head"
    learned, saved = "gradients of weights", "saved for backward"
    assert whole["bytes"][learned] > part["bytes"][learned] > 0
    assert whole["bytes"][saved] > part["bytes"][saved]
    assert whole["bytes"]["weights"] == part["bytes"]["weights"]
    everything = "analyze", name, "--batch", "2", "--train", *size
    peaks = [
        parsed(*everything, *given)["memory"]["peak_activation_bytes"]
        for given in ((), ("--trained", "all"), ("--trained", "head"))
    ]
    assert peaks[0] == peaks[1] > peaks[2]
    refused = run(*asked, "--trained", "hed")
    assert refused.exit_code != 0
    assert 'trained "hed": no parameter is there; did you mean head?' in refused.stderr
