"""How a network is run: a device profile belongs to exactly one such setting."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from costmodel.analysis.memory.weights import DTYPES
from costmodel.errors import CostModelError


DEVICES = ("cpu", "cuda")
LAYOUTS = ("nchw", "channels_last")
MODES = ("eager", "folded", "compile", "graph")


@dataclass(frozen=True, slots=True)
class Setting:
    """Device, number format, memory layout, how the graph is lowered, CPU threads.

    ``mode``: every operator by itself (``eager``), batch norm folded into convolutions
    (``folded``), chains of pointwise operators as one (``compile``), or eager operators
    replayed as one CUDA graph (``graph``). ``lanes`` is what the device's convolutions
    round channels up to: the float32 lanes of a vector register, 16 on AVX-512, 8 on
    AVX2, and 1 where nothing is rounded.

    >>> print(Setting(threads=2))
    cpu float32 nchw eager, 2 threads
    """

    device: str = "cpu"
    dtype: str = "float32"
    layout: str = "nchw"
    mode: str = "eager"
    threads: int = 1
    lanes: int = 16

    def __post_init__(self) -> None:
        """Refuse values that no network can be run with."""
        known = {
            "device": DEVICES, "dtype": tuple(DTYPES), "layout": LAYOUTS, "mode": MODES
        }  # fmt: skip
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise CostModelError(
                    f"setting: {name} {getattr(self, name)!r} is none of "
                    f"{', '.join(words)}"
                )
        for name in ("threads", "lanes"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise CostModelError(
                    f"setting: {name} {count!r} is no whole number from 1"
                )
        if self.mode == "graph" and self.device != "cuda":
            raise CostModelError(
                f"setting: mode graph is a CUDA graph; the device is {self.device}"
            )

    @property
    def element_bytes(self) -> int:
        """Bytes per element of its tensors."""
        return DTYPES[self.dtype]

    def to_json(self) -> dict[str, Any]:
        """Return the setting as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> Setting:
        """Return the setting of plain values."""
        try:
            return Setting(**values)
        except TypeError:
            raise CostModelError(
                f"setting: {sorted(values)} are not device, dtype, layout, mode, "
                "threads, lanes"
            ) from None

    def __str__(self) -> str:
        """Write cpu float32 nchw eager, 1 thread."""
        text = f"{self.device} {self.dtype} {self.layout} {self.mode}"
        if self.device != "cpu":
            return text
        return f"{text}, {self.threads} thread{'' if self.threads == 1 else 's'}"
