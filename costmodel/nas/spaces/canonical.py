"""Canonical forms: when two cells are one graph, or one function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from costmodel.errors import CostModelError


Form: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
"""A graph's canonical form: by vertex its label, and the vertices that it reads."""


def canonical(labels: Sequence[str], operands: Sequence[Sequence[int]]) -> Form:
    """Return a form that two labelled graphs share if and only if they are isomorphic.

    Vertex i has ``labels[i]`` and reads ``operands[i]``, in no order, some maybe twice.
    Vertices are told apart by what they read and by what reads them, round by round
    (Weisfeiler–Lehman). Where that leaves some alike, each of them in turn is taken to
    be the first, and the least form wins: no hash decides.

    **Source**: McKay & Piperno 2014, "Practical graph isomorphism, II", section 2.

    >>> one = canonical(["input", "conv", "pool", "output"], [(), (0,), (0,), (1, 2)])
    >>> one == canonical(["output", "pool", "input", "conv"], [(1, 3), (2,), (), (2,)])
    True
    >>> one == canonical(["input", "conv", "pool", "output"], [(), (0,), (1,), (1, 2)])
    False
    """
    if len(labels) != len(operands):
        raise CostModelError(f"{len(labels)} labels of {len(operands)} vertices")
    readers: list[list[int]] = [[] for _ in labels]
    for vertex, sources in enumerate(operands):
        for source in sources:
            readers[source].append(vertex)
    ranks = {label: rank for rank, label in enumerate(sorted(set(labels)))}
    return _least(labels, operands, readers, [ranks[label] for label in labels])


def _least(
    labels: Sequence[str],
    operands: Sequence[Sequence[int]],
    readers: Sequence[Sequence[int]],
    colours: list[int],
) -> Form:
    """Return the least form among orders of vertices that colours leave open."""
    colours = _refined(operands, readers, colours)
    alike = [colour for colour, count in Counter(colours).items() if count > 1]
    if not alike:
        order = sorted(range(len(labels)), key=colours.__getitem__)
        return tuple(
            (labels[v], tuple(sorted(colours[s] for s in operands[v]))) for v in order
        )
    first = min(alike)
    tried = [vertex for vertex, colour in enumerate(colours) if colour == first]
    places = {(tuple(sorted(operands[v])), tuple(sorted(readers[v]))) for v in tried}
    if len(places) == 1:
        tried = tried[:1]  # they may change places, whatever the others do
    forms = []
    for vertex in tried:
        # Twice as many colours make room for one before all that are like it.
        apart = [2 * colour + 1 for colour in colours]
        apart[vertex] -= 1
        forms.append(_least(labels, operands, readers, apart))
    return min(forms)


def _refined(
    operands: Sequence[Sequence[int]],
    readers: Sequence[Sequence[int]],
    colours: list[int],
) -> list[int]:
    """Split colours by those of the neighbours until none splits any more."""
    while True:
        seen = [
            (
                colour,
                tuple(sorted([colours[s] for s in operands[v]])),
                tuple(sorted([colours[s] for s in readers[v]])),
            )
            for v, colour in enumerate(colours)
        ]
        ranks = {key: rank for rank, key in enumerate(sorted(set(seen)))}
        refined = [ranks[key] for key in seen]
        if len(ranks) == len(set(colours)):
            return refined
        colours = refined


Value: TypeAlias = tuple[int, ...]
"""A sum of terms, by number, in order; the empty sum is 0."""


class Terms:
    """Values of a cell as sums of terms, to see when two cells are one function.

    Terms are what layers make of values. Of a layer without weights, such as pooling,
    two terms that read the same value are one; each layer with weights makes its own.
    Layers of 0 give 0: nothing that is trained there reaches the output.

    >>> terms = Terms()
    >>> x = terms.input("x")
    >>> terms.layer("pool", x, weights=False) == terms.layer("pool", x, weights=False)
    True
    >>> terms.layer("conv", x) == terms.layer("conv", x), terms.layer("conv", ())
    (False, ())
    """

    def __init__(self) -> None:
        """Start without terms."""
        self._labels: list[str] = []
        self._operands: list[Value] = []
        self._known: dict[tuple[str, Value], Value] = {}

    def input(self, label: str) -> Value:
        """Return an input of the cell."""
        return self._term(label, ())

    def layer(self, label: str, value: Value, *, weights: bool = True) -> Value:
        """Return what a layer makes of a value."""
        if not value:
            return ()
        if weights:
            return self._term(label, value)
        key = (label, value)
        if key not in self._known:
            self._known[key] = self._term(label, value)
        return self._known[key]

    def form(self, *outputs: Value) -> Form:
        """Return the canonical form of outputs, which are stacked in any order.

        Terms that no output needs are left out.
        """
        ends = [self._term("output", value) for value in outputs]
        waiting, needed = [end for (end,) in ends], dict[int, None]()
        while waiting:
            term = waiting.pop()
            if term not in needed:
                needed[term] = None
                waiting += self._operands[term]
        number = {term: count for count, term in enumerate(needed)}
        return canonical(
            [self._labels[term] for term in needed],
            [[number[t] for t in self._operands[term]] for term in needed],
        )

    def _term(self, label: str, value: Value) -> Value:
        self._labels.append(label)
        self._operands.append(value)
        return (len(self._labels) - 1,)


def added(*values: Value) -> Value:
    """Return the sum of some values, whose order does not matter.

    >>> added((3,), (1, 2), ())
    (1, 2, 3)
    """
    return tuple(sorted(term for value in values for term in value))
