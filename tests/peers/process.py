"""A tool in a process of its own, which answers one request after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, Self


PACKAGES = {"ptflops-aten": "ptflops", "xla": "jax"}
"""What has to be installed, where it has another name than the tool."""


def missing(tool: str) -> str | None:
    """Return the package that a tool lacks here, if any."""
    package = PACKAGES.get(tool, tool)
    return None if find_spec(package) else package


class Peer:
    """A process that counts with one tool; it ends with the ``with`` block."""

    def __init__(self, tool: str) -> None:
        """Start it."""
        self.tool = tool
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.peers", tool],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self, **request: Any) -> Any:
        """Return the answer to a request, as ``tests.peers`` describes both."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["counted"]

    def __enter__(self) -> Self:
        """Use it in a ``with`` block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let the process end."""
        self.process.communicate()
