"""Inception modules as tables: branches side by side, each a chain of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from costmodel.algebra.symbols import Dim
from costmodel.network.build import (
    Size,
    Value,
    concat,
    conv_bn_relu,
    dropout,
    global_average_pool,
    linear,
    max_pool,
    scope,
)


Layer: TypeAlias = (
    "tuple[int, Size] | tuple[int, Size, int] | Callable[[Value], Value] | Module"
)
"""(channels, kernel) is padded to keep the size; (channels, kernel, stride) is not."""

Branch: TypeAlias = "Sequence[Layer]"
Module: TypeAlias = "list[Branch]"

Row: TypeAlias = "tuple[Dim, ...]"
"""A module as in a table: the channels of its layers."""

Unit: TypeAlias = Callable[..., Value]
"""A convolution with its activation, as a function of input, channels, kernel, stride."""

Gate: TypeAlias = Callable[[Value], Value]
"""A function of a module's result: the identity, or squeeze and excitation."""

ACROSS, DOWN = (1, 7), (7, 1)
HALVE = partial(max_pool, kernel=3, stride=2)


def inception(x: Value, module: Module, width: Dim) -> Value:
    """Concatenate the branches of a module."""
    return concat(*(chain(x, branch, width) for branch in module))


def chain(x: Value, branch: Branch, width: Dim) -> Value:
    """Apply layers in order; a module may be one of them."""
    for layer in branch:
        if callable(layer):
            x = layer(x)
        elif isinstance(layer, list):
            x = inception(x, layer, width)
        elif len(layer) == 2:
            x = conv_bn_relu(x, layer[0] * width, layer[1])
        else:
            x = conv_bn_relu(x, layer[0] * width, layer[1], layer[2], padding=0)
    return x


def modules(x: Value, table: dict[str, Module], width: Dim) -> Value:
    """Apply named modules in order."""
    for name, module in table.items():
        with scope(name):
            x = inception(x, module, width)
    return x


def head(x: Value, classes: Dim, percent: int = 0) -> Value:
    """Classify by global average pooling, dropout of so many percent, and a linear layer."""
    with scope("head"):
        x = global_average_pool(x)
        return linear(dropout(x, percent) if percent else x, classes)
