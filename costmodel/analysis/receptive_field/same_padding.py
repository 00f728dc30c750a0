"""Windows with TensorFlow's SAME padding: the least needed, more of it at the end."""

from __future__ import annotations

import sympy

from costmodel.algebra.extent import Extent, normal
from costmodel.algebra.symbols import as_dim
from costmodel.algebra.window import Window
from costmodel.errors import CostModelError


def as_tensorflow(window: Window, extent: Extent) -> Window:
    """Return a padded window that keeps ⌈n/s⌋ positions as TensorFlow's SAME pads it.

    It pads max(R − s, 0) or max(R − n mod s, 0) in all, ⌊half⌋ of it in front.
    """
    step = window.stride
    up = normal(extent.base, extent.offset + extent.stride * (step - 1),
                extent.stride * step)  # fmt: skip
    if window.before == window.after == 0 or extent.through(window) != up:
        return window
    rest = as_dim(sympy.Mod(sympy.sympify(extent.value), step))
    if not (type(rest) is int and type(window.size) is int and type(step) is int):
        raise CostModelError(
            f"how it is padded depends on {extent} mod {step}; give the input's size"
        )
    total = max(window.size - (rest or step), 0)
    return Window(window.size, step, total // 2, total - total // 2)
