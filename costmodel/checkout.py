"""Where a checkout has ``costmodel.zoo`` and ``costmodel.reports``: beside this folder.

Installed, they are folders of this package. In a checkout they are the folders
``architectures`` and ``reports`` at its top, where this finder leads; no module of
anybody's has to be called ``architectures`` or ``reports`` for it.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path


FOLDERS = {"costmodel.zoo": "architectures", "costmodel.reports": "reports"}
"""By package: its folder at the top of a checkout."""

_HERE = Path(__file__).parent


class _Checkout:
    """A finder, as ``sys.meta_path`` has them."""

    @staticmethod
    def find_spec(
        name: str, _path: object, _target: object = None
    ) -> ModuleSpec | None:
        """Return where a package of :data:`FOLDERS` is; None of any other."""
        folder = _HERE.parent / FOLDERS.get(name, "")
        file = folder / "__init__.py"
        if name not in FOLDERS or not file.is_file():
            return None
        places = [str(folder)]
        return spec_from_file_location(name, file, submodule_search_locations=places)


def find_folders() -> None:
    """Let Python find the packages, unless they are installed in this one."""
    if not (_HERE / "zoo").is_dir():
        # Before the finder of an editable installation, which may be another checkout.
        sys.meta_path.insert(0, _Checkout)
