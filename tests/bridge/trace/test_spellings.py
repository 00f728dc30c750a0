"""Every known function is read alike however PyTorch lets a call spell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from types import FunctionType
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn

from costmodel.algebra.symbols import H, W
from costmodel.bridge.trace import trace
from costmodel.bridge.trace.function_names import canonical
from costmodel.bridge.trace.readers import TABLE
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from tests.bridge.trace.modules import Code


def weights(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.rand(*sizes) + 0.5)


def the(x: torch.Tensor) -> Any:
    return x


def flat(x: torch.Tensor) -> Any:
    return x.flatten(2)


def tokens(x: torch.Tensor) -> Any:
    return x.flatten(2).transpose(1, 2)


def line(x: torch.Tensor) -> Any:
    return x.mean((2, 3))


def volume(x: torch.Tensor) -> Any:
    return x.unsqueeze(2)


def opened(x: torch.Tensor) -> Any:
    return (-1, 4, 2, *x.shape[2:])


def twice(x: torch.Tensor) -> Any:
    return x * 2


SIZES = (1, 2, 3)
OF = {1: flat, 2: the, 3: volume}
PAIR: dict[str, Any] = {"input": the, "other": twice}
NUMBER: dict[str, Any] = {"input": the, "other": 2}
ONE: dict[str, Any] = {"input": the}
AXIS: dict[str, Any] = {"input": the, "dim": 1, "keepdim": True}
AXES: dict[str, Any] = {"input": the, "dim": (2, 3), "keepdim": True}
STATISTICS: dict[str, Any] = {
    "input": the, "running_mean": torch.ones(8), "running_var": torch.ones(8),
    "weight": weights(8), "bias": weights(8),
}  # fmt: skip

CALLS: dict[str, list[dict[str, Any]]] = {
    **{f"conv{n}d": [{"input": OF[n], "weight": weights(4, 8, *(1,) * n), "bias": None,
                      "stride": 2, "padding": 1, "dilation": 1, "groups": 1},
                     {"input": OF[n], "weight": weights(4, 8, *(1,) * n),
                      "padding": "same"}] for n in SIZES},
    **{f"conv_transpose{n}d": [
        {"input": OF[n], "weight": weights(8, 4, *(1,) * n), "bias": None, "stride": 2,
         "padding": 0, "output_padding": 1, "groups": 1, "dilation": 2}]
       for n in SIZES},
    **{f"max_pool{n}d": [{"input": OF[n], "kernel_size": 1, "stride": 2, "padding": 0,
                          "dilation": 1, "ceil_mode": False},
                         {"input": OF[n], "kernel_size": (1,) * n}] for n in SIZES},
    **{f"avg_pool{n}d": [{"input": OF[n], "kernel_size": 1, "stride": 2, "padding": 0,
                          "ceil_mode": False, "count_include_pad": False}]
       for n in SIZES},
    **{f"adaptive_{word}_pool{n}d": [{"input": OF[n], "output_size": 1}]
       for n in SIZES for word in ("avg", "max")},
    "linear": [{"input": tokens, "weight": weights(5, 8), "bias": weights(5)}],
    "batch_norm": [STATISTICS],
    "instance_norm": [{"input": the, "weight": weights(8), "bias": weights(8)}],
    "layer_norm": [{"input": tokens, "normalized_shape": (8,), "weight": weights(8),
                    "bias": weights(8), "eps": 1e-5}],
    "rms_norm": [{"input": tokens, "normalized_shape": (8,), "weight": weights(8)}],
    "group_norm": [{"input": the, "num_groups": 2, "weight": weights(8),
                    "bias": weights(8), "eps": 1e-5}],
    "local_response_norm": [{"input": the, "size": 3, "alpha": 1e-4}],
    "prelu": [{"input": the, "weight": weights(8)}],
    "interpolate": [{"input": the, "size": None, "scale_factor": 2, "mode": "nearest"},
                    {"input": the, "size": (4, 4)}],
    "pad": [{"input": the, "pad": (1, 2, 1, 0), "mode": "reflect"}],
    "pixel_shuffle": [{"input": the, "upscale_factor": 2}],
    "pixel_unshuffle": [{"input": the, "downscale_factor": 2}],
    "channel_shuffle": [{"input": the, "groups": 2}],
    "hardtanh": [{"input": the, "min_val": 0, "max_val": 6}],
    "gelu": [{"input": the, "approximate": "tanh"}],
    "clamp": [{"input": the, "min": 0, "max": 1}, {"input": the, "max": 1},
              {"input": the, "min": 1}],
    "dropout1d": [{"input": flat, "p": 0.0, "training": False}],
    **{name: [{"input": the, "p": 0.0, "training": False},
              {"input": the, "p": 0.0, "train": False}]
       for name in ("dropout", "alpha_dropout", "feature_dropout",
                    "feature_alpha_dropout", "dropout2d", "dropout3d")},
    "softmax": [{"input": the, "dim": 1}],
    "log_softmax": [{"input": the, "dim": 1}],
    "detach": [ONE],
    "requires_grad": [ONE],
    "contiguous": [ONE, {"input": the, "memory_format": torch.channels_last}],
    "clone": [ONE, {"input": the, "memory_format": torch.channels_last}],
    "to": [ONE, {"input": the, "dtype": torch.float64},
           {"input": the, "device": "cpu"}, {"input": the, "other": twice}],
    "add": [PAIR, NUMBER, {**PAIR, "alpha": 2}],
    "sub": [PAIR, NUMBER, {**PAIR, "alpha": 2}],
    "rsub": [PAIR, NUMBER],
    "mul": [PAIR, NUMBER],
    "div": [PAIR, NUMBER, {**PAIR, "rounding_mode": None}],
    "rdiv": [PAIR, NUMBER],
    "maximum": [PAIR],
    "minimum": [PAIR],
    "pow": [{"input": the, "exponent": 3}, {"input": the, "exponent": twice},
            {"input": 2, "exponent": the}],
    "rpow": [PAIR, NUMBER],
    **{name: [PAIR, NUMBER] for name in ("gt", "ge", "lt", "le", "eq", "ne")},
    "floor_divide": [NUMBER],
    "lerp": [{"input": the, "end": twice, "weight": 0.5}],
    "addcmul": [{"input": the, "tensor1": the, "tensor2": twice, "value": 2}],
    **{name: [AXIS, AXES, {"input": the, "dim": (1, 3)}] for name in
       ("mean", "sum", "amax", "amin", "var", "std")},
    "prod": [AXIS],
    "max": [AXIS, PAIR, {"input": the, "dim": -1}],
    "min": [AXIS, PAIR, {"input": the, "dim": -1}],
    "var_mean": [AXIS, AXES, {"input": the, "dim": 1, "unbiased": False},
                 {"input": the, "dim": 1, "correction": 0, "keepdim": True}],
    "std_mean": [AXIS, AXES, {"input": the, "dim": 1, "unbiased": False},
                 {"input": the, "dim": 1, "correction": 0, "keepdim": True}],
    "norm": [{"input": the, "p": 2, "dim": 1, "keepdim": True},
             {"input": the, "ord": 2, "dim": 1, "keepdim": True},
             {"input": the, "dim": (2, 3), "keepdim": True}],
    "normalize": [{"input": the, "p": 2.0, "dim": -1, "eps": 1e-6}],
    "cumsum": [{"input": the, "dim": 2}],
    "view": [{"input": the, "size": opened},
             {"input": the, "dtype": torch.float32}],
    "reshape": [{"input": the, "shape": opened}],
    "view_as": [PAIR],
    "flatten": [{"input": the, "start_dim": 1, "end_dim": 2}],
    "unflatten": [{"input": the, "dim": 1, "sizes": (2, 4)}],
    "squeeze": [{"input": volume, "dim": 2}, {"input": volume, "dim": (2,)},
                {"input": volume}],
    "unsqueeze": [{"input": the, "dim": 2}],
    "permute": [{"input": the, "dims": (0, 2, 3, 1)}],
    "transpose": [{"input": the, "dim0": 1, "dim1": -1},
                  {"input": the, "axis0": 1, "axis1": -1}],
    "movedim": [{"input": the, "source": 1, "destination": -1},
                {"input": the, "source": (1, 2), "destination": (2, 1)}],
    "expand": [{"input": volume, "size": (-1, -1, 5, -1, -1)}],
    "expand_as": [PAIR],
    "broadcast_tensors": [{"tensors": lambda x: (x, x.mean((2, 3), keepdim=True))}],
    "repeat": [{"input": the, "repeats": (1, 1, 2, 3)}],
    "roll": [{"input": the, "shifts": 1, "dims": 2}],
    "flip": [{"input": the, "dims": (2, 3)}],
    "narrow": [{"input": the, "dim": 1, "start": 2, "length": 3}],
    "chunk": [{"input": the, "chunks": 2, "dim": 1}],
    "split": [{"input": the, name: size, "dim": 1} for size in (3, (1, 7))
              for name in ("split_size", "split_size_or_sections")],
    "split_with_sizes": [{"input": the, "split_sizes": (1, 7), "dim": 1}],
    "select": [{"input": the, "dim": 1, "index": -1}],
    "tensor_split": [{"input": the, "sections": 3, "dim": 1},
                     {"input": the, "indices": (1, -2), "dim": 1}],
    "unbind": [{"input": the, "dim": 1}],
    "cat": [{"tensors": lambda x: [x, x], "dim": 1}],
    "stack": [{"tensors": lambda x: [x, x], "dim": 1}],
    "unfold": [{"input": the, "kernel_size": 3, "dilation": 1, "padding": 1,
                "stride": 2}, {"input": the, "dimension": 1, "size": 3, "step": 3}],
    "glu": [{"input": the, "dim": 1}],
    "matmul": [{"input": tokens, "other": flat}],
    "rmatmul": [{"input": flat, "other": tokens}],
    "bmm": [{"input": tokens, "mat2": flat}],
    "mm": [{"input": line, "mat2": weights(8, 3)}],
    "addmm": [{"input": weights(3), "mat1": line, "mat2": weights(8, 3)}],
    "baddbmm": [{"input": lambda x: tokens(x) @ flat(x), "batch1": tokens,
                 "batch2": flat, "beta": 1, "alpha": 2}],
    "einsum": [{"equation": "nchw,nchw->nc", "operands": lambda x: (x, x)}],
    "scaled_dot_product_attention": [
        {"query": tokens, "key": tokens, "value": tokens, "attn_mask": None,
         "dropout_p": 0.0}],
}  # fmt: skip
"""Arguments by PyTorch's names and in its order, for every name with a reader."""

ELSEWHERE = {"t", "T", "mT", "iter", "getitem", "multi_head_attention_forward"}
"""Names of readers without such a call: of matrices, of syntax, of a module."""

ALIASES = {"dim": "axis", "keepdim": "keepdims", "input": "x1", "other": "x2"}
"""Names that ``torch`` takes as well."""


@cache
def functions() -> dict[str, list[Callable[..., Any]]]:
    """Return PyTorch's public functions and methods by the name of their reader."""
    found: dict[str, list[Callable[..., Any]]] = {}
    spaces = (torch, F, torch.Tensor, torch.special, torch.linalg)
    for space, name in ((s, n) for s in spaces for n in dir(s)):
        one = getattr(space, name)
        is_public = not name.startswith("_") or name.endswith("__")
        if is_public and callable(one) and not isinstance(one, type):
            found.setdefault(canonical(one), []).append(one)
    return found


def spelled(arguments: dict[str, Any]) -> Iterator[Any]:
    """Return ways to give arguments: so many by position, others by either name."""
    names = list(arguments)

    def given(value: Any, x: torch.Tensor) -> Any:
        return value(x) if isinstance(value, FunctionType) else value

    for many in range(len(names) + 1):
        both = [(n, *([ALIASES[n]] if n in ALIASES else [])) for n in names[many:]]
        for keys in product(*both):

            def make(x: Any, many: int = many, keys: Any = keys) -> Any:
                values = [given(value, x) for value in arguments.values()]
                return values[:many], dict(zip(keys, values[many:], strict=True))

            yield make

    def one_by_one(x: Any) -> Any:
        *values, last = [given(value, x) for value in arguments.values()]
        return [*values, *last], {}

    yield one_by_one


def plain(func: Any, make: Any) -> Any:
    """Return the result for an image, without tracing; None if PyTorch refuses it."""
    x = torch.rand(2, 8, 6, 10, generator=torch.Generator().manual_seed(0))
    try:
        args, options = make(x)
        with torch.no_grad():
            result = func(*args, **options)
    except Exception:  # noqa: BLE001 - it is no way to spell the call
        return None
    made = result if isinstance(result, (tuple, list)) else [result]
    return [one.double() for one in made if isinstance(one, torch.Tensor)] or None


def same(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(
        a.shape == b.shape and torch.allclose(a, b, equal_nan=True)
        for a, b in zip(left, right, strict=True)
    )


def read(arguments: dict[str, Any], func: Any, make: Any) -> Network | str:
    """Return the network of a call, or what is said about it."""
    held = {k: v for k, v in arguments.items() if isinstance(v, nn.Parameter)}
    stored = {k: v for k, v in arguments.items() if type(v) is torch.Tensor}

    def run(_: Any, x: torch.Tensor) -> Any:
        args, options = make(x)
        return func(*args, **options)

    module = Code(run, **held)
    for name, value in stored.items():
        module.register_buffer(name, value)
    try:
        return trace(module, (8, H, W), check=False)
    except CostModelError as error:
        return str(error)


def test_every_reader_has_a_call() -> None:
    assert CALLS.keys() | ELSEWHERE == TABLE.keys()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_read_alike_however_it_is_spelled(name: str) -> None:
    seen = 0
    for arguments in CALLS[name]:
        base: tuple[Any, Any, str] | None = None
        for func, make in product(functions()[name], spelled(arguments)):
            result = plain(func, make)
            if result is None or (base is not None and not same(base[0], result)):
                continue
            net = read(arguments, func, make)
            words = f"{func} with {arguments}"
            assert isinstance(net, Network), f"{words}: {net}"
            base = base or (result, net, words)
            assert net.nodes == base[1].nodes, f"{words} is not {base[2]}"
            seen += 1
    assert seen
