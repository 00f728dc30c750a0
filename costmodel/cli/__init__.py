"""The command line: ``costmodel`` and ``python -m costmodel``.

Data go to stdout, progress and notes to stderr. Exit codes: 0 success, 1 a failed
check, 2 usage, 3 an optional dependency is missing, 4 bad input or an output that
cannot be written, 130 interrupted or terminated.
"""

from __future__ import annotations

from costmodel.cli import analyze as analyze
from costmodel.cli import ask as ask
from costmodel.cli import beside as beside
from costmodel.cli import calibrate as calibrate
from costmodel.cli import field as field
from costmodel.cli import look as look
from costmodel.cli import measure as measure
from costmodel.cli import memory as memory
from costmodel.cli import predict as predict
from costmodel.cli import validate as validate
from costmodel.cli import verify as verify
from costmodel.cli import write as write
from costmodel.cli.program import main as main
