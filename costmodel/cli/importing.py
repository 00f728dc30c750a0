"""Import of users' code, with its errors turned into one clear line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import reduce
from pathlib import Path
from typing import Any

from costmodel.errors import CostModelError, MissingDependencyError, near


INSTALLS = {
    "torch": '"costmodel[torch]"', "onnx": '"costmodel[onnx]"',
    "torchvision": "torchvision", "timm": "timm",
}  # fmt: skip
"""The command that installs a missing package."""

_OURS = ("architectures", "reports")
"""Packages of ours that a user's folder may be named like."""


@contextmanager
def user_code(where: str) -> Iterator[None]:
    """Run a user's code: it prints to stderr, and its errors name their origin.

    For a missing package that is known, the error has the command that installs it.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except MissingDependencyError:
        raise
    except CostModelError as error:
        raise CostModelError(f"{where}: {error}") from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in INSTALLS:
            raise MissingDependencyError(
                f"{where} needs {package}; install it with: "
                f"pip install {INSTALLS[package]}"
            ) from error
        raise CostModelError(_said(where, error)) from error
    except (Exception, SystemExit) as error:
        raise CostModelError(_said(where, error)) from error


def _said(where: str, error: BaseException) -> str:
    """Return an exception as one line, with the line of the file it came from."""
    text = str(error).strip().splitlines()
    said = f"{where}: {type(error).__name__}" + (f": {text[0].strip()}" if text else "")
    file = where.rpartition(":")[0] or where
    path = Path(file).absolute() if file.endswith(".py") else None
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f"{said} (line {lines[-1]})" if lines else said


@contextmanager
def imported(target: str) -> Iterator[Any]:
    """Import what ``package.module:attribute`` or ``file.py:attribute`` names.

    A file may import its neighbours, as a script may; they are unloaded afterwards.
    The current folder is searched last for a module.
    """
    place, _, attribute = target.rpartition(":")
    if not place or not all(part.isidentifier() for part in attribute.split(".")):
        raise CostModelError(f'"{target}": no name of an attribute after the colon')
    if place.endswith(".py"):
        path = Path(place).absolute()
        if not path.is_file():
            raise CostModelError(f"{place}: there is no such file")
        with _neighbours(path.parent), _loaded(path, place) as module:
            yield _attribute(module, place, attribute)
        return
    before = sys.path.copy()
    sys.path.append(str(Path.cwd()))
    try:
        yield _attribute(_module(place), place, attribute)
    finally:
        sys.path[:] = before


def _module(place: str) -> Any:
    if not all(part.isidentifier() for part in place.split(".")):
        raise CostModelError(
            f'"{place}" is neither a module, such as package.module, nor a file of '
            "Python, which ends in .py"
        )
    importlib.invalidate_caches()
    with user_code(place):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            top = place.partition(".")[0]
            is_named = f"{place}.".startswith(f"{error.name}.")
            if not is_named or (error.name == top and top in INSTALLS):
                raise
            text = f'there is no module "{error.name}" here, and none is installed'
        raise CostModelError(text)


@contextmanager
def _loaded(path: Path, place: str) -> Iterator[Any]:
    """Import a file under a name that no other module has."""
    name = f"_costmodel_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:  # pragma: no cover - it ends in .py
        raise CostModelError(f"{place}: is not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with user_code(place):
            spec.loader.exec_module(module)
        yield module
    finally:
        sys.modules.pop(name, None)


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """Make the modules of a folder importable for a while, and unload them afterwards.

    Two files may have neighbours of one name, and neighbours may be named like ours.
    """
    if str(folder) in sys.path:
        yield
        return
    names = {p.stem for p in folder.glob("*.py")} | {
        p.name for p in folder.iterdir() if p.is_dir()
    }
    hidden = _taken(name for name in names if name in _OURS or _is_passing(name))
    modules, path, wrote = set(sys.modules), sys.path.copy(), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = wrote
        sys.path[:] = path
        new = {name.partition(".")[0] for name in set(sys.modules) - modules}
        _taken(name for name in new & names if _lies_in(sys.modules.get(name), folder))
        sys.modules.update(hidden)


def _taken(names: Any) -> dict[str, Any]:
    """Remove packages with all their modules from the loaded ones."""
    tops = set(names)
    found = [name for name in sys.modules if name.partition(".")[0] in tops]
    return {name: sys.modules.pop(name) for name in found}


def _is_passing(name: str) -> bool:
    """Say whether a module came from a folder that is no longer on the path."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if name == "costmodel" or module is None or file is None:
        return False
    folder = Path(file).parent
    here = folder.parent if hasattr(module, "__path__") else folder
    return str(here) not in sys.path


def _lies_in(module: Any, folder: Path) -> bool:
    """Say whether a module or package lies in this folder."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(Path(place).parent == folder for place in places if place)


def _attribute(module: Any, place: str, attribute: str) -> Any:
    """Return an attribute of a module, possibly a nested one with dots."""
    with user_code(place):
        try:
            return reduce(getattr, attribute.split("."), module)
        except AttributeError:
            public = [name for name in dir(module) if not name.startswith("_")]
            text = f'there is no attribute "{attribute}"; {near(attribute, public)}'
            text = text.removesuffix("; ")
        raise CostModelError(text)
