"""Cells of a search as drawings: inputs, operations, sums and the output."""

from __future__ import annotations

import networkx as nx

from costmodel.reports.drawings.dot import Arrow, Box, Diagram, Drawn, drawn


def cell_drawing(
    graph: nx.DiGraph, prefix: str, label: str, *, alone: bool = False
) -> Drawn:
    """Return a cell as SVG; nodes have their ``label`` in a box."""
    boxes = tuple(
        Box(str(node), (str(data.get("label", node)),))
        for node, data in graph.nodes(data=True)
    )
    arrows = tuple(Arrow(str(one), str(other)) for one, other in graph.edges)
    return drawn(Diagram(boxes, arrows), prefix, label, alone=alone)
