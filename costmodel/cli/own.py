"""Report pages about users' own networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costmodel.cli import target
from costmodel.cli.importing import user_code
from costmodel.cli.program import open_network
from costmodel.cli.sample import Sample, at_sample
from costmodel.errors import CostModelError


if TYPE_CHECKING:
    from costmodel.analysis.published import Check
    from costmodel.network.graph import Network
    from reports import Subject

USUAL_SIDE = 224
"""The default height and width at which a page shows numbers, if they fit."""


def own_subject(
    name: str, settings: Sequence[str], resolution: Any, *, checked: bool
) -> Subject:
    """Return the subject of a page about a user's network.

    The default size is 224 × 224, or else the least that the network accepts.
    """
    from reports import Subject

    free = ("resolution", "batch")
    chosen, net, _ = open_network(name, settings, resolution, None, free)
    bound = net.bind({net.batch: 1}) if net.free_symbols & {net.batch} else net
    if bound.free_symbols and resolution is None:
        bound = _at_usual(bound)
    if names := ", ".join(sorted(map(str, bound.free_symbols))):
        raise CostModelError(f"report: {name} needs a number for {names}; give --input")
    _, law, _ = open_network(name, settings, None, None, free)
    found, why = _checks(name, settings, bound) if checked else ((), "skipped")
    return Subject(chosen, law, bound, (), found, why, _file(name))


def with_files(
    subjects: Sequence[Subject], others: Sequence[str] = ()
) -> list[Subject]:
    """Return subjects whose files have distinct names, whatever the case of letters."""
    taken = {"index", "networks", *(other.lower() for other in others)}
    found = []
    for subject in subjects:
        file, number = subject.page, 1
        while file.lower() in taken:
            number += 1
            file = f"{subject.page}-{number}"
        taken.add(file.lower())
        found.append(replace(subject, file=file))
    return found


def _file(name: str) -> str:
    """Return a file name from the letters, digits and a few marks of a target."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "network"


def _at_usual(net: Network) -> Network:
    """Return a network at the usual size, or else at the least one that it accepts."""
    from costmodel.analysis.input_sizes import input_sizes

    channels = net.inputs[0].output.channels
    try:
        return at_sample(net, Sample((channels, *(USUAL_SIDE,) * 2)))
    except CostModelError:
        least = tuple(side.smallest for side in input_sizes(net))
        return at_sample(net, Sample((channels, *least)))


def _checks(
    name: str, settings: Sequence[str], bound: Network
) -> tuple[tuple[Check, ...], str]:
    """Return PyTorch's own counts of the module, or the reason why there are none."""
    from costmodel.analysis.cost import cost

    opened = target.open_target(name, settings, None)
    if opened.module is None:
        return (), "no module was traced"
    if unknown := cost(bound).partial:
        return (), unknown
    from costmodel.bridge.building import checks

    try:
        with user_code(name):
            uses_all = not any("never used" in said for said in opened.warnings)
            return checks(opened.module, bound, uses_all=uses_all), ""
    except CostModelError as error:
        return (), str(error)
