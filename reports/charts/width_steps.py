"""The exact cost of a network along its width, beside the law α²: a staircase."""

from __future__ import annotations

from costmodel.algebra.code.numpy_code import lambdify
from costmodel.algebra.symbols import H, N, W, alpha
from costmodel.analysis.cost import cost
from costmodel.errors import CostModelError
from costmodel.network.registry import find, load
from costmodel.reports.charts.svg import named
from costmodel.reports.optional import library


NETWORK = "mobilenet_v2"
"""Its channels are rounded to multiples of 8, so that the steps are large."""

EXACT, LAW = "exact: channels are whole numbers", "law: α²"

_HUNDREDTHS = range(25, 151)


def staircase() -> str:
    """Return the chart as SVG; empty where the network is not installed."""
    try:
        side = find(NETWORK).resolution
        law = cost(load(NETWORK, width=alpha)).macs
    except CostModelError:
        return ""
    macs = lambdify(law, (N, H, W, alpha))
    whole = float(macs(1, side, side, 1))
    rows = []
    for hundredths in _HUNDREDTHS:
        width = hundredths / 100
        exact = float(macs(1, side, side, width))
        for name, count in ((EXACT, exact), (LAW, whole * width**2)):
            rows.append({"width": width, "MACs": count, "what": name})
    altair = library("altair")
    lines = altair.Chart(altair.InlineData(values=rows)).mark_line(aria=False)
    lines = lines.encode(
        x=altair.X("width:Q", title=f"Width α of {NETWORK}",
                   scale=altair.Scale(zero=False, nice=False)),
        y=altair.Y("MACs:Q", axis=altair.Axis(format="~s", title="MACs")),
        color=altair.Color("what:N", title=None,
                           scale=altair.Scale(range=["#0072B2", "#D55E00"]),
                           legend=altair.Legend(orient="top", labelLimit=0)),
    )  # fmt: skip
    return named(lines, (620, 320))
