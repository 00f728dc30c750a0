"""The program's process: its streams, signals, and allocator."""

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
"""Signals that end the program as an interrupt does, if the system has them."""


def restart_quietly(context: Any) -> None:
    """Restart the program once, with an allocator that keeps freed memory.

    glibc reads these settings only when a process starts, so a command that measures
    replaces its own process. If the process is not the program's own, as in a test or
    a notebook, nothing happens, and measurements report the disturbance.
    """
    from costmodel.runtime.measure.environment import ALLOCATOR, is_quiet

    if is_quiet() or not (context.obj or {}).get(OWN_PROCESS):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, {**os.environ, **ALLOCATOR})  # noqa: S606


OWN_PROCESS = "costmodel.own_process"
"""The key of a context's object for whether the process runs this program alone."""


def open_streams() -> None:
    """Redirect closed streams to null; stdout replaces what it cannot encode."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - kept
            setattr(sys, name, sink)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def silence_stdout() -> None:
    """Drop the buffer of a failed stdout, so that the program exits quietly."""
    with suppress(OSError), Path(os.devnull).open("wb") as sink:
        os.dup2(sink.fileno(), sys.stdout.fileno())


@contextmanager
def stoppable() -> Iterator[None]:
    """Treat signals that end a program as interrupts, so that it cleans up.

    Each counts once: another one does not stop the cleaning up. Signals that are
    ignored or handled already are left alone.
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


def _interrupt(number: int, frame: Any) -> None:  # noqa: ARG001 - of a signal handler
    """Raise ``KeyboardInterrupt``, and ignore the signal from now on."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
