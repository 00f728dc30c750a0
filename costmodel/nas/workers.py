"""Work shared out: in this process, among several (joblib), or on a cluster (dask)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from costmodel.errors import CostModelError, MissingDependencyError


Task = TypeVar("Task")
Result = TypeVar("Result")

PATIENCE = 10
"""Seconds that a scheduler may take to answer."""


class Workers:
    """Those who work: ``jobs`` processes, or a dask cluster by its scheduler's address.

    A context manager, which leaves the cluster when it ends. A cluster's worker that is
    lost has its tasks done by others; they need costmodel, and the same version of it.

    **Errors**: no scheduler at the address; an extra that is not installed.
    """

    def __init__(self, jobs: int = 1, scheduler: str | None = None) -> None:
        """Reach the scheduler, if there is to be one."""
        if type(jobs) is not int or jobs < 1:
            raise CostModelError(f"jobs {jobs!r} is no whole number from 1")
        if scheduler is not None and jobs != 1:
            raise CostModelError("jobs and a scheduler do not go together")
        if not isinstance(scheduler, str | None):
            raise CostModelError(
                f"scheduler {scheduler!r} is no address, such as tcp://HOST:PORT"
            )
        self.jobs, self.scheduler = jobs, scheduler
        self._client = None if scheduler is None else _client(scheduler)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Leave the cluster, which stays."""
        if self._client is not None:
            self._client.close(timeout=PATIENCE)

    def spread(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Give each task with its result as soon as there is one, in any order.

        An error in a task ends all.
        """
        if self._client is not None:
            yield from self._on_cluster(work, tasks)
        elif min(self.jobs, len(tasks)) < 2:
            for task in tasks:
                yield task, work(task)
        else:
            yield from self._in_processes(work, tasks)

    def _in_processes(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        joblib = imported("joblib", "search")
        from joblib.externals.loky.process_executor import (
            BrokenProcessPool,
            TerminatedWorkerError,
        )

        run = joblib.Parallel(self.jobs, return_as="generator_unordered", batch_size=1)
        step = joblib.delayed(partial(_numbered, work))
        try:
            for number, result in run(step(pair) for pair in enumerate(tasks)):
                yield tasks[number], result
        except TerminatedWorkerError:
            raise CostModelError(
                f"one of {self.jobs} processes was ended, perhaps for lack of memory; "
                "try fewer jobs"
            ) from None
        except BrokenProcessPool:
            raise CostModelError(
                f"{self.jobs} processes cannot read their work: a function's module "
                "has to be where each can import it, installed or in PYTHONPATH"
            ) from None

    def _on_cluster(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        from distributed import CancelledError, as_completed
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        assert self._client is not None  # noqa: S101 - the caller asked
        try:
            futures = {
                self._client.submit(work, task, pure=False): task for task in tasks
            }
            for future in as_completed(list(futures), loop=self._client.loop):
                yield futures[future], future.result()
        except KilledWorker as error:
            raise CostModelError(
                f"{self.scheduler}: workers were lost again and again at one task, "
                f"perhaps for lack of memory: {error.task}"
            ) from None
        except (CancelledError, CommClosedError, TimeoutError, OSError) as error:
            if isinstance(error, OSError) and not isinstance(
                error, (CommClosedError, TimeoutError, ConnectionError)
            ):
                raise
            raise CostModelError(
                f"{self.scheduler}: the scheduler is gone; what it did not finish is "
                "not done"
            ) from None


def _numbered(
    work: Callable[[Task], Result], pair: tuple[int, Task]
) -> tuple[int, Result]:
    return pair[0], work(pair[1])


def _client(scheduler: str) -> Any:
    """Return a client of a cluster."""
    distributed = imported("distributed", "cluster")
    try:
        return distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CostModelError(
            f"no scheduler answers at {scheduler} within {PATIENCE} s: {said}"
        ) from None


def imported(name: str, extra: str) -> Any:
    """Import an optional library.

    **Errors**: it is not installed, and the extra that has it.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise MissingDependencyError(
            f'this needs {name}; install it with: pip install "costmodel[{extra}]"'
        ) from None
