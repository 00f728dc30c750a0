"""Calibrate a device: random networks, timed operator by operator, and a fit to them.

Operators are timed where they run, inside networks: alone in a loop their operands are
in caches where a network's are not, and their times are up to twice too short.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from sympy.utilities.iterables import sift

from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.compiled import Whole, against, eager, judge
from costmodel.runtime.kernels import Kernel, kernels
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.left_out import Sample, beside, left_out
from costmodel.runtime.measure import jsonl
from costmodel.runtime.measure.environment import machine
from costmodel.runtime.measure.result import Measurement, combined, key_of, rows_of
from costmodel.runtime.profile import Box, Coefficients, Profile
from costmodel.runtime.profile.fit import Timed, classes, grouped
from costmodel.runtime.profile.peaks import ENOUGH, peaks, rounded
from costmodel.runtime.random_networks import USUAL, calibration_networks, identity
from costmodel.runtime.random_networks.blocks import BLOCKS
from costmodel.runtime.setting import Setting
from costmodel.runtime.validate.baselines import Case
from costmodel.runtime.validate.features import totals


COMPILED = 8
"""Of so many drawn networks one is compiled, which takes a minute each time."""

EAGER_SHARE = 0.4
"""When eager measurements end, of the time that there is to calibrate compiled ones."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Which networks a calibration draws, and how often each is measured.

    ``sittings`` times through all networks, each time in other groups that take turns
    for so many ``rounds``.
    """

    networks: int = USUAL + len(BLOCKS)
    seed: int = 0
    batches: tuple[int, ...] | None = None
    sittings: int = 3
    rounds: int = 4

    def all(self) -> list[Network]:
        """Draw the networks."""
        return list(_drawn(self.networks, self.seed, self.batches))


@lru_cache(maxsize=4)
def _drawn(count: int, seed: int, batches: tuple[int, ...] | None) -> list[Network]:
    """Return drawn networks; a few draws are kept, with what is derived of them."""
    return list(calibration_networks(count, seed, batches))


QUICK = Draw(networks=11, sittings=1, rounds=2)
"""One network of each family: enough to see that everything works, and no more."""


def calibrate(
    setting: Setting, path: Path | str, draw: Draw | None = None, *, name: str,
    seconds: float = math.inf, advance: Callable[[str], object] = str,
) -> Profile:  # fmt: skip
    """Measure what is not in the file yet, and fit a profile to all that is.

    Rows are appended to the file of JSON lines as they come; ``advance`` is called
    after each, with its network's name. Measuring ends within so many ``seconds``, but
    for its first group of networks.
    """
    draw = Draw() if draw is None else draw
    for one in measured(setting, path, draw, seconds):
        advance(one.name)
    return refit(setting, path, draw, name=name)


def measured(
    setting: Setting, path: Path | str, draw: Draw, seconds: float = math.inf
) -> Iterator[Measurement]:
    """Measure every network and operator that the file lacks, and append them."""
    from costmodel.runtime.measure.measure import TOGETHER, Plan, measure_all
    from costmodel.runtime.measure.prepare import Job

    start, known = time.monotonic(), jsonl.done(rows_of(path), key_of)
    for part, nets, share in passes(setting, draw):
        is_whole = part.mode == "compile"
        # A group of compiled ones takes minutes to be ready.
        together = TOGETHER // 2 if is_whole else TOGETHER
        plan = Plan(draw.rounds, together, not is_whole, draw.seed, draw.sittings)
        jobs = [Job(net.name, net, int(net.batch), options=identity(net))
                for net in nets]  # fmt: skip
        left = share * seconds - (time.monotonic() - start)
        for one in measure_all(jobs, part, plan, done=known, seconds=left):
            jsonl.append(path, one.to_row())
            yield one


def passes(setting: Setting, draw: Draw) -> list[tuple[Setting, list[Network], float]]:
    """Return what is measured: networks in a setting, and when of all time it ends.

    Compiled networks cannot be timed operator by operator: all are measured eagerly,
    and some of them compiled, as a whole.
    """
    nets = draw.all()
    if setting.mode != "compile":
        return [(setting, nets, 1.0)]
    return [(eager(setting), nets, EAGER_SHARE), (setting, nets[::COMPILED], 1.0)]


def refit(
    setting: Setting, path: Path | str, draw: Draw | None = None, *, name: str
) -> Profile:
    """Fit a profile to what a file has of these networks in this setting."""
    found = [
        _pairs(path, part, nets)
        for part, nets, _ in passes(setting, Draw() if draw is None else draw)
    ]
    return fitted(*found, setting=setting, name=name)


def _pairs(
    path: Path | str, setting: Setting, nets: Sequence[Network]
) -> list[tuple[Measurement, Network]]:
    """Return what a file has of networks in a setting, sittings combined."""
    known = {(net.name, identity(net)["network"]): net for net in nets}
    rows = []
    for row in rows_of(path):
        one = Measurement.from_row(row)
        key = one.name, str(one.options.get("network"))
        if key in known and one.setting == setting:
            rows.append(one)
    if not rows:
        raise CostModelError(
            f"calibrate: {path} has no measurement of these networks in {setting}; "
            "was it made with another seed, or by another version?"
        )
    if len(places := {machine(one.stamp) for one in rows}) > 1:
        raise CostModelError(
            f"calibrate: {path} is of several machines: {'; '.join(sorted(places))}"
        )
    return [(one, known[one.name, one.options["network"]]) for one in combined(rows)]


def fitted(
    pairs: Sequence[tuple[Measurement, Network]],
    compiled: Sequence[tuple[Measurement, Network]] = (), *, setting: Setting,
    name: str, judged: bool = True,
) -> Profile:  # fmt: skip
    """Fit a profile to networks measured operator by operator.

    Kernels are fitted first, then what whole networks take beside them, or what some
    of them take ``compiled``. The profile's stamp keeps the anchor's seconds:
    measurements taken when that network took longer, or less, can be compared with what
    the profile predicts. Fits that leave networks out, which take eight times as long,
    tell how wrong it is, unless it is not to be ``judged``.
    """
    samples = [sample_of(one, net) for one, net in pairs]
    groups = grouped(row for sample in samples for row in sample.timed)
    if compiled:
        wholes = [Whole(case_of(one, net), net) for one, net in compiled]
        (found, overhead), between = against(samples, wholes, setting), 0.0
        margin, errors = judge(samples, wholes, setting) if judged else (1.0, None)
    else:
        found = classes(groups)
        overhead, between = beside(samples)
        margin, errors = left_out(samples) if judged else (1.0, None)
    timed = [one for one, _ in compiled or pairs]
    last = max(timed, key=lambda one: str(one.stamp.get("date")))
    anchors = [one.anchor for one in timed if one.anchor]
    speed = {"anchor": float(np.median(anchors))} if anchors else {}
    return Profile(
        name=name,
        setting=setting,
        coefficients=found,
        box={
            **_boxes(setting, [net for _, net in compiled]),
            **{kind: rows.box for kind, rows in groups.items()},
        },
        overhead=rounded(overhead),
        between=rounded(between),
        margin=rounded(margin),
        left_out=errors,
        **peaks(groups),
        stamp=dict(last.stamp) | speed,
        versions=dict(last.stamp.get("versions", {})),
        date=str(last.stamp.get("date", ""))[:10],
        notes=tuple(_notes(found)),
    )


def _boxes(setting: Setting, nets: Sequence[Network]) -> Box:
    """Return the least and the most of each feature, of all kernels of networks."""
    found = [Timed("", kernel, 1.0) for net in nets for kernel in kernels(net, setting)]
    return {kind: rows.box for kind, rows in grouped(found).items()} if found else {}


def _notes(found: Mapping[str, Coefficients]) -> Iterator[str]:
    """Say which classes few kernels were timed of, or none."""
    few = [f"{kind} ({one.samples})" for kind, one in found.items()
           if one.samples < ENOUGH]  # fmt: skip
    if few:
        yield f"fewer than {ENOUGH} kernels were timed of {', '.join(few)}"
    # No eager network has a fused one.
    if none := [kind for kind in KINDS if kind not in found and kind != "fused"]:
        yield f"no kernel was timed of {', '.join(none)}"


def sample_of(one: Measurement, net: Network) -> Sample:
    """Return what a fit takes from a measured network."""
    found = timed_kernels(one, net)
    return Sample(case_of(one, net), found, kernel_seconds(one, net))


def case_of(one: Measurement, net: Network) -> Case:
    """Return a drawn network with its totals and its seconds."""
    found = totals(net, one.setting)
    return Case(one.name, one.name, int(one.batch), found, one.seconds)


def timed_kernels(one: Measurement, net: Network) -> list[Timed]:
    """Return the kernels of a measured network with the seconds of each.

    A node of several kernels that ask for the same shares its time out among them; of
    different ones nobody knows which took how long, and none is given.
    """
    found = []
    for node, group in _by_node(net, one.setting).items():
        seconds = one.operators.get(node, 0.0) / len(group)
        is_alike = all(replace(k, nodes=group[0].nodes) == group[0] for k in group)
        if is_alike and seconds > 0:
            found += [Timed(one.name, kernel, seconds) for kernel in group]
    return found


def kernel_seconds(one: Measurement, net: Network) -> float:
    """Return the seconds of all nodes that run a kernel: views are not among them."""
    return sum(one.operators.get(node, 0.0) for node in _by_node(net, one.setting))


def _by_node(net: Network, setting: Setting) -> dict[str, list[Kernel]]:
    """Return the kernels by the node that their time is measured as."""
    return dict(sift(kernels(net, setting), lambda kernel: kernel.name))
