"""The program as a process: what it leaves behind, its streams, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from costmodel.cli.commands import report
from tests.cli.test_cli import run


NO_FOLDERS = ["/proc/report", "/dev/null/report", "file/report", "file", "x" * 300]


@pytest.mark.parametrize("folder", NO_FOLDERS)
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "_part", lambda *_, **__: pytest.fail("too late"))
    (tmp_path / "file").touch()
    result = run("report", "lenet5", "-o", folder)
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@contextmanager
def interrupting(title: str, steps: int) -> Iterator[Callable[[str], None]]:
    """Show no progress; once the first page is written, interrupt."""
    assert steps

    def advance(name: str) -> None:
        if title == "written":
            raise KeyboardInterrupt(name)

    yield advance


def test_an_interrupted_report_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("report", "lenet5", "--no-oracles", "-o", str(tmp_path / "a" / "site"))
    with monkeypatch.context() as patch:
        patch.setattr(report, "progress", interrupting)
        assert run(*arguments).exit_code == 130
        assert not list(tmp_path.iterdir())
    assert run(*arguments).exit_code == 0
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    monkeypatch.setattr(report, "progress", interrupting)
    result = run(*arguments)
    assert result.exit_code == 130
    assert result.stderr.strip() == (
        "costmodel: interrupted; an earlier report is as it was"
    )
    assert {p: p.stat().st_ino for p in tmp_path.rglob("*")} == {
        path: status.st_ino for path, status in before.items()
    }


START = [sys.executable, "-m", "costmodel"]


@pytest.mark.skipif(sys.platform == "win32", reason="the signal kills there")
def test_a_report_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    command = [*START, "report", "vgg11", "vgg13", "--no-oracles", "-o", "deep/site"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr
        while "written: vgg11" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().endswith(
        "costmodel: interrupted; an earlier report is as it was"
    )
    assert not list(tmp_path.iterdir())


def check_full_device(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*START, *command.split()], stdout=full, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr == (
        "costmodel: the output cannot be written: No space left on device\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is full here")
@pytest.mark.parametrize("command", ["show lenet5", "--help"])
def test_a_full_device_is_one_clear_line(command: str) -> None:
    check_full_device(command)


def check_few_characters(command: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*START, *command.split()], capture_output=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    if "--json" in command:
        assert "5×5 conv" in str(json.loads(done.stdout)["rows"])


@pytest.mark.parametrize("command", ["show lenet5", "show lenet5 --json"])
def test_a_stream_that_knows_few_characters_is_written_to(command: str) -> None:
    check_few_characters(command)


def check_reader_leaves(command: str) -> None:
    with subprocess.Popen(
        [*START, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("command", ["show vgg11", "--help"])
def test_a_reader_that_leaves_is_no_error_and_nothing_false(command: str) -> None:
    check_reader_leaves(command)


def descendants(of: int) -> dict[int, str]:
    """Return the command lines of the processes that a process has started."""
    started = {of: ""}
    for status in sorted(
        Path("/proc").glob("[0-9]*/stat"), key=lambda p: int(p.parent.name)
    ):
        with suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent in started:
                said = status.with_name("cmdline").read_bytes().decode()
                started[int(status.parent.name)] = said.replace("\0", " ")
    del started[of]
    return started


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.1)
    return is_so()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_killed_report_started_ends_with_it(tmp_path: Path) -> None:
    command = [*START, "report", "vgg11", "vgg13", "--no-oracles", "--jobs", "2"]
    started: dict[int, str] = {}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:

        def has_all() -> bool:
            started.update(descendants(process.pid))
            said = list(started.values())
            layouts = sum("layout_process" in line for line in said)
            return layouts > 0 and sum("spawn_main" in line for line in said) == 2

        try:
            assert until(has_all, 120)
        finally:
            process.kill()
    assert until(lambda: not any(map(is_alive, started)), 10), started


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_layout_ends_with_whoever_waits_for_it() -> None:
    dense = " ".join(f"{a} -> {b};" for a in range(60) for b in range(a))
    code = (
        "from costmodel.reports.drawings.layout import Engine\n"
        f"Engine().laid_out('digraph {{{dense}}}', 'plain', 600)"
    )
    started: dict[int, str] = {}
    with subprocess.Popen([sys.executable, "-c", code]) as process:

        def is_at_work() -> bool:
            started.update(descendants(process.pid))
            return bool(started)

        assert until(is_at_work, 60)
        time.sleep(1)
        process.kill()
    assert until(lambda: not any(map(is_alive, started)), 5), started


def check_no_torch(command: list[str]) -> None:
    code = (
        "import sys\n"
        "from costmodel.cli import main\n"
        f"try: main({command!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        ["show", "resnet18"],
        ["formula", "vgg16", "--format", "mathml"],
        ["verify", "alexnet"],
        ["--help"],
    ],
    ids=lambda command: command[0],
)
def test_commands_without_modules_leave_torch_alone(command: list[str]) -> None:
    check_no_torch(command)


def test_help_needs_no_sympy() -> None:
    code = (
        "import sys\n"
        "from costmodel.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'sympy', 'networkx', 'rich'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
