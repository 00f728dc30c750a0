"""Networks prepared for timing: modules with real weights, and their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from costmodel.algebra.symbols import H, W
from costmodel.bridge.compile import compile as compile_
from costmodel.bridge.oracles.in_place import overwrite
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.runtime.setting import Setting


Target: TypeAlias = "Network | nn.Module"

RESOLUTION = 224
"""Height and width of an input by default."""

_FLOATS = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Job:
    """A network to measure, the size of its input, and the samples per batch.

    ``target`` is a network, a module, or a function without arguments that makes one:
    then it is made when its turn comes, and freed afterwards.
    """

    name: str
    target: Target | Callable[[], Target]
    batch: int = 1
    resolution: int | tuple[int, int] | None = None
    input: tuple[int, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_whole: bool = False
    """Never timed operator by operator, even if the others are."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A prepared job: what to call, and its inputs."""

    job: Job
    shape: tuple[int, ...]
    run: Callable[..., Any]
    inputs: tuple[torch.Tensor, ...]
    graph: fx.GraphModule | None
    """The same network node by node, where operators are timed."""


def prepared(
    job: Job, setting: Setting, *, per_operator: bool, copies: int = 1
) -> Subject:
    """Build a job's module on the device, with ``copies`` different inputs."""
    made = job.target
    if not isinstance(made, (Network, nn.Module)):
        made = made()
    if not isinstance(made, (Network, nn.Module)):
        raise CostModelError(
            f"measure: {job.name} is a {type(made).__name__}, not a network or a module"
        )
    _check(job, setting, per_operator=per_operator)
    shape = shape_of(job, made)
    module = _module(job, made, shape, setting)
    graph = module if isinstance(made, Network) or setting.mode == "folded" else None
    if per_operator and graph is None:
        # A module's own code has no nodes: those of its trace are timed.
        graph = _placed(_made(_traced(job, made, shape)), setting)
    inputs = tuple(_input(job, shape, setting) for _ in range(copies))
    run = module
    if setting.mode == "compile":
        run = _compiled(job, module)
    return Subject(job, shape, run, inputs, graph if per_operator else None)


def check_setting(setting: Setting) -> Setting:
    """Refuse a setting that nothing can be run in here."""
    if setting.dtype not in _FLOATS:
        raise CostModelError(
            f"measure: dtype {setting.dtype!r} cannot be run; {', '.join(_FLOATS)} can"
        )
    if setting.device == "cuda" and not torch.cuda.is_available():
        raise CostModelError(
            "measure: device cuda: PyTorch sees no CUDA device here; is its build for "
            "CPUs alone, or the driver missing?"
        )
    return setting


def _check(job: Job, setting: Setting, *, per_operator: bool) -> None:
    """Refuse what cannot be measured."""
    check_setting(setting)
    if per_operator and setting.mode == "compile":
        raise CostModelError(
            "measure: mode compile fuses operators, so none can be timed by itself; "
            "take mode eager or folded"
        )
    if type(job.batch) is not int or job.batch < 1:
        raise CostModelError(f"measure: batch {job.batch!r} is no whole number from 1")


def shape_of(job: Job, made: Target | None = None) -> tuple[int, ...]:
    """Return the shape of a sample, in numbers.

    A job whose target is made later has to give ``input``, unless it is an RGB image.
    """
    if job.input is not None:
        return tuple(job.input)
    size = RESOLUTION if job.resolution is None else job.resolution
    height, width = (size, size) if isinstance(size, int) else size
    made = job.target if made is None else made
    if not isinstance(made, Network):
        return (_channels(made), height, width)
    if len(made.inputs) != 1:
        raise CostModelError(
            f"measure: {job.name} has {len(made.inputs)} inputs, not 1"
        )
    given = made.inputs[0].output.sizes
    values = {H: height, W: width}
    sizes = tuple(values.get(size, size) for size in given)
    if not all(type(size) is int for size in sizes):
        names = ", ".join(sorted(map(str, made.free_symbols)))
        raise CostModelError(
            f"measure: {job.name}: a module needs numbers; bind {names} first"
        )
    if job.resolution is not None and sizes[-2:] != (height, width):
        raise CostModelError(
            f"measure: {job.name} is bound to {made.inputs[0].output}; "
            f"its resolution cannot be {height}×{width}"
        )
    return sizes


def _channels(module: Any) -> int:
    """Return the input channels of the first convolution, 3 if there is none."""
    for layer in module.modules() if isinstance(module, nn.Module) else ():
        if isinstance(layer, nn.Conv2d):
            return int(layer.in_channels)
    return 3


def _module(
    job: Job, made: Target, shape: tuple[int, ...], setting: Setting
) -> nn.Module:
    """Return the module that runs, on its device."""
    if isinstance(made, nn.Module):
        if any(p.is_meta for p in made.parameters()):
            raise CostModelError(
                f"measure: {job.name} is on the meta device: it has no numbers to run"
            )
        if setting.mode != "folded":
            return _placed(made.eval(), setting)
        made = _traced(job, made, shape)
    free = {s: size for s, size in zip((H, W), shape[-2:]) if s in made.free_symbols}
    module = _made(made.bind(free) if free else made)
    return _placed(fold(module) if setting.mode == "folded" else module, setting)


def _made(network: Network) -> fx.GraphModule:
    """Return the module of a network for inference, where no checkpoint does anything.

    Every operator is then a node of the graph.
    """
    return overwrite(compile_(replace(network, checkpoints=())))


def _traced(job: Job, module: nn.Module, shape: tuple[int, ...]) -> Network:
    from costmodel.bridge.trace import trace

    network: Network = trace(module, input=shape, name=job.name)
    return network


def _placed(module: nn.Module, setting: Setting) -> Any:
    """Move a module to its device, number format and memory layout."""
    module = module.to(device=setting.device, dtype=getattr(torch, setting.dtype))
    if setting.layout == "channels_last":
        module = module.to(memory_format=torch.channels_last)
    return module


def _input(job: Job, shape: tuple[int, ...], setting: Setting) -> torch.Tensor:
    """Return random numbers: a GPU takes less power, and so less time, for zeros."""
    dtype = getattr(torch, setting.dtype)
    x = torch.randn(job.batch, *shape, device=setting.device).to(dtype)
    if setting.layout == "channels_last" and x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    return x


def _compiled(job: Job, module: nn.Module) -> Callable[..., Any]:
    """Return the module under torch.compile, which compiles it at the first run."""
    compiled = torch.compile(module)

    def run(x: torch.Tensor) -> Any:
        try:
            return compiled(x)
        except (torch._dynamo.exc.TorchDynamoException, RuntimeError) as error:  # noqa: SLF001
            reason = str(error).strip().splitlines()[0]
            raise CostModelError(
                f"measure: {job.name}: torch.compile fails: {reason}"
            ) from error

    return run


def fold(module: fx.GraphModule) -> fx.GraphModule:
    """Fold each batch normalization into the convolution that it alone reads.

    Nodes keep their names; those of folded normalizations are removed.
    """
    for node in list(module.graph.nodes):
        source = node.args[0] if node.args else None
        if node.op != "call_module" or not isinstance(source, fx.Node):
            continue
        norm = module.get_submodule(node.target)
        if source.op != "call_module" or not isinstance(norm, nn.BatchNorm2d):
            continue
        conv = module.get_submodule(source.target)
        is_alone = len(source.users) == 1 and norm.running_mean is not None
        if not isinstance(conv, nn.Conv2d) or not is_alone or _shares(module, source):
            continue
        module.set_submodule(source.target, fuse_conv_bn_eval(conv, norm))
        node.replace_all_uses_with(source)
        module.graph.erase_node(node)
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _shares(module: fx.GraphModule, node: fx.Node) -> bool:
    """Say whether another node calls the same layer."""
    same = [other for other in module.graph.nodes if other.target == node.target]
    return len(same) > 1
