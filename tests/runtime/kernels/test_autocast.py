"""Mixed precision; ``tests/model_zoo/test_autocast.py`` has PyTorch's own autocast."""

from __future__ import annotations

from costmodel.network.build import add, batch_norm, conv, image, network, relu
from costmodel.runtime.kernels.autocast import Moved, moved


def test_halves_alone_move_nothing_more() -> None:
    x = conv(image(3, 8, 8), 4, kernel=3)
    net = network(add(relu(batch_norm(x)), x), batch=1)
    found = moved(net)
    assert found.pop("conv1") == Moved(0, 3 * 64, 1)  # the image is float32
    assert set(found.values()) == {Moved(0, 0, 0)}
    assert Moved(0, 192, 1).cast_bytes == 192 * (2 + 4)
