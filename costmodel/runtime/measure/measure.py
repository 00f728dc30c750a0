"""Measure how long networks take: interleaved rounds, medians, and the machine's stamp.

Networks of a group take turns, a few runs each, round after round in one process: what
drifts while that goes on, drifts for all of them. The runs before the first round, and
the first run of each turn, are not counted.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import compress, islice
from typing import Any

from costmodel.errors import CostModelError, MissingDependencyError, no_network
from costmodel.network.graph import Network
from costmodel.runtime.measure.environment import lanes, stamp
from costmodel.runtime.measure.result import (
    Measurement,
    Sample,
    key_of,
    medians,
    summarized,
)
from costmodel.runtime.random_networks import anchor
from costmodel.runtime.setting import Setting


try:
    import torch
except ImportError as error:  # pragma: no cover - depends on the installation
    raise MissingDependencyError(
        'measuring needs PyTorch; install it with: pip install "costmodel[torch]"'
    ) from error

from costmodel.runtime.measure import cuda
from costmodel.runtime.measure.clocks import clock_of, sampled, seeded, still
from costmodel.runtime.measure.operators import run_profiled, run_steps, steps
from costmodel.runtime.measure.prepare import (
    Job,
    Subject,
    Target,
    check_setting,
    prepared,
    shape_of,
)


ROUNDS = 10
"""How often every network of a group has its turn."""

TOGETHER = 8
"""Networks that take turns in one group."""

TURN_SECONDS = 0.06
"""A turn is at least two runs, and more for a network that takes less than this."""

MOST_RUNS = 12
"""Most runs per turn."""

PACE_RUNS = 2
"""Counted runs of the anchor before every turn, and as many after it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, networks in a group, operators or not, the seed.

    In each of several ``sittings`` all networks are measured, in other groups: a
    machine that is slow for a minute then affects one sitting alone.
    """

    rounds: int = ROUNDS
    together: int = TOGETHER
    per_operator: bool = False
    seed: int = 0
    sittings: int = 1

    def __post_init__(self) -> None:
        """Refuse what measures nothing."""
        for name in ("rounds", "together", "sittings"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise CostModelError(
                    f"measure: {name} {count!r} is no whole number from 1"
                )


def measure(
    network: Target | Callable[[], Target],
    *,
    device: str = "cpu",
    dtype: str = "float32",
    layout: str = "nchw",
    batch: int = 1,
    mode: str = "eager",
    threads: int | None = None,
    resolution: int | tuple[int, int] | None = None,
    input: tuple[int, ...] | None = None,  # noqa: A002 - as in trace
    per_operator: bool = False,
    rounds: int = ROUNDS,
    seed: int = 0,
    name: str | None = None,
) -> Measurement:
    """Measure how long a network or any module takes per batch. **Units**: s.

    With ``per_operator`` every node is timed in its place. A module of your own is
    traced for that, and the nodes are those of its trace; the whole is the module's
    own time. A network that was traced or loaded with free height and width takes
    ``resolution``, 224 by default.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> net = network(relu(conv(image(), 8, kernel=3)))
    >>> found = measure(net, resolution=32, rounds=2, per_operator=True)
    >>> found.seconds > 0, list(found.operators)
    (True, ['conv1', 'relu1'])
    """
    setting = setting_of(device, dtype, layout, mode, threads)
    if not (isinstance(network, Network) or callable(network)):
        raise no_network("measure", network, "a costmodel.Network or a module")
    known = name or getattr(network, "name", None) or type(network).__name__
    job = Job(str(known), network, batch, resolution, input)
    plan = Plan(rounds, 1, per_operator, seed)
    (found,) = _group([job], setting, plan)
    return found


def measure_all(
    jobs: Iterable[Job], setting: Setting, plan: Plan | None = None,
    done: Container[str] = (), *, seconds: float = math.inf,
) -> Iterator[Measurement]:  # fmt: skip
    """Measure many networks; groups of ``plan.together`` take turns.

    The measurements of a group are given when it is finished, one per network and
    sitting; :func:`costmodel.runtime.measure.result.combined` merges the sittings. A
    group's modules are in memory together, and freed before the next group's. What is
    ``done``, by :func:`costmodel.runtime.measure.result.key_of`, is skipped. No group
    is begun, after the first, that would not end within so many ``seconds`` if it took
    as long as the longest one before.
    """
    plan = Plan() if plan is None else plan
    start, longest = time.monotonic(), 0.0
    waiting = list(jobs)
    for sitting in range(plan.sittings):
        left = [job for job in waiting if signature(job, setting, sitting) not in done]
        if sitting:  # the first one in the order that was given
            random.Random(f"{plan.seed}:{sitting}").shuffle(left)  # noqa: S311
        groups = iter(left)
        while group := list(islice(groups, plan.together)):
            begun = time.monotonic()
            if longest and begun - start + longest > seconds:
                return
            measured = _group(group, setting, plan)
            longest = max(longest, time.monotonic() - begun)
            for found in measured:
                yield replace(found, sitting=sitting)


def setting_of(
    device: str, dtype: str, layout: str, mode: str, threads: int | None = None
) -> Setting:
    """Return the setting with this machine's lanes, if it can be run.

    Without a number, a CPU has as many threads as PyTorch would use.
    """
    if threads is None:
        threads = torch.get_num_threads() if device == "cpu" else 1
    return check_setting(Setting(device, dtype, layout, mode, threads, lanes()))


def signature(job: Job, setting: Setting, sitting: int = 0) -> str:
    """Return the key that the job's measurement on this machine will have."""
    where = _here(setting.device, setting.threads)
    return key_of({
        "name": job.name, "options": dict(job.options), "shape": list(shape_of(job)),
        "batch": job.batch, "setting": setting.to_json(), "sitting": sitting,
        "stamp": where,
    })  # fmt: skip


@cache
def _here(device: str, threads: int) -> dict[str, Any]:
    """Return a stamp, kept for its fixed fields: asking a GPU's driver is slow."""
    return stamp(torch, device=device, threads=threads)


@dataclass(slots=True)
class _Turns:
    """A subject and the results of its turns."""

    subject: Subject
    calls: list[Callable[[], Any]]
    runs: int = 2
    rounds: list[list[Sample]] = field(default_factory=list)
    operators: list[dict[str, float]] = field(default_factory=list)
    anchors: list[list[Sample]] = field(default_factory=list)
    """The anchor's runs just before and after each turn."""


def _group(jobs: Sequence[Job], setting: Setting, plan: Plan) -> list[Measurement]:
    """Measure a group: build, warm up, take turns in a new order every round."""
    is_cuda = setting.device == "cuda"
    with seeded(plan.seed):
        all_jobs = [*jobs, Job("anchor", anchor, is_whole=True)]
        *subjects, pace = [_subject(job, setting, plan) for job in all_jobs]
    order, clocks = list(range(len(subjects))), []
    shuffle = random.Random(plan.seed).shuffle  # noqa: S311 - an order, no secret
    with still(setting):
        turns = [_warmed(subject, setting) for subject in subjects]
        beside = _warmed(pace, setting)
        before = stamp(torch, device=setting.device, threads=setting.threads)
        for _ in range(plan.rounds):
            shuffle(order)
            for index in order:
                _turn(turns[index], beside, setting)
            clocks.append(cuda.clock_now() if is_cuda else 0.0)
        after = stamp(torch, device=setting.device, threads=setting.threads)
    about = before | {"load_after": after["load"]}
    if is_cuda:
        about |= {"gpu_after": after["gpu"], "sm_mhz": clocks}
        for one in turns:
            kept = cuda.steady(clocks)
            one.rounds = list(compress(one.rounds, kept))
            one.anchors = list(compress(one.anchors, kept))
    return [_summary(one, setting, about) for one in turns]


def _subject(job: Job, setting: Setting, plan: Plan) -> Subject:
    per_operator = plan.per_operator and not job.is_whole
    if job.target is anchor and setting.mode == "compile":
        setting = replace(setting, mode="eager")  # the same work in every mode
    if setting.device != "cuda" or not torch.cuda.is_available():
        return prepared(job, setting, per_operator=per_operator)
    size = 4 * job.batch * 3 * 224 * 224
    copies = cuda.copies_of(size)
    return prepared(job, setting, per_operator=per_operator, copies=copies)


def _warmed(subject: Subject, setting: Setting) -> _Turns:
    """Warm a subject up, and choose the number of runs per turn."""
    calls: list[Callable[[], Any]] = [partial(subject.run, x) for x in subject.inputs]
    if setting.device == "cuda":
        if setting.mode == "graph":
            calls = [*cuda.captured(subject.run, subject.inputs)]
        cuda.warm(calls)
        return _Turns(subject, calls)
    (x,) = subject.inputs
    subject.run(x)
    least = min(sampled(subject.run, x, "wall").wall for _ in range(2))
    runs = max(2, min(MOST_RUNS, round(TURN_SECONDS / least)))
    return _Turns(subject, calls, runs)


def _turn(one: _Turns, beside: _Turns, setting: Setting) -> None:
    """Time a subject as a whole, then by operator; the anchor before and after."""
    before = _samples(beside, setting, PACE_RUNS)
    one.rounds.append(_samples(one, setting, one.runs))
    if one.subject.graph is not None:
        one.operators.append(_operators(one, setting))
    one.anchors.append(before + _samples(beside, setting, PACE_RUNS))


def _samples(one: _Turns, setting: Setting, runs: int) -> list[Sample]:
    """Run a subject once untimed, and then timed."""
    clock = clock_of(setting)
    one.calls[0]()
    if setting.device == "cuda":
        return [cuda.block(one.calls, clock)]
    (x,) = one.subject.inputs
    return [sampled(one.subject.run, x, clock) for _ in range(runs)]


def _operators(one: _Turns, setting: Setting) -> dict[str, float]:
    graph = one.subject.graph
    assert graph is not None  # noqa: S101 - asked before
    calls, x = steps(graph), one.subject.inputs[0]
    if setting.device == "cuda":
        return run_profiled(graph, calls, x)
    is_own = clock_of(setting) == "thread"
    clock = time.thread_time_ns if is_own else time.perf_counter_ns
    return medians([run_steps(graph, calls, x, clock) for _ in range(one.runs)])


def _summary(one: _Turns, setting: Setting, about: dict[str, Any]) -> Measurement:
    job = one.subject.job
    return Measurement(
        name=job.name,
        setting=setting,
        batch=job.batch,
        shape=one.subject.shape,
        **summarized(one.rounds),
        clock=clock_of(setting),
        stamp=about,
        operators=medians(one.operators),
        anchor=summarized(one.anchors)["seconds"],
        options=dict(job.options),
    )
