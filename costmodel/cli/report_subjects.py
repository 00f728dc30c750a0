"""What a report is about: registered architectures, and networks of a user's own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from costmodel.cli import target
from costmodel.cli.importing import user_code
from costmodel.cli.options import Asked
from costmodel.cli.program import FREE, open_network
from costmodel.cli.sample import Sample, at_sample
from costmodel.errors import CostModelError, MissingDependencyError


if TYPE_CHECKING:
    from costmodel.analysis.evidence.printed import Check
    from costmodel.network.graph import Network
    from costmodel.network.registry.options import Option
    from costmodel.reports import Subject

Oracles: TypeAlias = Literal["recorded", "run", "none"]
"""Whether oracles' counts are the recorded ones, are counted now, or left out."""

RECORDED = "recorded_checks.json"
"""The file in architectures/ with fvcore's and PyTorch's counts of its networks."""

USUAL_SIDE = 224
"""The default height and width at which a page shows numbers, if they fit."""


def registered_subject(
    name: str, oracles: Oracles = "recorded", trained: Sequence[str] = ()
) -> Subject:
    """Return the subject of a page about a registered architecture.

    ``trained``: the scopes of the parameters that are trained, by default all.
    """
    from costmodel.analysis.evidence import printed
    from costmodel.network.registry import find, load
    from costmodel.reports import Option, Subject

    chosen = find(name)
    bound = load(name, resolution=chosen.resolution, batch=1)
    own = [option for option in chosen.options.values() if _is_symbolic(option)]
    free = {option.name: option.symbol for option in own}
    # Every cost law is a formula in the width.
    if "width" in chosen.options:
        free["width"] = chosen.options["width"].symbol
    checks, note = _counts(name, bound, oracles)
    law = load(name, **free)
    if trained:
        law, bound = law.trained(*trained), bound.trained(*trained)
    return Subject(
        chosen, law, bound, tuple(printed.verify([chosen])), checks,
        note, options={o.symbol: Option(o.name, o.default) for o in own},
    )  # fmt: skip


def _is_symbolic(option: Option) -> bool:
    """Say whether formulas keep an option as a symbol, besides the width.

    Not classes and input channels, which the data set determines.
    """
    from costmodel.network.registry.options import INPUT_CHANNELS

    is_one = option.can_be_symbol and not isinstance(option.default, tuple)
    return is_one and option.name not in ("width", "classes", INPUT_CHANNELS)


def _counts(
    name: str, bound: Network, oracles: Oracles
) -> tuple[tuple[Check, ...], str]:
    """Return counts of oracles beside ours, and a note on their origin."""
    if oracles == "none":
        return (), "skipped with --no-oracles"
    if oracles == "run":
        return run_checks(bound)
    from costmodel.analysis.evidence.printed import Check
    from costmodel.network.serialization.json import digest

    found = _recorded()
    entry = found["networks"].get(name)
    if entry is None or entry["network"] != digest(bound):
        return (), "none is recorded of this network as it is; --oracles counts it"
    known = tuple(Check(**check) for check in entry["checks"])
    return known, f"Counted before, with {found['with']}; --oracles counts again."


def run_checks(bound: Network) -> tuple[tuple[Check, ...], str]:
    """Count a network with every oracle now."""
    from costmodel.bridge.oracles.checks import check

    try:
        import torch

        torch.set_num_threads(1)
        return check(bound), f"Counted just now, with {versions()}."
    except (ImportError, MissingDependencyError) as error:
        return (), str(error)


def versions() -> str:
    """Return the oracles and their versions as text."""
    from importlib.metadata import version

    torch = version("torch").partition("+")[0]
    return f"PyTorch {torch} and fvcore {version('fvcore')}"


@cache
def _recorded() -> dict[str, Any]:
    file = resources.files("costmodel.zoo") / RECORDED
    if not file.is_file():
        return {"networks": {}, "with": ""}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def own_subject(
    name: str, settings: Sequence[str], resolution: Any, *, checked: bool
) -> Subject:
    """Return the subject of a page about a user's network.

    The default size is 224 × 224, or else the least that the network accepts.
    """
    from costmodel.reports import Subject

    chosen, net, _ = open_network(Asked(name, settings, resolution), FREE)
    bound = net.bind({net.batch: 1}) if net.free_symbols & {net.batch} else net
    if bound.free_symbols and resolution is None:
        bound = _at_usual(bound)
    if names := ", ".join(sorted(map(str, bound.free_symbols))):
        raise CostModelError(f"report: {name} needs a number for {names}; give --input")
    _, law, _ = open_network(Asked(name, settings), FREE)
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
    from costmodel.bridge.user_module import checks

    try:
        with user_code(name):
            uses_all = not any("never used" in said for said in opened.warnings)
            return checks(opened.module, bound, uses_all=uses_all), ""
    except CostModelError as error:
        return (), str(error)
