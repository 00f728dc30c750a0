"""Lay out DOT graphs in a separate process, which is ended if it takes too long."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Timer


TIME_LIMIT_S = 20.0
"""Seconds after which a layout is stopped."""

_SERVER = Path(__file__).with_name("layout_process.py")


@dataclass(frozen=True, slots=True)
class Layout:
    """What came out, or why nothing did."""

    text: str = ""
    reason: str = ""


NO_ENGINE = (
    "neither pygraphviz nor the program dot was found when this page was written"
)
TOO_SLOW = "its layout took longer than {limit:g} seconds and was stopped"
FAILED = "its layout failed"


def laid_out(dot: str, form: str = "svg", limit: float = TIME_LIMIT_S) -> Layout:
    """Return a DOT text as SVG, or in another of dot's formats.

    pygraphviz does it, which brings its own dot, or else a program on PATH.
    """
    if find_spec("pygraphviz") is not None:
        return _engine().laid_out(dot, form, limit)
    program = shutil.which("dot")
    if program is None:
        return Layout(reason=NO_ENGINE)
    return _with_program(program, dot, form, limit)


class Engine:
    """The process that lays graphs out; it starts again after it had to be ended."""

    def __init__(self) -> None:
        """Start it when it is first needed."""
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._end(self._process)

    def laid_out(self, dot: str, form: str, limit: float) -> Layout:
        """Lay a graph out, or say why not."""
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - they are pipes
        assert process.stdout is not None  # noqa: S101
        timer = Timer(limit, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps({"dot": dot, "format": form}) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            is_late = not timer.is_alive()
            timer.cancel()
        if answer:
            return Layout(json.loads(answer)["text"])
        self._end(process)
        return Layout(reason=TOO_SLOW.format(limit=limit) if is_late else FAILED)

    def _end(self, process: subprocess.Popen[str]) -> None:
        self._process = None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what it did not read any more
                assert pipe is not None  # noqa: S101
                pipe.close()
        process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, str(_SERVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # C libraries print warnings about fonts here.
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        return self._process


@cache
def _engine() -> Engine:
    engine = Engine()
    atexit.register(engine.close)
    return engine


def _with_program(program: str, dot: str, form: str, limit: float) -> Layout:
    try:
        done = subprocess.run(  # noqa: S603 - the program found on PATH, text on stdin
            [program, f"-T{form}"],
            input=dot.encode(),
            capture_output=True,
            check=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return Layout(reason=TOO_SLOW.format(limit=limit))
    except (OSError, subprocess.SubprocessError):
        return Layout(reason=FAILED)
    return Layout(done.stdout.decode())


__all__ = ["Layout", "laid_out"]
