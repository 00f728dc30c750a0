"""Elementwise functions: a table with one row per function, which all passes read.

A row has the function's names in each library and its costs, so that other packages
need no lists of their own. To add an activation, add a row here, or call
:func:`register_function` in a package of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from costmodel.algebra.tally import KINDS, Tally
from costmodel.entry_points import discover
from costmodel.errors import CostModelError, known_are


SAVED = frozenset({"operand", "result", "intermediate"})
"""What autograd may save of an elementwise function, in words."""

_TYPES = {"Tally": Tally, "Mapping[str, Any]": Mapping, "bool": bool}
"""The types of the columns that are not text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """The table row of an elementwise function."""

    tally: Tally
    """Operations per element."""
    saved: str = "operand"
    """What autograd saves: words of :data:`SAVED`; none if the derivative is
    constant. **Source**: PyTorch, ``tools/autograd/derivatives.yaml``."""
    torch: str = ""
    """The full name of the module or function; empty if PyTorch has none, or only with
    constants that a network does not record."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of that module or function."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Its constants by the names of that module or function, with their defaults."""
    traced: str = ""
    """Names under which tracing meets it, besides its own."""
    onnx: str = ""
    """The types of ONNX operators that compute this function."""
    runtime: str = "pointwise"
    """Classes of the kernels that compute it, in order."""
    counted: str = "elementwise"
    """The kind as which :mod:`costmodel.analysis.conventions` count it."""
    in_float32: bool = False
    """Whether automatic mixed precision computes it in float32."""
    in_place: bool = False
    """Whether libraries let it overwrite its operand."""

    def __post_init__(self) -> None:
        """Check the columns' types, the operations and the words of what is saved."""
        for column in fields(self):
            value, kind = getattr(self, column.name), _TYPES.get(str(column.type), str)
            if not isinstance(value, kind):
                raise CostModelError(
                    f"{column.name} {value!r} is not a {kind.__name__.lower()}"
                )
        counts = [getattr(self.tally, kind) for kind in KINDS]
        if any(type(count) is not int or count < 0 for count in counts):
            raise CostModelError(f"{self.tally}: operations are counted from 0")
        if self.tally.mac:
            raise CostModelError(
                f"{self.tally}: a function of each element accumulates nothing; "
                "its multiplications are mul, its additions add"
            )
        if unknown := set(self.saved.split()) - SAVED:
            known = ", ".join(sorted(SAVED))
            raise CostModelError(
                f"saved {', '.join(sorted(unknown))!r} is none of {known}"
            )
        if not self.runtime.split():
            raise CostModelError("runtime: the class of its kernel is missing")

    @property
    def is_module(self) -> bool:
        """Whether it is a module of PyTorch's own."""
        return self.torch.startswith("torch.nn.")


# fmt: off
FUNCTIONS: dict[str, Function] = {
    "relu": Function(  # max(x, 0). Nair & Hinton 2010
        tally=Tally(compare=1), saved="result", torch="torch.nn.ReLU", onnx="Relu",
        runtime="relu", counted="relu", in_place=True),
    "relu6": Function(  # min(max(x, 0), 6). Krizhevsky 2010, CIFAR-10 report
        tally=Tally(compare=2), torch="torch.nn.ReLU6", runtime="clamp",
        counted="relu6", in_place=True),
    "sigmoid": Function(  # 1/(1 + e^−x)
        tally=Tally(exp=1, add=1, div=1), saved="result", torch="torch.nn.Sigmoid",
        traced="expit special_expit", onnx="Sigmoid", runtime="sigmoid"),
    "silu": Function(  # x/(1 + e^−x), or swish. Ramachandran et al. 2017
        tally=Tally(exp=1, add=1, div=1), torch="torch.nn.SiLU", onnx="Swish",
        runtime="silu", counted="silu", in_place=True),
    "tanh": Function(  # 1 − 2/(e^2x + 1)
        tally=Tally(exp=1, add=2, mul=1, div=1), saved="result", torch="torch.nn.Tanh",
        onnx="Tanh", runtime="tanh"),
    # 1.7159·tanh(2x/3), LeNet-5's squashing function. LeCun, Bottou, Bengio, Haffner
    # 1998, section II.B and appendix A. The tangent is kept before it is scaled.
    "scaled_tanh": Function(
        tally=Tally(exp=1, add=2, mul=3, div=1), saved="intermediate",
        torch="costmodel.bridge.compile.modules.ScaledTanh",
        runtime="multiply tanh multiply"),
    "hardsigmoid": Function(  # min(max(x + 3, 0), 6)/6. Howard et al. 2019
        tally=Tally(add=1, compare=2, div=1), torch="torch.nn.Hardsigmoid",
        onnx="HardSigmoid", runtime="hardsigmoid", in_place=True),
    "hardswish": Function(  # x·hardsigmoid(x). Howard et al. 2019, arXiv:1905.02244
        tally=Tally(add=1, compare=2, mul=1, div=1), torch="torch.nn.Hardswish",
        onnx="HardSwish", runtime="hardswish", in_place=True),
    "hardtanh": Function(  # min(max(x, −1), 1)
        tally=Tally(compare=2), torch="torch.nn.Hardtanh", runtime="clamp",
        constants={"min_val": -1.0, "max_val": 1.0}),
    "abs": Function(
        tally=Tally(compare=1), torch="torch.abs", traced="absolute", onnx="Abs"),
    "celu": Function(  # x < 0: α(e^(x/α) − 1)
        tally=Tally(compare=1, exp=1, add=1, div=1, mul=1), torch="torch.nn.CELU",
        onnx="Celu", constants={"alpha": 1.0}),
    "ceil": Function(
        tally=Tally(compare=1), saved="", torch="torch.ceil", onnx="Ceil"),
    "clamp": Function(tally=Tally(compare=2), torch="torch.clamp",
        constants={"min": ..., "max": ...}),
    "cos": Function(tally=Tally(exp=1), torch="torch.cos", onnx="Cos"),
    "elu": Function(  # x < 0: α(e^x − 1)
        tally=Tally(compare=1, exp=1, add=1, mul=1), torch="torch.nn.ELU", onnx="Elu",
        counted="elu", constants={"alpha": 1.0}),
    "erf": Function(
        tally=Tally(exp=1), torch="torch.erf", traced="special_erf", onnx="Erf"),
    "exp": Function(
        tally=Tally(exp=1), saved="result", torch="torch.exp", onnx="Exp",
        in_float32=True),
    "expm1": Function(
        tally=Tally(exp=1, add=1), saved="result", torch="torch.expm1",
        in_float32=True),
    "floor": Function(
        tally=Tally(compare=1), saved="", torch="torch.floor", onnx="Floor"),
    "gelu": Function(  # x·½·(1 + erf(x·√½))
        tally=Tally(exp=1, add=1, mul=3), torch="torch.nn.GELU", runtime="gelu",
        counted="elu"),
    "gelu_tanh": Function(  # ½x(1 + tanh(√(2/π)(x + cx³)))
        tally=Tally(exp=1, add=4, mul=7, div=1), torch="torch.nn.GELU",
        options={"approximate": "tanh"}, runtime="gelu", counted="elu"),
    "hardshrink": Function(tally=Tally(compare=2), torch="torch.nn.Hardshrink",
        constants={"lambd": 0.5}),
    "leaky_relu": Function(
        tally=Tally(compare=1, mul=1), torch="torch.nn.LeakyReLU", onnx="LeakyRelu",
        counted="leaky_relu", constants={"negative_slope": 0.01}),
    "log": Function(
        tally=Tally(exp=1), torch="torch.log", onnx="Log", in_float32=True),
    "log1p": Function(
        tally=Tally(exp=1, add=1), torch="torch.log1p", in_float32=True),
    "logsigmoid": Function(  # −log(1 + e^−x)
        tally=Tally(exp=2, add=1), saved="operand intermediate",
        torch="torch.nn.LogSigmoid", traced="log_sigmoid"),
    "mish": Function(  # x·tanh(log(1 + e^x))
        tally=Tally(exp=3, add=3, mul=2, div=1), torch="torch.nn.Mish", onnx="Mish"),
    "neg": Function(
        tally=Tally(mul=1), saved="", torch="torch.neg", traced="negative", onnx="Neg"),
    "reciprocal": Function(
        tally=Tally(div=1), saved="result", torch="torch.reciprocal",
        onnx="Reciprocal", in_float32=True),
    "round": Function(
        tally=Tally(compare=1), saved="", torch="torch.round", onnx="Round",
        constants={"decimals": 0}),
    "rsqrt": Function(
        tally=Tally(exp=1, div=1), saved="result", torch="torch.rsqrt",
        in_float32=True),
    "selu": Function(  # λ·elu
        tally=Tally(compare=1, exp=1, add=1, mul=2), torch="torch.nn.SELU",
        onnx="Selu"),
    "sign": Function(
        tally=Tally(compare=2), saved="", torch="torch.sign", onnx="Sign"),
    "sin": Function(tally=Tally(exp=1), torch="torch.sin", onnx="Sin"),
    "softplus": Function(  # log(1 + e^x)
        tally=Tally(exp=2, add=1), torch="torch.nn.Softplus", onnx="Softplus",
        in_float32=True, constants={"beta": 1.0, "threshold": 20.0}),
    "softshrink": Function(
        tally=Tally(compare=2, add=1), torch="torch.nn.Softshrink",
        constants={"lambd": 0.5}),
    "softsign": Function(  # x/(1 + |x|)
        tally=Tally(compare=1, add=1, div=1), saved="operand intermediate",
        torch="torch.nn.Softsign", onnx="Softsign"),
    "sqrt": Function(
        tally=Tally(exp=1), saved="result", torch="torch.sqrt", onnx="Sqrt"),
    "square": Function(tally=Tally(mul=1), torch="torch.square"),
    "tanhshrink": Function(  # x − tanh x
        tally=Tally(exp=1, add=3, mul=1, div=1), saved="intermediate",
        torch="torch.nn.Tanhshrink"),
    "threshold": Function(
        tally=Tally(compare=1), torch="torch.nn.Threshold",
        options={"threshold": 0.0, "value": 0.0}, onnx="ThresholdedRelu",
        constants={"threshold": 0.0, "value": 0.0}),
    "trunc": Function(tally=Tally(compare=1), saved="", torch="torch.trunc"),
}
# fmt: on
"""Every function by its name; operations per element are read from its formula.

A root, a power, a logarithm, a sine and the error function are an ``exp`` each, as
:class:`costmodel.algebra.tally.Tally` counts them; rounding and a choice between two
formulas are a comparison; tanh costs the same in every row as in its own.
Constants of a function (a slope, say) are PyTorch's defaults. ``clamp`` has limits
that a network does not record, so it has no module.
"""


def functions() -> Mapping[str, Function]:
    """Return every function by its name, those of other packages included."""
    discover()
    return FUNCTIONS


def function_of(name: str) -> Function:
    """Return a function's row, or raise with the known names."""
    if name not in FUNCTIONS and name not in functions():
        known = known_are(name, sorted(FUNCTIONS))
        raise CostModelError(f'function "{name}" is unknown; {known}')
    return FUNCTIONS[name]


def traced_as(name: str) -> str | None:
    """Return the function of a PyTorch name, or None.

    >>> traced_as("special_erf"), traced_as("conv2d")
    ('erf', None)
    """
    return name if name in functions() else by_word("traced").get(name)


def onnx_as(kind: str) -> str | None:
    """Return the function of an ONNX operator type, or None.

    >>> onnx_as("ThresholdedRelu")
    'threshold'
    """
    return by_word("onnx").get(kind)


@lru_cache
def by_word(column: str) -> dict[str, str]:
    """Return function names by the words of a column."""
    return {
        word: name
        for name, function in functions().items()
        for word in getattr(function, column).split()
    }


__all__ = [
    "FUNCTIONS", "Function", "by_word", "function_of", "functions", "onnx_as",
    "traced_as",
]  # fmt: skip
