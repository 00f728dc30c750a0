"""The command line: ``costmodel`` and ``python -m costmodel``.

Data go to stdout, progress and notes to stderr. Exit codes: 0 success, 1 a failed
check, 2 usage, 3 an optional dependency is missing, 4 bad input or an output that
cannot be written, 130 interrupted or terminated, 141 nobody reads stdout any more, as
after ``| head -1``: what a shell tells of any program that a closed pipe ends.
"""

from __future__ import annotations

from costmodel.cli.commands import analyze as analyze
from costmodel.cli.commands import ask as ask
from costmodel.cli.commands import calibrate as calibrate
from costmodel.cli.commands import compare as compare
from costmodel.cli.commands import geometry as geometry
from costmodel.cli.commands import list_show as list_show
from costmodel.cli.commands import measure as measure
from costmodel.cli.commands import memory as memory
from costmodel.cli.commands import predict as predict
from costmodel.cli.commands import report as report
from costmodel.cli.commands import validate as validate
from costmodel.cli.commands import verify as verify
from costmodel.cli.commands.search import fit as fit
from costmodel.cli.commands.search import scale as scale
from costmodel.cli.commands.search import search as search
from costmodel.cli.commands.search import space as space
from costmodel.cli.program import main as main
