"""Write down what fvcore and PyTorch count of every registered network.

    python -m tests.record_checks

A report shows these numbers beside ours; ``costmodel report --all --oracles`` counts
them again, and so does every run of the checks.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from costmodel.cli.registered import RECORDED, record
from costmodel.network.registry import architectures
from costmodel.runtime.records import write_whole


PLACE = Path(__file__).parents[1] / "architectures" / RECORDED


if __name__ == "__main__":
    names = list(architectures())
    with ProcessPoolExecutor() as pool:
        texts = list(pool.map(record, [[name] for name in names]))
    lines = [line for text in texts for line in text.splitlines()[1:-1]]
    head = texts[0].splitlines()[0]
    write_whole(PLACE, f"{head}\n" + ",\n".join(lines) + "\n}}\n")
