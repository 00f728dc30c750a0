"""Canonical names of torch functions, methods and kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from costmodel.network.operators.functions import functions, traced_as


@lru_cache(maxsize=4096)
def canonical(func: Callable[..., Any]) -> str:
    """Return one name for a function, its method, its operator and in-place variant.

    >>> import torch
    >>> [canonical(f) for f in (torch.add, torch.Tensor.__iadd__, torch.Tensor.relu_)]
    ['add', 'add', 'relu']
    """
    name = getattr(func, "__name__", type(func).__name__)
    if name == "__get__":
        name = getattr(func.__self__, "__name__", "property")  # type: ignore[attr-defined]
        return ALIASES.get(name, name)
    if hasattr(func, "overloadpacket"):
        # A kernel, such as aten.add.Tensor.
        name = func.overloadpacket.__name__
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        return DUNDERS.get(name, name)
    name = name.lstrip("_") if name not in KEPT else name
    name = name.removesuffix("_")
    return ALIASES.get(name, name)


def writes_to_operand(func: Callable[..., Any]) -> bool:
    """Say whether a function changes its first operand.

    >>> import torch
    >>> list(map(writes_to_operand, (torch.Tensor.add_, torch.Tensor.__setitem__)))
    [True, True]
    """
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name == "__setitem__" or name.strip("_") in IN_PLACE
    return name.endswith("_") and name != "requires_grad_"


def keeps_sizes(name: str) -> bool:
    """Say whether a result has the sizes of the first operand, and its type."""
    if name in KEEPS_SIZES:
        return True
    function = traced_as(name)
    return function is not None and functions()[function].is_module


def is_question(name: str) -> bool:
    """Say whether a function queries a tensor and returns none."""
    return name in QUESTIONS


DUNDERS = {
    "bool": "truth", "int": "number", "float": "number", "index": "number",
    "complex": "number", "array": "numpy",
    "iadd": "add", "radd": "add", "isub": "sub", "rsub": "rsub", "imul": "mul",
    "rmul": "mul", "truediv": "div", "itruediv": "div", "rtruediv": "rdiv",
    "rdiv": "rdiv", "idiv": "div", "ipow": "pow", "rpow": "rpow",
    "floordiv": "floor_divide", "matmul": "matmul", "rmatmul": "rmatmul",
    "and": "logical_and", "or": "logical_or", "invert": "logical_not",
}  # fmt: skip

KEPT = {"_assert"}

IN_PLACE = {"iadd", "isub", "imul", "itruediv", "idiv", "ipow", "iand", "ior", "ixor"}

ALIASES = {
    "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "concat": "cat", "concatenate": "cat", "swapaxes": "transpose",
    "moveaxis": "movedim", "data": "detach",
    "swapdims": "transpose", "clip": "clamp", "arctan": "atan",
    **{f"{kind}max_pool{axes}d_with_indices": f"{kind}max_pool{axes}d"
       for kind in ("", "adaptive_") for axes in (1, 2, 3)},
    "fractional_max_pool2d_with_indices": "fractional_max_pool2d",
    "upsample_nearest": "interpolate", "upsample_bilinear": "interpolate",
    "upsample": "interpolate", "type_as": "to", "float": "to", "half": "to",
    "bfloat16": "to", "double": "to", "cuda": "to", "cpu": "to", "type": "to",
    "special_softmax": "softmax",
    "reshape_as": "view_as", "greater": "gt", "less": "lt", "clamp_min": "clamp",
    "clamp_max": "clamp",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d", "linalg_vector_norm": "norm",
    "vector_norm": "norm", "frobenius_norm": "norm", "sym_size": "size",
    "sym_numel": "numel",
}  # fmt: skip

QUESTIONS = {
    "shape", "size", "numel", "nelement", "len", "dim", "ndimension", "ndim", "dtype",
    "device", "requires_grad", "is_floating_point", "is_complex", "is_contiguous",
    "stride", "layout", "is_cuda", "is_meta", "is_quantized", "is_sparse", "is_mkldnn",
    "is_leaf", "grad", "grad_fn", "names", "data_ptr", "element_size", "itemsize",
    "storage_offset", "get_device", "truth", "item", "tolist", "number",
    "numpy", "is_nested", "is_same_size", "is_inference", "is_cpu", "is_xla",
    "type_name",
    "is_tensor", "is_conj", "is_neg", "is_signed", "untyped_storage", "is_xpu",
    "is_mps",
    "is_vulkan", "is_ipu", "is_maia", "is_ort", "is_mtia", "is_sparse_csr",
    "retains_grad",
    "requires_grad_", "format", "repr", "hash", "setattr",
}  # fmt: skip

RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
OF_TWO = {"add", "mul", "sub", "div"}
KEEPS_SIZES = OF_TWO | {"softmax", "dropout"}
"""Functions whose result has their first operand's sizes, as PyTorch documents.

So have the activations, in the table of functions, and normalizations.
"""

NORMALIZES = {"batch_norm", "instance_norm", "layer_norm", "group_norm"}

PRODUCTS = {
    "linear", "matmul", "bmm", "mm", "addmm", "baddbmm", "einsum", "conv2d", "conv1d",
    "conv3d",
}  # fmt: skip

MADE_ANEW = {
    "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "zeros_like",
    "ones_like", "full_like", "empty_like", "rand_like", "randn_like",
}  # fmt: skip
"""Functions that use only the dtype or the sizes of their operand, not its values."""

OF_VALUES = {"tensor", "as_tensor", "asarray", "scalar_tensor", "from_numpy"}
"""Functions that create a tensor of given numbers, whose sizes are plain numbers."""

FILLED = {"zeros", "ones", "full", "empty", "rand", "randn"}
"""Functions that create a tensor of given sizes."""

VIEWS = {
    "view", "reshape", "unsqueeze", "squeeze", "flatten", "to", "contiguous", "type",
    "float", "expand_as_itself", "detach", "clone", "unflatten",
}  # fmt: skip
"""Functions whose result has the elements of the operand in the same order."""
