"""The program as a process: its streams, and the signals that end it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


ENDING = ("SIGTERM", "SIGHUP")
"""Signals that end the program as an interrupt does, where the system has them."""


def restart_quietly(context: Any) -> None:
    """Start the program again with an allocator that keeps what it has: once, for good.

    glibc reads these settings when a process starts and never again, so a command that
    measures replaces its own process. Where it is not the program's own process, as in
    a test or a notebook, nothing happens: a measurement that is spoiled then says so.
    """
    from costmodel.runtime.measure.environment import ALLOCATOR, is_quiet

    if is_quiet() or not (context.obj or {}).get(OWN_PROCESS):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, {**os.environ, **ALLOCATOR})  # noqa: S606


OWN_PROCESS = "costmodel.own_process"
"""Where a context's object says whether the process runs nothing but this program."""


def open_streams() -> None:
    """Give closed streams a place to write to, and stdout a sign for any character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - kept
            setattr(sys, name, sink)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def silence_stdout() -> None:
    """Let a stream that failed lose what it still holds, so that ending is quiet."""
    with suppress(OSError), Path(os.devnull).open("wb") as sink:
        os.dup2(sink.fileno(), sys.stdout.fileno())


@contextmanager
def stoppable() -> Iterator[None]:
    """Take the signals that end a program as interrupts, so that it cleans up.

    Each counts once: another one does not stop the cleaning. Signals that somebody
    ignores or handles already are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    ours = [number for number in known if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: Any) -> None:  # noqa: ARG001 - what is handed over
    """Raise what an interrupt raises, and ignore the signal from now on."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
