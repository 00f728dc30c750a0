"""What is installed is one package, whatever files the current folder holds."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).parent.parent
PARTS = ("costmodel", "architectures", "reports", "pyproject.toml", "setup.py",
         "README.md", "LICENSE")  # fmt: skip


def ran(*command: object, where: Path) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=where, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository, which building may write into."""
    pytest.importorskip("pip", reason="installing needs pip")
    folder = tmp_path_factory.mktemp("checkout")
    for name in PARTS:
        if (ROOT / name).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module", params=["", "--editable"], ids=["copied", "editable"])
def python(
    request: pytest.FixtureRequest,
    checkout: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the Python of an environment where that copy alone is installed."""
    folder = tmp_path_factory.mktemp("environment")
    ran(sys.executable, "-m", "venv", "--without-pip", folder, where=folder)
    (bin_,) = (folder / name for name in ("bin", "Scripts") if (folder / name).is_dir())
    (packages,) = folder.glob("**/site-packages")
    # What it depends on is this environment's; that comes last on the path.
    shared = "\n".join([*site.getsitepackages(), *others()])
    (packages / "shared.pth").write_text(shared + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", bin_ / "python", "install", "-q")
    ran(*pip, "--no-deps", "--no-build-isolation", "--ignore-installed",
        *filter(None, [request.param]), checkout, where=folder)  # fmt: skip
    return bin_ / "python"


def others() -> list[str]:
    """Return the folders of packages that this environment itself gets from others."""
    return [path for path in sys.path if path.endswith("site-packages")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of files that are called as ours are."""
    for name in ("reports.py", "architectures.py", "zoo.py"):
        (tmp_path / name).write_text("raise SystemExit('not yours')\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()
    return tmp_path


def test_commands_run_beside_files_that_are_called_as_ours(
    python: Path, folder: Path
) -> None:
    said = ran(python, "-m", "costmodel", "formula", "mobilenet_v1", where=folder)
    assert said.startswith("macs = 1586688*N*")
    pytest.importorskip("jinja2")
    ran(python, "-m", "costmodel", "report", "lenet5", "--no-oracles", "-o", "site",
        where=folder)  # fmt: skip
    assert (folder / "site" / "architectures" / "lenet5.html").is_file()
    ran(python, "-m", "costmodel", "verify", "lenet5", where=folder)


def test_one_module_is_added_to_an_environment(python: Path, folder: Path) -> None:
    code = (
        "from importlib.metadata import distribution as d;"
        "print(d('costmodel').read_text('top_level.txt'))"
    )
    assert ran(python, "-c", code, where=folder).split() == ["costmodel"]
    (packages,) = python.parent.parent.glob("**/site-packages")
    importable = {p.stem for p in packages.iterdir() if p.suffix in ("", ".py")}
    assert {name for name in importable if not name.startswith("_")} <= {"costmodel"}


def test_a_checkout_uses_its_own_files_whatever_is_installed(
    python: Path, checkout: Path
) -> None:
    code = "import costmodel.zoo.lenet5 as a, costmodel.reports as b;"
    code += "print(a.__file__, b.__file__, sep='\\n')"
    found = ran(python, "-c", code, where=checkout).split("\n")
    assert [Path(path) for path in found[:2]] == [
        checkout / "architectures" / "lenet5.py", checkout / "reports" / "__init__.py",
    ]  # fmt: skip


def test_every_file_is_installed_or_is_the_checkouts_own(
    python: Path, checkout: Path
) -> None:
    folder = python.parent
    code = "import costmodel, pathlib; print(pathlib.Path(costmodel.__file__).parent)"
    where = Path(ran(python, "-c", code, where=folder).strip())
    is_copied = where.is_relative_to(python.parent.parent)
    assert is_copied != (where == checkout / "costmodel")
    if is_copied:
        for name, top in (("", "costmodel"), ("zoo", "architectures"),
                          ("reports", "reports")):  # fmt: skip
            known = {path.relative_to(ROOT / top) for path in (ROOT / top).rglob("*")
                     if path.is_file() and path.suffix != ".pyc"}  # fmt: skip
            copied = {p for p in known if (where / name / p).is_file()}
            assert known == copied
