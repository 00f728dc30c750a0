"""Lay out graphs for another process: read JSON lines with DOT, write lines with text.

Run as a program. A layout cannot be stopped from within, so it runs in a process of its
own, which the process that waits for it may end, and which ends with that process.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys


def serve() -> None:
    """Answer requests until the input ends."""
    import pygraphviz

    for line in sys.stdin:
        asked = json.loads(line)
        graph = pygraphviz.AGraph(string=asked["dot"])
        drawn: bytes = graph.draw(format=asked["format"], prog="dot")
        sys.stdout.write(json.dumps({"text": drawn.decode()}) + "\n")
        sys.stdout.flush()


def end_with_parent() -> None:
    """Have Linux kill this process as soon as the one that started it has ended.

    Elsewhere it ends with the layout in hand, after which its input has ended: while
    one is computed, no thread of ours runs.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    end_with_parent()
    serve()
