"""Lay out graphs for another process: a JSON line with DOT comes, one with text goes.

Run as a program. A layout cannot be stopped from within, so it has a process of its
own, which whoever waits for it may end.
"""

from __future__ import annotations

import json
import sys


def serve() -> None:
    """Answer until nobody asks any more."""
    import pygraphviz

    for line in sys.stdin:
        asked = json.loads(line)
        graph = pygraphviz.AGraph(string=asked["dot"])
        drawn: bytes = graph.draw(format=asked["format"], prog="dot")
        sys.stdout.write(json.dumps({"text": drawn.decode()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
