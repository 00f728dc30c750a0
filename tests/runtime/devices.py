"""Devices that are made up: profiles whose every number is known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from costmodel.network.graph import Network
from costmodel.runtime.kernels import kernels
from costmodel.runtime.kernels.classes import KINDS
from costmodel.runtime.profile import Coefficients, Profile
from costmodel.runtime.profile.fit import Timed
from costmodel.runtime.setting import Setting


def truth(kind: str) -> tuple[float, float, float, float]:
    """Return coefficients of a class, of a size that a CPU has, each class its own."""
    number = 1 + sorted(KINDS).index(kind)
    return (number * 1e-12, 1e-10 / number, 2e-11 * number, 3e-7 * number)


def made_up(
    name: str = "made-up", setting: Setting | None = None, *,
    kinds: Iterable[str] = KINDS, overhead: float = 1.25,
) -> Profile:  # fmt: skip
    """Return a profile with coefficients for some classes."""
    return Profile(
        name=name,
        setting=setting or Setting(),
        coefficients={kind: Coefficients(*truth(kind), samples=99) for kind in kinds},
        overhead=overhead,
        margin=1.07,
        peak_flop_per_s=1e11,
        peak_byte_per_s=2e10,
    )


def timed(
    nets: Iterable[Network], setting: Setting | None = None, *, noise: float = 0.0,
    seed: int = 0,
) -> list[Timed]:  # fmt: skip
    """Return every kernel of some networks with the seconds that the truth gives it."""
    random, found = np.random.default_rng(seed), []
    for number, net in enumerate(nets):
        for kernel in kernels(net, setting):
            terms = (
                kernel.work,
                kernel.activation_bytes,
                kernel.weight_bytes,
                kernel.calls,
            )
            seconds = sum(a * float(b) for a, b in zip(truth(kernel.kind), terms))
            seconds *= float(np.exp(noise * random.normal()))
            found.append(Timed(f"{net.name}-{number}", kernel, seconds))
    return found
