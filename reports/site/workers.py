"""Work shared out among processes, which end at once when it is interrupted."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TypeVar

from costmodel.errors import CostModelError


Task = TypeVar("Task")
Result = TypeVar("Result")


def shared_out(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Result]]:
    """Do ``jobs`` tasks at a time, each in a process; give each with its result.

    One job, or one task, needs no other process. An error in a task ends all.
    """
    if min(jobs, len(tasks)) < 2:
        for task in tasks:
            yield task, work(task)
        return
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), get_context("spawn"), initializer=_start
    )
    try:
        waiting: dict[Future[Result], Task] = {
            pool.submit(work, task): task for task in tasks
        }
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    except BrokenProcessPool:
        raise CostModelError(
            f"one of {jobs} processes was ended, perhaps for lack of memory; try "
            "--jobs 1"
        ) from None
    except BaseException:  # an interruption, an error, or nobody asks for more
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """Begin a process: the terminal's interruption is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Formulas are many small objects that live long: looking through them all for
    # cycles, again and again, took a tenth of the time.
    gc.set_threshold(200_000, 20, 50)
