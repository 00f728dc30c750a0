"""Checks: ``nox`` runs the usual ones, ``nox -s zoo browser`` the slow ones.

``nox -l`` lists everything. All of these have to pass.

PyTorch is large: the sessions that need it share one environment, .nox/everything.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nox


nox.options.sessions = ["lint", "types", "floors", "size", "tests", "report"]
nox.options.reuse_venv = "yes"

CONSTRAINTS = ("-c", "constraints.txt")
SHARED = Path(".nox") / "everything"
ZOO = "tests/model_zoo"
SPREAD = ("-n", "auto", "--dist", "worksteal")  # long tests come last
CONFIG = Path(__file__).with_name("pyproject.toml")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*CONSTRAINTS, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types; PyTorch counts as untyped, so it is not installed here."""
    install(session, "mypy", "hypothesis", "jinja2")
    with session.chdir(session.create_tmp()):  # where what is installed is found
        session.run("mypy", "--config-file", str(CONFIG), "-p", "costmodel")


@nox.session
def floors(session: nox.Session) -> None:
    """Check that a floor imports only lower floors."""
    install(session, "import-linter")
    ask = "import costmodel as cm, pathlib; print(pathlib.Path(cm.__file__).parents[1])"
    with session.chdir(session.create_tmp()):
        place = str(session.run("python", "-c", ask, silent=True)).strip()
    with session.chdir(place):  # so that what is installed comes before the checkout
        ours = {"PYTHONPATH": str(CONFIG.parent)}  # one contract is in tests/
        session.run("lint-imports", "--no-cache", "--config", str(CONFIG), env=ours)


@nox.session(venv_backend="none")
def size(session: nox.Session) -> None:
    """Measure how much of the engine one has to read, and hold its limits."""
    session.run(sys.executable, "-m", "tests.size", *session.posargs)


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run the tests, and every example in code and prose; say what took longest."""
    python = everything(session)
    pytest = ("-m", "pytest", *SPREAD, "--durations=30", f"--ignore={ZOO}")
    session.run(python, *pytest, *session.posargs)


@nox.session(venv_backend="none")
def zoo(session: nox.Session) -> None:
    """Trace, count, compile and time many networks: ours, torchvision's and timm's.

    ``-- --scheduler tcp://HOST:PORT`` spreads them over a dask cluster.
    """
    python = everything(session)
    if "--scheduler" in session.posargs:
        session.run(python, "-m", "tests.spread", *session.posargs, ZOO)
        return
    session.run(python, "-m", "pytest", *SPREAD, ZOO, *session.posargs)


@nox.session(venv_backend="none")
def report(session: nox.Session) -> None:
    """Write the report of every architecture."""
    site(session, everything(session))


@nox.session(venv_backend="none")
def browser(session: nox.Session) -> None:
    """Open the report in Chromium, which has to be installed, and use it."""
    python = everything(session)
    folder = site(session, python)
    session.run(python, "-m", "pip", "install", "-q", *CONSTRAINTS, "-e", ".[browser]")
    env = {"COSTMODEL_REPORT": folder}
    tests = ("-n", "auto", "tests/reports/test_browser.py")
    session.run(python, "-m", "pytest", *tests, *session.posargs, env=env)


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Measure speed as ratios in one run; ``-- record`` writes docs/benchmarks.md."""
    python = everything(session)
    session.run(python, "-m", "pip", "install", "-q", *CONSTRAINTS, "pytest-benchmark")
    results = str(SHARED / "bench.json")
    session.run(python, "-m", "pytest", "-q", "benchmarks", "--benchmark-disable-gc",
                "--benchmark-columns=min", f"--benchmark-json={results}")  # fmt: skip
    page = session.run(python, "-m", "benchmarks.table", results, silent=True)
    session.log(page)
    if "record" in session.posargs:
        Path("docs/benchmarks.md").write_text(str(page), encoding="utf-8")


@nox.session(venv_backend="none")
@nox.parametrize("laws", ["networks", "malformed"])
def thorough(session: nox.Session, laws: str) -> None:
    """Run laws on 100,000 networks, and each reader on 10,000 malformed inputs.

    ``-- --scheduler tcp://HOST:PORT`` spreads them over a dask cluster.
    """
    python = everything(session)
    pytest = ("-m", "pytest", "-v", *SPREAD, "-m", laws)
    ignored = (f"--ignore={ZOO}", "--ignore=tests/peers")
    env = {"HYPOTHESIS_PROFILE": laws}
    if "--scheduler" in session.posargs:
        spread = ("-m", "tests.spread", *session.posargs, "-m", laws)
        session.run(python, *spread, "tests", *ignored, env=env)
        return
    session.run(python, *pytest, "tests", *ignored, *session.posargs, env=env)


@nox.session(venv_backend="none")
def peers(session: nox.Session) -> None:
    """Compare with other counters, which it installs; -- record writes down theirs."""
    python, folder = everything(session), SHARED.with_name("peers").resolve()
    env = {"PYTHONPATH": str(folder), "DS_BUILD_OPS": "0"}
    if not folder.exists():
        # Beside PyTorch, and not into it: DeepSpeed is built against the one there is.
        pip = (python, "-m", "pip", "install", "-q", "--no-deps", "--target", folder)
        session.run(*pip, "setuptools==84.2.1")
        needed = ("--no-build-isolation", "-r", "tests/peers/requirements.txt")
        session.run(*pip, *needed, env=env)
    if "record" in session.posargs:
        session.run(python, "-m", "tests.peers.record", env=env)
    files = ("tests/peers/test_peers.py", f"{ZOO}/test_peers.py")
    session.run(python, "-m", "pytest", "-n", "0", *files, env=env)


@nox.session(venv_backend="none")
def timm_features(session: nox.Session) -> None:
    """Count the networks of timm's tables; give the folder of the CSV files."""
    python = everything(session)
    session.run(python, "-m", "tests.runtime.timm_features", *session.posargs)
    session.run(python, "-m", "tests.runtime.timm_table", *session.posargs[:1])


def install(session: nox.Session, *tools: str) -> None:
    """Install costmodel as its users do, and tools that look at it."""
    # Files that are gone since would be installed from there.
    shutil.rmtree("build", ignore_errors=True)
    session.install(*CONSTRAINTS, *tools, ".")


def site(session: nox.Session, python: str) -> str:
    """Write what changed of the report since it was last written; return its folder."""
    folder = str((SHARED / "report").resolve())
    session.run(python, "-m", "costmodel", "report", "--all", "--oracles", "-o", folder)
    return folder


def everything(session: nox.Session) -> str:
    """Return the Python of the shared environment, where all extras are installed."""
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = str(SHARED / scripts / "python")
    if not Path(python).exists():
        session.run(sys.executable, "-m", "venv", str(SHARED))
    pip = (python, "-m", "pip", "install", "-q", *CONSTRAINTS)
    session.run(*pip, "-e", ".[all,test]")
    # Their dependencies would bring another build of PyTorch.
    session.run(*pip, "--no-deps", "torchvision", "timm")
    return python
