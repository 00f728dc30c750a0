"""What several laws draw: networks bound to a legal size."""

from __future__ import annotations

from hypothesis import note
from hypothesis import strategies as st

from costmodel.network.graph import Network
from costmodel.testing import input_sizes, networks


@st.composite
def bound_networks(
    draw: st.DrawFn, least: int = 1, most: int = 3, more: int = 24
) -> Network:
    """Draw a network, a legal size (odd and small ones too) and a batch, bound."""
    net = draw(networks())
    height, width = draw(input_sizes(net, more=more))
    bound = net.bind(H=height, W=width, N=draw(st.integers(least, most)))
    note(str(bound))
    return bound


def input_size(net: Network) -> tuple[int, ...]:
    """Return batch, channels, height and width."""
    return (int(net.batch), *map(int, net.inputs[0].output.sizes))
