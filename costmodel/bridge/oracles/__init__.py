"""Independent counts of a compiled module; nothing here uses our formulas."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import sympy
import torch
from torch import fx, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from costmodel.bridge.compile import spatial_ranks
from costmodel.errors import CostModelError, MissingDependencyError


def fvcore_macs(module: nn.Module, size: tuple[int, ...]) -> Mapping[str, int]:
    """Return fvcore's counts by operator, in MACs (which it calls flops).

    Only ``conv`` and ``linear`` are multiply–accumulates; its total also counts
    normalization and pooling. It skips convolutions with ``padding="same"``.
    """
    counts: Counter[str] = _fvcore(module, size, "by_operator")
    return {name: int(count) for name, count in counts.items()}


def fvcore_macs_by_module(
    module: nn.Module, size: tuple[int, ...]
) -> Mapping[str, int]:
    """Return fvcore's counts by the names of submodules."""
    counts: Counter[str] = _fvcore(module, size, "by_module")
    return {name: int(count) for name, count in counts.items()}


def _fvcore(module: nn.Module, size: tuple[int, ...], how: str) -> Any:
    """Run fvcore on zeros, without the warnings of it and PyTorch about each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from fvcore.nn import FlopCountAnalysis
        except ImportError as error:  # pragma: no cover - depends on the installation
            raise MissingDependencyError(
                'this needs fvcore; install it with: pip install "costmodel[torch]"'
            ) from error
        analysis = FlopCountAnalysis(module, torch.zeros(size))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return getattr(analysis, how)()


def flop_counter_macs(module: nn.Module, size: tuple[int, ...]) -> Mapping[str, int]:
    """Return half of what PyTorch's ``FlopCounterMode`` counts, by operator.

    It counts every multiply–accumulate as two; the module may be on ``meta``.
    """
    # Even without gradients a view of a parameter requires one, which the counter takes
    # for an operand of a backward pass; a detached parameter does not.
    detached = {name: p.detach() for name, p in module.named_parameters()}
    sample = torch.zeros(size, device=_device(module))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        functional_call(module, detached, (sample,))
    counts = counter.get_flop_counts().get("Global", {})
    return {str(name): count // 2 for name, count in counts.items()}


def symbolic_macs(
    module: nn.Module, channels: int
) -> Callable[[int, int, int], int | None]:
    """Return ``FlopCounterMode``'s own formula of the MACs, as a function of N, H, W.

    PyTorch's shape environment runs the module on a fake input whose batch, height
    and width are symbols: a derivation that shares no code with ours. Some of its
    operators (local response normalization, padding) fix a symbol to its example value,
    or refuse a symbol (cropping); then this oracle has no answer, and raises. Others
    (pooling in ceil_mode) hold for some sizes only; for the rest the function returns
    None.
    """
    from torch._dynamo.source import ConstantSource
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import (
        DimDynamic,
        ShapeEnv,
        StatelessSymbolicContext,
    )

    shapes = ShapeEnv()
    mode = FakeTensorMode(shape_env=shapes, allow_non_fake_inputs=True)
    free, fixed = DimDynamic.DYNAMIC, DimDynamic.STATIC
    context = StatelessSymbolicContext(dynamic_sizes=[free, fixed, free, free])
    # Sizes that are unlikely to occur as numbers of layers.
    sample = torch.empty(3, channels, 229, 261, device="meta")
    source = ConstantSource("image")
    image = mode.from_tensor(sample, symbolic_context=context, source=source)
    with mode, torch.no_grad(), FlopCounterMode(display=False) as counter:
        try:
            module(image)
        except RuntimeError as error:
            if "symbolic sizes" not in str(error):
                raise
            raise CostModelError("PyTorch does not crop a symbolic size") from None
        total = counter.get_total_flops()
        symbols = [image.shape[axis].node.expr for axis in (0, 2, 3)]
    if shapes.replacements:
        raise CostModelError(f"PyTorch fixed sizes: {shapes.replacements}")
    formula = total.node.expr if isinstance(total, torch.SymInt) else total

    def macs(batch: int, height: int, width: int) -> int | None:
        at = dict(zip(symbols, (batch, height, width), strict=True))
        if not all(sympy.sympify(g.expr).subs(at) for g in shapes.guards):
            return None
        return int(sympy.sympify(formula).subs(at)) // 2

    return macs


def stored_shapes(module: nn.Module) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of every tensor in the module's ``state_dict``."""
    return {name: tuple(t.shape) for name, t in module.state_dict().items()}


def learnable(module: nn.Module) -> int:
    """Return the learnable scalars of a module; shared tensors count once."""
    return sum(tensor.numel() for tensor in module.parameters())


def executed_shapes(
    module: fx.GraphModule, size: tuple[int, ...]
) -> Mapping[str, tuple[int, ...]]:
    """Run a compiled network and return the shape of each node's result."""
    shapes: dict[str, tuple[int, ...]] = {}

    class Recorder(fx.Interpreter):
        """Execute node by node, and record every result's shape."""

        def run_node(self, n: fx.Node) -> Any:
            """Run one node."""
            result = super().run_node(n)
            if "node" in n.meta:  # a sum of three is two additions, the last the node's
                shapes[n.meta["node"]] = tuple(result.shape)
            return result

    with torch.no_grad():
        Recorder(module).run(torch.zeros(size, device=_device(module)))
    return shapes


def executed_activations(module: nn.Module, size: tuple[int, ...]) -> int:
    """Run any module, and return the number of outputs of its conv and linear layers.

    Layers are those of ``torch.nn``; the module may be on ``meta``.
    """
    outputs: list[int] = []

    def note(_layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        outputs.append(output.numel())

    kinds = (*spatial_ranks.CONV.values(), nn.Linear)
    layers = (m for m in module.modules() if isinstance(m, kinds))
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad():
            module(torch.zeros(size, device=_device(module)))
    finally:
        for hook in hooks:
            hook.remove()
    return sum(outputs)


def _device(module: nn.Module) -> torch.device:
    """Return the device of a module's tensors."""
    tensors = module.state_dict().values()
    return next((t.device for t in tensors), torch.device("cpu"))
