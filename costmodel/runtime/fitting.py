"""Coefficients of every class of kernels, from kernels timed inside networks."""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.runtime.kernels import Kernel


@dataclass(frozen=True, slots=True)
class Timed:
    """One kernel of one network, timed inside that network; all its numbers are known.

    **Units**: seconds.
    """

    network: str
    kernel: Kernel
    seconds: float
