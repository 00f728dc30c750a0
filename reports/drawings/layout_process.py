"""Lay out graphs for another process: read JSON lines with DOT, write lines with text.

Run as a program. A layout cannot be stopped from within, so it runs in a process of its
own, which the process that waits for it may end.
"""

from __future__ import annotations

import json
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


if __name__ == "__main__":
    serve()
