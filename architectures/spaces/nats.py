"""The size space of NATS-Bench. Dong et al. 2021, arXiv:2009.00437, section 3.2."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.nas.spaces.catalogue import register
from costmodel.nas.spaces.choices import Choices
from costmodel.nas.spaces.space import check_counts, check_listed
from costmodel.network.graph import Network
from costmodel.zoo.spaces.nasbench201 import DATASETS, skeleton, unknown_dataset


CELL = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3",
        "skip_connect", "nor_conv_3x3", "nor_conv_3x3")  # fmt: skip
"""The cell that all networks have, by edge: the best one on CIFAR-100."""

WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)


@register("nats_size")
class NatsSize(Choices):
    """One cell, and five layers whose channels are chosen: 8 to 64."""

    def __init__(
        self, dataset: str = "cifar10", widths: Sequence[int] = WIDTHS
    ) -> None:
        """Make the space."""
        if dataset not in DATASETS:
            raise unknown_dataset("nats_size", dataset)
        check_listed("nats_size", widths=widths)
        check_counts("nats_size", widths=widths)

        def build(**layers: int) -> Network:
            channels = list(layers.values())
            return skeleton(CELL, channels, 1, dataset, "nats_size")

        names = [f"layer{number}" for number in range(5)]
        super().__init__(
            "nats_size", dict.fromkeys(names, widths), build,
            groups=[(place, place + 1) for place in range(4)],
            options={"dataset": dataset, "widths": tuple(widths)},
        )  # fmt: skip

    def text(self, point: Sequence[int]) -> str:
        """Write the channels as the benchmark does: 8:8:8:16:32."""
        return ":".join(map(str, self.values(point).values()))

    def _read(self, text: str) -> tuple[int, ...]:
        """Read channels as the benchmark writes them."""
        words = zip(self.choices, text.split(":"))
        return super()._read(" ".join(f"{key}={word}" for key, word in words))
