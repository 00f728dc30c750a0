"""The graph of ideas: every family stands in it, and time runs forward."""

from __future__ import annotations

import networkx as nx
import pytest

import costmodel as cm
from costmodel.errors import CostModelError
from costmodel.network.registry import architectures, lineage


def test_every_family_adds_an_idea_and_all_but_the_first_have_ancestors() -> None:
    graph = cm.lineage()
    for family, about in graph.nodes.items():
        assert about["idea"], family
        assert about["paper"], family
    families = {a.family for a in architectures().values()}
    assert families <= set(graph)
    first = {family for family in families if not list(graph.predecessors(family))}
    assert first == {"lenet5"}


def test_every_network_is_a_member_of_one_family() -> None:
    members = [name for _, m in cm.lineage().nodes(data="members") for name in m]
    assert sorted(members) == sorted(architectures())


def test_time_runs_forward() -> None:
    graph = cm.lineage()
    assert nx.is_directed_acyclic_graph(graph)
    for ancestor, family, takes in graph.edges(data="takes"):
        assert graph.nodes[ancestor]["year"] <= graph.nodes[family]["year"]
        assert takes, (ancestor, family)


@pytest.mark.parametrize(
    ("problem", "ancestor"),
    [
        ('lenet5: its ancestor "nobody" is neither a family nor an idea', "nobody"),
        ('lenet5: its ancestor "resnet" is younger', "resnet"),
    ],
)
def test_an_ancestor_that_cannot_be_is_an_error(problem: str, ancestor: str) -> None:
    graph = cm.lineage()
    with pytest.raises(CostModelError) as caught:
        lineage._connect(graph, ancestor, "lenet5", "an idea")
    assert str(caught.value) == problem
