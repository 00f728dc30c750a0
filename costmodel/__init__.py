"""costmodel: exact symbolic cost formulas of convolutional networks.

Names are imported when first used, so that ``import costmodel`` stays light: sympy
comes with the first formula, PyTorch only with the first compiled module.
"""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

from costmodel.checkout import find_folders
from costmodel.errors import no_network


if TYPE_CHECKING:
    from costmodel.algebra.code.numpy_code import lambdify as lambdify
    from costmodel.algebra.questions.asymptotics import elasticity as elasticity
    from costmodel.algebra.questions.asymptotics import leading as leading
    from costmodel.algebra.questions.asymptotics import relax as relax
    from costmodel.algebra.questions.budget import largest as largest
    from costmodel.algebra.questions.budget import smallest as smallest
    from costmodel.algebra.questions.budget import solutions as solutions
    from costmodel.algebra.questions.compare import compare as compare
    from costmodel.algebra.questions.compare import dominant as dominant
    from costmodel.algebra.questions.compare import share as share
    from costmodel.algebra.questions.interpolation import interpolate as interpolate
    from costmodel.algebra.rounding import make_divisible as make_divisible
    from costmodel.algebra.symbols import D as D
    from costmodel.algebra.symbols import H as H
    from costmodel.algebra.symbols import M as M
    from costmodel.algebra.symbols import N as N
    from costmodel.algebra.symbols import W as W
    from costmodel.algebra.symbols import alpha as alpha
    from costmodel.algebra.symbols import rho as rho
    from costmodel.algebra.symbols import symbol as symbol
    from costmodel.analysis.cost import cost as cost
    from costmodel.analysis.cost.depth import depth as depth
    from costmodel.analysis.cost.difference import diff as diff
    from costmodel.analysis.cost.difference import parts as parts
    from costmodel.analysis.cost.training import training_cost as training_cost
    from costmodel.analysis.input_sizes import admissible as admissible
    from costmodel.analysis.input_sizes import input_sizes as input_sizes
    from costmodel.analysis.input_sizes import joint_conditions as joint_conditions
    from costmodel.analysis.input_sizes.tensor_sizes import tensor_sizes as tensor_sizes
    from costmodel.analysis.memory import memory as memory
    from costmodel.analysis.receptive_field import receptive_field as receptive_field
    from costmodel.analysis.reconcile import reconcile as reconcile
    from costmodel.bridge.compile import compile as compile  # noqa: A004
    from costmodel.bridge.trace import trace as trace
    from costmodel.bridge.trace.outcomes import expected as expected
    from costmodel.bridge.trace.outcomes import outcomes as outcomes
    from costmodel.errors import CostModelError as CostModelError
    from costmodel.nas import search as search
    from costmodel.nas.fit import fit as fit
    from costmodel.nas.scaling import scale as scale
    from costmodel.nas.spaces.catalogue import space as space
    from costmodel.nas.spaces.catalogue import spaces as spaces
    from costmodel.network.cells.cell import cell as cell
    from costmodel.network.cells.genotype import Genotype as Genotype
    from costmodel.network.constraint import Constraint as Constraint
    from costmodel.network.graph import Network as Network
    from costmodel.network.registry import architecture as architecture
    from costmodel.network.registry import architectures as architectures
    from costmodel.network.registry import load as load
    from costmodel.network.registry.lineage import lineage as lineage
    from costmodel.network.widen import widen as widen
    from costmodel.runtime.measure.measure import measure as measure
    from costmodel.runtime.predict import predict as predict
    from costmodel.runtime.predict.roofline import explain as explain
    from costmodel.runtime.profile import load_profile as load_profile
    from costmodel.runtime.profile import profiles as profiles

__version__ = "0.1.0.dev0"

find_folders()

_HOME = {
    "costmodel.algebra.questions.compare": ("compare", "dominant", "share"),
    "costmodel.algebra.code.numpy_code": ("lambdify",),
    "costmodel.algebra.questions.interpolation": ("interpolate",),
    "costmodel.algebra.questions.budget": ("largest", "smallest", "solutions"),
    "costmodel.algebra.questions.asymptotics": ("elasticity", "leading", "relax"),
    "costmodel.algebra.rounding": ("make_divisible",),
    "costmodel.algebra.symbols": (
        "D", "H", "M", "N", "W", "alpha", "rho", "symbol",
    ),
    "costmodel.analysis.cost": ("cost",),
    "costmodel.analysis.cost.depth": ("depth",),
    "costmodel.analysis.cost.difference": ("diff", "parts"),
    "costmodel.analysis.input_sizes": (
        "admissible", "input_sizes", "joint_conditions",
    ),
    "costmodel.analysis.input_sizes.tensor_sizes": ("tensor_sizes",),
    "costmodel.analysis.memory": ("memory",),
    "costmodel.analysis.receptive_field": ("receptive_field",),
    "costmodel.analysis.reconcile": ("reconcile",),
    "costmodel.analysis.cost.training": ("training_cost",),
    "costmodel.bridge.compile": ("compile",),
    "costmodel.bridge.trace": ("trace",),
    "costmodel.bridge.trace.outcomes": ("expected", "outcomes"),
    "costmodel.errors": ("CostModelError",),
    "costmodel.network.cells.cell": ("cell",),
    "costmodel.network.constraint": ("Constraint",),
    "costmodel.network.cells.genotype": ("Genotype",),
    "costmodel.network.graph": ("Network",),
    "costmodel.network.registry.lineage": ("lineage",),
    "costmodel.network.registry": ("architecture", "architectures", "load"),
    "costmodel.network.widen": ("widen",),
    "costmodel.runtime.measure.measure": ("measure",),
    "costmodel.runtime.predict": ("predict",),
    "costmodel.runtime.profile": ("load_profile", "profiles"),
    "costmodel.runtime.predict.roofline": ("explain",),
    "costmodel.nas": ("search",),
    "costmodel.nas.spaces.catalogue": ("space", "spaces"),
    "costmodel.nas.fit": ("fit",),
    "costmodel.nas.scaling": ("scale",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - a list


def __getattr__(name: str) -> Any:
    """Import a public name from its module, once."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'costmodel' has no attribute {name!r}")
    value = globals()[name] = _asked(getattr(import_module(_MODULE_OF[name]), name))
    return value


def _asked(public: Any) -> Any:
    """Return a function of a network that refuses to be asked about anything else."""
    from inspect import isfunction, signature  # which takes as long as the rest here

    taken = signature(public).parameters if isfunction(public) else {}
    first = next(iter(taken.values()), None)
    if first is None or first.annotation != "Network":
        return public

    @wraps(public)
    def asked(*given: Any, **named: Any) -> Any:
        from costmodel.network.graph import Network

        value = given[0] if given else named.get(first.name, Network)
        if not isinstance(value, Network) and value is not Network:
            raise no_network(public.__name__, value)
        return public(*given, **named)

    return asked


def __dir__() -> list[str]:
    """Offer the public names to completion."""
    return __all__
