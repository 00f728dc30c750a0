"""Run the command line: ``python -m costmodel``."""

from __future__ import annotations

from costmodel.cli import main


if __name__ == "__main__":
    main(prog_name="costmodel")
