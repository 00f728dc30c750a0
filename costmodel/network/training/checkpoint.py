"""Checkpoints: parts of a network that run again in backward instead of being saved."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from costmodel.errors import CostModelError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Nodes of which autograd saves no tensors, but what they read from outside.

    Before the first backward of one that needs what it saved, they all run again.
    ``stops_early``: only as far as saved tensors are wanted.

    **Source**: Chen et al. 2016, arXiv:1604.06174; PyTorch, ``torch.utils.checkpoint``,
    which stops early unless ``use_reentrant=True``.
    """

    nodes: tuple[str, ...]
    stops_early: bool = True


def check_checkpoints(
    given: Iterable[Checkpoint], nodes: Collection[str], network: str
) -> tuple[Checkpoint, ...]:
    """Refuse checkpoints of nodes that are not there."""
    found = tuple(given)
    for one in found:
        if not isinstance(one, Checkpoint):
            raise CostModelError(f'network "{network}": {one!r} is no Checkpoint')
        for name in one.nodes:
            if name not in nodes:
                raise CostModelError(
                    f'network "{network}": checkpoint of "{name}", which is no node'
                )
    return tuple(one for one in found if one.nodes)
