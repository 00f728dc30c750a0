"""Work shared out among processes, which end at once when it is interrupted."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import TypeVar

from costmodel.errors import CostModelError
from costmodel.nas.workers import Workers


Task = TypeVar("Task")
Result = TypeVar("Result")


def shared_out(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int | str
) -> Iterator[tuple[Task, Result]]:
    """Do ``jobs`` tasks at a time, each in a process; give each with its result.

    One job, or one task, needs no other process. Text is the address of a dask
    scheduler, whose workers have to see the same files. An error in a task ends all.
    """
    if isinstance(jobs, str):
        with Workers(scheduler=jobs) as workers:
            yield from workers.spread(work, tasks)
        return
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
    Thread(target=_end_with_parent, daemon=True).start()
    # Formulas are many small objects that live long: looking through them all for
    # cycles, again and again, took a tenth of the time.
    gc.set_threshold(200_000, 20, 50)


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, in whatever way.

    A parent that was killed tells nobody, and the queue of tasks would be waited on
    for ever: its other end is open in each of the processes that wait.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the threads of the pool would keep an ordinary end waiting
