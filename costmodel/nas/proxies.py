"""Zero-cost proxies: scores of untrained networks, which are no accuracies.

What each one is, with its source; :mod:`costmodel.bridge.proxies` computes them. A
proxy shortlists at best: none of them is consistently better than the number of
parameters (Li et al. 2023, arXiv:2301.11300, abstract), which is printed beside it.
"""

from __future__ import annotations

from costmodel.network.graph import Network


PROXY = "proxy:"
"""Before the name of a proxy, as a metric: ``proxy:jacob_cov``."""

_UNTRAINED = "score, untrained, noise input"

PROXIES = {
    "jacob_cov": f"jacob_cov {_UNTRAINED}",
    "naswot": f"naswot {_UNTRAINED}",
    "synflow": f"synflow {_UNTRAINED}",
}
"""By name: what an axis is called."""


def scored(network: Network, proxy: str) -> float:
    """Return a proxy's mean over the usual initializations.

    **Errors**: PyTorch is not installed; the network has no layer that the proxy reads.
    """
    from costmodel.bridge.proxies import scores

    found = scores(network, proxy)
    return sum(found) / len(found)
