"""The base classes of all errors that costmodel raises on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CostModelError(Exception):
    """Bad input: the message says what, where, which values and the likely cause."""

    def __str__(self) -> str:  # one line: what cannot be printed is escaped
        text = super().__str__()
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class MissingDependencyError(CostModelError):
    """An optional dependency is not installed; the message names the extra."""


def at(kind: str, name: str, problem: str) -> CostModelError:
    """Return an error that names the operator and the node.

    >>> str(at("concat", "3a", "branches differ in size"))
    'concat at "3a": branches differ in size'
    """
    return CostModelError(f'{kind} at "{name}": {problem}')


def short(value: object) -> str:
    """Return a value's text for a message; of a long one, its beginning.

    >>> short("H"), len(short("H" * 1000))
    ('H', 78)
    """
    text = str(value)
    return text if len(text) < 80 else f"{text[:77]}…"


def near(word: object, known: Iterable[str]) -> str:
    """Return a question that names the known words nearest to one, or nothing.

    >>> near("mac", ["macs", "layers"]), near("zzz", ["macs"])
    ('did you mean macs?', '')
    """
    words = {one.lower(): one for one in known}
    found = get_close_matches(str(word)[:99].lower(), words, n=3, cutoff=0.6)
    return f"did you mean {', '.join(words[one] for one in found)}?" if found else ""


def known_are(word: object, known: Iterable[str]) -> str:
    """Return a list of the known words, and the nearest ones to an unknown word.

    >>> known_are("mac", ["layers", "macs"])
    'known are layers, macs; did you mean macs?'
    """
    known = list(known)
    return "; ".join(filter(None, [f"known are {', '.join(known)}", near(word, known)]))


def no_network(
    query: str, value: object, needs: str = "a costmodel.Network"
) -> CostModelError:
    """Return an error that says how to get the network of what was given instead.

    >>> str(no_network("cost", None))
    'cost: needs a costmodel.Network, got NoneType'
    """
    kind = value if isinstance(value, type) else type(value)
    bases = {f"{c.__module__.partition('.')[0]}.{c.__name__}" for c in kind.__mro__}
    got, call = kind.__name__, ""
    if isinstance(value, str):
        got = f"the text {value[:99]!r}"
        call = (
            "; costmodel.load(name) gives a registered network, "
            "costmodel.bridge.onnx.read(path) that of an ONNX file"
        )
    elif "torch.Module" in bases:
        call = "; costmodel.trace(module) gives the network of a PyTorch module"
    elif "costmodel.Value" in bases:
        call = "; costmodel.network.build.network(value) makes one of what verbs give"
    if value is kind:
        got = f"the class {kind.__name__}"
    return CostModelError(f"{query}: needs {needs}, got {got}{call}")
