"""Canonical forms: equal exactly where graphs are isomorphic; counts by Burnside."""

from __future__ import annotations

from itertools import product
from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.nas.spaces.canonical import Terms, added, canonical
from costmodel.nas.spaces.dags import Graphs, pairs


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[list[int]]]:
    """Small labelled graphs; a vertex may read another twice."""
    size = draw(st.integers(1, 7))
    labels = draw(st.lists(st.sampled_from("ab"), min_size=size, max_size=size))
    reads = [
        draw(st.lists(st.integers(0, v - 1), max_size=3)) if v else []
        for v in range(size)
    ]
    return labels, reads


def as_networkx(labels: list[str], reads: list[list[int]]) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    for vertex, (label, sources) in enumerate(zip(labels, reads)):
        graph.add_node(vertex, label=label)
        graph.add_edges_from((source, vertex) for source in sources)
    return graph


@given(graphs(), st.randoms(use_true_random=False))
def test_the_form_does_not_depend_on_how_a_graph_is_written(
    graph: tuple[list[str], list[list[int]]], random: Random
) -> None:
    labels, reads = graph
    order = list(range(len(labels)))
    random.shuffle(order)
    place = {vertex: number for number, vertex in enumerate(order)}
    turned = [[place[source] for source in reads[vertex]] for vertex in order]
    for sources in turned:
        random.shuffle(sources)
    assert canonical([labels[v] for v in order], turned) == canonical(labels, reads)


@given(graphs(), graphs())
def test_equal_forms_are_isomorphic_graphs(
    one: tuple[list[str], list[list[int]]], other: tuple[list[str], list[list[int]]]
) -> None:
    same = nx.is_isomorphic(
        as_networkx(*one), as_networkx(*other),
        node_match=lambda a, b: a["label"] == b["label"],
        edge_match=lambda a, b: len(a) == len(b),
    )  # fmt: skip
    assert (canonical(*one) == canonical(*other)) == same


@pytest.mark.filterwarnings("ignore:The hashes produced for directed graphs")
def test_two_graphs_that_no_number_of_rounds_tells_apart() -> None:
    """Two layers of four, joined as one cycle of 8 or as two of 4."""
    one = [(0, 1), (1, 2), (2, 3), (3, 0)]
    two = [(0, 1), (1, 0), (2, 3), (3, 2)]
    forms, hashes = [], []
    for pattern in (one, two):
        reads: list[list[int]] = [[], *[[0]] * 4]
        reads += [[1 + a, 1 + b] for a, b in pattern]
        reads.append([5, 6, 7, 8])
        labels = ["x"] * 10
        forms.append(canonical(labels, reads))
        graph = nx.DiGraph((s, v) for v, sources in enumerate(reads) for s in sources)
        nx.set_node_attributes(graph, "x", "label")
        hashes.append(
            nx.weisfeiler_lehman_graph_hash(graph, node_attr="label", iterations=9)
        )
        assert graph.number_of_edges() == 16
    assert hashes[0] == hashes[1]
    assert forms[0] != forms[1]


def test_cells_up_to_isomorphism_are_as_many_as_published() -> None:
    """Ying et al. 2019, section 2.2: 423,624; each number twice, listed and counted."""
    found = [Graphs(vertices, 9, 3) for vertices in range(2, 8)]
    assert [g.count for g in found] == [1, 6, 84, 2441, 62010, 359082]
    assert [len(g.labelled[0]) for g in found] == [g.count for g in found]
    assert sum(g.count for g in found) == 423_624
    assert [len(g.structures) for g in found] == [1, 2, 10, 97, 810, 1574]
    written = [len(g.written) * 3**g.inner for g in found]
    assert written == [1, 6, 90, 3267, 125145, 1164699]


@pytest.mark.parametrize(
    ("vertices", "edges", "labels", "count"),
    [(8, 9, 3, 448_068), (6, 15, 3, 150_684), (7, 21, 1, 80_176)],
)
def test_cells_beyond_the_publication(
    vertices: int, edges: int, labels: int, count: int
) -> None:
    found = Graphs(vertices, edges, labels)
    assert found.count == count
    assert len(found.labelled[0]) == count


@pytest.mark.parametrize(("vertices", "labels"), [(4, 2), (5, 2), (5, 3)])
def test_enumeration_is_what_canonical_forms_give(vertices: int, labels: int) -> None:
    """The least of all ways to write a graph, and the forms of all graphs, agree."""
    found = Graphs(vertices, 20, labels)
    forms = set()
    for mask in range(1 << len(pairs(vertices))):
        edges = [e for bit, e in enumerate(pairs(vertices)) if mask >> bit & 1]
        graph = nx.DiGraph(edges)
        last = vertices - 1
        if graph.number_of_nodes() < vertices or any(
            not (nx.has_path(graph, 0, v) and nx.has_path(graph, v, last))
            for v in range(vertices)
        ):
            assert mask not in found.numbers
            continue
        assert mask in found.numbers
        for chosen in product("abc"[:labels], repeat=vertices - 2):
            words = ["in", *chosen, "out"]
            reads = [[i for i, j in edges if j == v] for v in range(vertices)]
            forms.add(canonical(words, reads))
    assert len(forms) == found.count


def test_carried_labels_go_where_the_vertices_went() -> None:
    found = Graphs(5, 9, 3)
    assert found.carry(np.array([1 + 2 * 3]), (2, 0, 1)).tolist() == [2 + 1 * 9]


def test_terms_of_one_pooling_are_one_and_convolutions_are_not() -> None:
    terms = Terms()
    x = terms.input("x")
    pooled = terms.layer("pool", x, weights=False)
    again = terms.layer("pool", x, weights=False)
    twice = terms.form(added(pooled, again))
    conv, other = terms.layer("conv", x), terms.layer("conv", x)
    assert twice == terms.form(added(pooled, pooled))
    assert terms.form(added(conv, other)) == terms.form(added(other, conv))
    assert terms.form(added(conv, other)) != terms.form(added(conv, conv))
    assert terms.layer("conv", terms.layer("pool", (), weights=False)) == ()
