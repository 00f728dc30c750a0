"""RegNet's design space. Radosavovic et al. 2020, arXiv:2003.13678, section 4."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.nas.spaces.architecture_space import ArchitectureSpace
from costmodel.nas.spaces.catalogue import register


@register("regnet")
class RegNets(ArchitectureSpace):
    """RegNets by depth d, initial width w₀, slope w_a, factor w_m and group width g.

    ``gated`` networks are Y's. Defaults cover what the paper's models are made of;
    an option that is one number is fixed.
    """

    def __init__(
        self,
        blocks: int | Sequence[int] = tuple(range(12, 29)),
        initial: int | Sequence[int] = tuple(range(24, 233, 8)),
        slope: object = tuple(range(20, 121, 5)),
        factor: object = ("2", "2.25", "2.5", "2.75", "3"),
        group_width: int | Sequence[int] = (8, 16, 24, 32, 40, 48, 56, 64),
        gated: bool = False,  # noqa: FBT001, FBT002
        resolution: int = 224,
    ) -> None:
        """Make the space of all combinations."""
        base = "regnet_y_400mf" if gated else "regnet_x_400mf"
        super().__init__(
            base, blocks=_listed(blocks), initial=_listed(initial),
            slope=_listed(slope), factor=_listed(factor),
            group_width=_listed(group_width), resolution=resolution,
        )  # fmt: skip
        self.name = "regnet"
        self.options["gated"] = gated


def _listed(given: object) -> object:
    """Return values to choose from as a list; a single one is fixed, and stays."""
    return list(given) if isinstance(given, (tuple, range)) else given
