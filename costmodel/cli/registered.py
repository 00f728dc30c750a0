"""Report pages about registered architectures."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, TypeAlias


if TYPE_CHECKING:
    from costmodel.analysis.published import Check
    from costmodel.network.graph import Network
    from costmodel.network.options import Option
    from reports import Subject

Oracles: TypeAlias = Literal["recorded", "run", "none"]
"""Whether oracles' counts are the recorded ones, are counted now, or left out."""

RECORDED = "recorded_checks.json"
"""The file in architectures/ with fvcore's and PyTorch's counts of its networks."""


def registered_subject(name: str, oracles: Oracles = "recorded") -> Subject:
    """Return the subject of a page about a registered architecture."""
    from costmodel.analysis import published
    from costmodel.network.registry import find, load
    from reports import Setting, Subject

    chosen = find(name)
    bound = load(name, resolution=chosen.resolution, batch=1)
    own = [option for option in chosen.options.values() if _is_symbolic(option)]
    free = {option.name: option.symbol for option in own}
    # Every cost law is a formula in the width.
    if "width" in chosen.options:
        free["width"] = chosen.options["width"].symbol
    checks, note = _checks(name, bound, oracles)
    return Subject(
        chosen, load(name, **free), bound, tuple(published.verify([chosen])), checks,
        note, knobs={o.symbol: Setting(o.name, o.default) for o in own},
    )  # fmt: skip


def _is_symbolic(option: Option) -> bool:
    """Say whether formulas keep an option as a symbol, besides the width.

    Not classes and input channels, which the data set determines.
    """
    from costmodel.network.options import INPUT_CHANNELS

    is_one = option.can_be_symbol and not isinstance(option.default, tuple)
    return is_one and option.name not in ("width", "classes", INPUT_CHANNELS)


def _checks(
    name: str, bound: Network, oracles: Oracles
) -> tuple[tuple[Check, ...], str]:
    """Return counts of oracles beside ours, and a note on their origin."""
    if oracles == "none":
        return (), "skipped with --no-oracles"
    if oracles == "run":
        return run_checks(bound)
    from costmodel.analysis.published import Check
    from costmodel.network.serialize import digest

    found = _recorded()
    entry = found["networks"].get(name)
    if entry is None or entry["network"] != digest(bound):
        return (), "none is recorded of this network as it is; --oracles counts it"
    known = tuple(Check(**check) for check in entry["checks"])
    return known, f"Counted before, with {found['with']}; --oracles counts again."


def run_checks(bound: Network) -> tuple[tuple[Check, ...], str]:
    """Count a network with every oracle now."""
    from costmodel.bridge.checks import check
    from costmodel.errors import MissingDependencyError

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
    file = resources.files("architectures") / RECORDED
    if not file.is_file():
        return {"networks": {}, "with": ""}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
