"""How much of the engine one has to read, and where: figures, each with a limit.

``python -m tests.size`` prints them and fails where one is above its limit. It reads
the source alone and imports none of it.

**Closure**: lines, docstrings included, of every file of ``costmodel`` that
``analysis/cost/__init__.py`` imports, and that these import, and so on. Those for type
checkers alone (``if TYPE_CHECKING``) do not count, and neither does a package's
``__init__.py``, unless it is what is imported. **Deferred** is the same with the
imports inside of functions, so that no line leaves the closure by moving its import
into a function. **Pages**: lines of ``network/operators/``, which the closure is
without: a cost is added up knowing the interface alone, and to trust it of a network
one reads, besides, the page of each operator that the network has.

**Floors**: lines of ``algebra/``, ``network/`` and ``analysis/``. **Lines**: those of
``costmodel/``, profiles and other data apart.

**Room**: the most Python files that one folder of ``costmodel`` or ``reports`` has.
``architectures`` is a catalogue, one file per paper. **Circles**: files that import
themselves by way of others, imports inside of functions included; that rooms do not
either is a contract of import-linter's.

**Classes**: concrete operators, the classes of ``network/operators`` that derive from
``Operator`` and that no class there derives from: all others are abstract.

**Files**: of each concrete operator, the files under ``costmodel``, ``architectures``
and ``reports`` that name it; the median over operators. A file names an operator if it
defines the class, imports it from ``costmodel``, uses that name or reads it off a
module of ``costmodel`` (``op.Concat``, but neither ``sympy.Add`` nor ``nn.ReLU``), or
holds its kind as text, alone or in a list of words between spaces. Text counts only if
the kind has an underscore: "add" and "linear" are names of much else.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median


ROOT = Path(__file__).parent.parent
OPERATORS = Path("costmodel/network/operators")
CORE = Path("costmodel/analysis/cost/__init__.py")
FLOORS = ("costmodel/algebra", "costmodel/network", "costmodel/analysis")
PRODUCT = ("costmodel", "architectures", "reports")
FOLDERS = {"costmodel.zoo": "architectures", "costmodel.reports": "reports"}


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is to become, and what it may not exceed until then."""

    goal: float | None
    """None where the goal is another figure's."""
    held: float
    what: str


LIMITS = {
    "closure": Limit(3_500, 3_495, "lines that cm.cost imports"),
    "pages": Limit(None, 3_648, "lines of network/operators"),
    "deferred": Limit(None, 10_470, "the same with imports inside of functions"),
    "floors": Limit(13_000, 20_419, "lines of algebra, network and analysis"),
    "lines": Limit(31_000, 50_836, "lines of costmodel"),
    "room": Limit(14, 14, "files of the fullest room"),
    "circles": Limit(0, 0, "files that import themselves by way of others"),
    "classes": Limit(48, 48, "concrete operator classes"),
    "files": Limit(5, 10, "files that name an operator class, median"),
}
"""By figure. A limit is lowered with it; 0033, 0034, 0036 to 0038 raised some."""


def main(arguments: Collection[str] = (), root: Path = ROOT) -> int:
    """Print each figure beside its limit and goal; return 1 if one is above its limit.

    ``--files`` also prints what the last figure is the median of, ``--closure`` the
    files of the first, ``--rooms`` how many files and lines each room has.
    """
    found = figures(root)
    page = [f"{'figure':<10}{'today':>8}{'limit':>8}{'goal':>8}"]
    for name, limit in LIMITS.items():
        goal = "" if limit.goal is None else f"{limit.goal:,}"
        numbers = f"{found[name]:>8,g}{limit.held:>8,}{goal:>8}"
        page.append(
            f"{name:<10}{numbers}  {limit.what}: {standing(found[name], limit)}"
        )
    if "--closure" in arguments:
        files = closure(root, CORE)
        page += [f"{lines(root / path):>6}  {path}" for path in files]
    if "--rooms" in arguments:
        for room, files in rooms(root).items():
            total = sum(lines(root / path) for path in files)
            page.append(f"{len(files):>6}{total:>8,}  {room}")
    if "--circles" in arguments:
        page += [f"{path}" for path in circles(root)]
    if "--files" in arguments:
        counts = {name: len(files) for name, files in named_in(root).items()}
        ranked = sorted(counts.items(), key=lambda item: item[1])
        page += [f"{count:>6}  {name}" for name, count in ranked]
    sys.stdout.write("\n".join(page) + "\n")
    return int(any(found[name] > limit.held for name, limit in LIMITS.items()))


def standing(value: float, limit: Limit) -> str:
    """Say where a figure stands between its limit and its goal."""
    if value > limit.held:
        return f"{value - limit.held:,g} ABOVE ITS LIMIT"
    lower = "; lower its limit" if value < limit.held else ""
    if limit.goal is None:
        return f"held{lower}"
    if value > limit.goal:
        return f"{value - limit.goal:,g} above its goal{lower}"
    return f"goal met{lower}"


def figures(root: Path) -> dict[str, float]:
    """Return the figures of a tree by name."""
    return {
        "closure": sum(lines(root / path) for path in closure(root, CORE)),
        "pages": sum(lines(root / path) for path in sources(root, [str(OPERATORS)])),
        "deferred": sum(
            lines(root / path) for path in closure(root, CORE, deferred=True)
        ),
        "floors": sum(lines(root / path) for path in sources(root, FLOORS)),
        "lines": sum(lines(root / path) for path in sources(root, PRODUCT[:1])),
        "room": max(map(len, rooms(root).values())),
        "circles": len(circles(root)),
        "classes": len(operators(root)),
        "files": median(map(len, named_in(root).values())),
    }


def sources(root: Path, folders: Iterable[str]) -> list[Path]:
    """Return the Python files under some folders, relative to the root."""
    return sorted(
        path.relative_to(root)
        for folder in folders
        for path in (root / folder).rglob("*.py")
    )


def rooms(root: Path) -> dict[Path, list[Path]]:
    """Return the Python files of each folder."""
    found: dict[Path, list[Path]] = {}
    for path in sources(root, ("costmodel", "reports")):
        found.setdefault(path.parent, []).append(path)
    return found


def circles(root: Path) -> list[Path]:
    """Return the files that their own imports lead back to."""
    files = sources(root, PRODUCT)
    imports = {path: list(imported(root, path, deferred=True)) for path in files}
    return [path for path in files if path in reached(imports, imports[path])]


def reached(imports: dict[Path, list[Path]], start: Iterable[Path]) -> set[Path]:
    """Return some files and all that they import, and what these import, and so on."""
    found, waiting = set[Path](), list(start)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imports[path]
    return found


def lines(path: Path) -> int:
    """Return the lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def closure(root: Path, start: Path, *, deferred: bool = False) -> list[Path]:
    """Return a file and all files of ``costmodel`` that it needs imported.

    ``deferred``: with those that it needs only once its functions are called.
    """
    found, waiting = set[Path](), [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(root, path, deferred=deferred)
    return sorted(found)


def imported(root: Path, path: Path, *, deferred: bool) -> Iterator[Path]:
    """Give the files of ``costmodel`` that a file imports."""
    package = path.parent.parts
    for node in executed(tree(root / path), deferred=deferred):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = [*above, *(node.module or "").split(".")]
            base = [part for part in base if part]
            parts = [[*base, alias.name] for alias in node.names]
            # What is no module of its own is defined in the package.
            names = [p if module(root, p) else base for p in parts]
        else:
            continue
        for name in names:
            if name[0] == "costmodel" and (file := module(root, name)):
                yield file


def module(root: Path, parts: list[str]) -> Path | None:
    """Return the file of a module by its dotted name's parts, if it is one."""
    top = FOLDERS.get(".".join(parts[:2]))
    base = Path(top, *parts[2:]) if top else Path(*parts)
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if (root / path).is_file():
            return path
    return None


def executed(node: ast.AST, *, deferred: bool) -> Iterator[ast.AST]:
    """Give every node of a syntax tree that importing executes, functions apart.

    What only type checkers see is left out.
    """
    yield node
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children = node.orelse
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not deferred:
        return
    for child in children:
        yield from executed(child, deferred=deferred)


def operators(root: Path) -> dict[str, str]:
    """Return the concrete operator classes, and the kind that each states or ""."""
    bases: dict[str, set[str]] = {}
    kinds: dict[str, str] = {}
    for path in sources(root, [str(OPERATORS)]):
        for node in ast.walk(tree(root / path)):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = set(map(named, node.bases))
                kinds[node.name] = kind_of(node)
    derived = {"Operator"}
    while more := {n for n, b in bases.items() if b & derived} - derived:
        derived |= more
    parents = set().union(*(bases[name] for name in derived if name in bases))
    return {name: kinds[name] for name in bases if name in derived - parents}


def named(base: ast.expr) -> str:
    """Return the last name of a base class, its parameters left out."""
    if isinstance(base, ast.Subscript):
        return named(base.value)
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


def kind_of(node: ast.ClassDef) -> str:
    """Return the text that a class body gives the name ``kind``."""
    for statement in node.body:
        match statement:
            case ast.AnnAssign(ast.Name("kind"), value=ast.Constant(str(kind))):
                return kind
            case ast.Assign([ast.Name("kind")], ast.Constant(str(kind))):
                return kind
    return ""


@cache
def named_in(root: Path) -> dict[str, list[Path]]:
    """Return by concrete operator the files of the product that name it."""
    known = operators(root)
    by_kind = {kind: name for name, kind in known.items() if "_" in kind}
    found: dict[str, list[Path]] = {name: [] for name in known}
    for path in sources(root, PRODUCT):
        for name in mentions(root, path, set(known), by_kind):
            found[name].append(path)
    return found


def mentions(
    root: Path, path: Path, known: set[str], by_kind: dict[str, str]
) -> set[str]:
    """Return the operators that one file names."""
    found: set[str] = set()
    nodes = list(ast.walk(tree(root / path)))
    modules = {name for node in nodes for name in modules_of(root, node)}
    is_home = path.is_relative_to(OPERATORS)
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(source), names=names) if ours(source):
                found |= {alias.name for alias in names} & known
            case ast.ClassDef(name=name) if is_home:
                found |= {name} & known
            case ast.Attribute(value=value, attr=name) if name in known:
                if ast.unparse(value) in modules:
                    found.add(name)
            case ast.Constant(str(text)):
                words = text.split()
                if all(word.isidentifier() for word in words):
                    found |= {by_kind[word] for word in words if word in by_kind}
    return found


def ours(source: str) -> bool:
    """Say whether a dotted name is one of this package."""
    return source.partition(".")[0] == "costmodel"


def modules_of(root: Path, node: ast.AST) -> Iterator[str]:
    """Give the names under which an import makes modules of ``costmodel`` known."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if ours(alias.name):
                yield alias.asname or alias.name
    elif isinstance(node, ast.ImportFrom) and ours(node.module or ""):
        for alias in node.names:
            if module(root, [*str(node.module).split("."), alias.name]):
                yield alias.asname or alias.name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
