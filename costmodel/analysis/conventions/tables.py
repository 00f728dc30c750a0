"""How each tool counts, as tables; ``docs/conventions.md`` explains them.

Read in the tools' sources at the versions named, and compared with what they print:
each total here is one that the tool itself gives.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.analysis.conventions.rule import (
    ANYHOW,
    CALLED,
    FLOP,
    FUNCTION,
    MAC,
    MODULE,
    Convention,
    Rule,
)


LAYERS = "conv table_conv linear"
"""Where every tool counts multiply–accumulates."""
POOLS = "max_pool avg_pool adaptive_avg_pool adaptive_max_pool"
CHEAP = "sigmoid tanh scaled_tanh hardsigmoid hardswish hardtanh add multiply"
"""What only this package counts; most tools warn of it, or leave it out in silence."""
MOVES = """
    input identity dropout flatten concat pad zeros pad_channels select_channels
    channel_shuffle
"""
"""What moves or renames elements, which nobody counts."""
NO_LAYERS = f"""
    batch_norm local_response_norm relu relu6 silu softmax subsample radial_basis
    {POOLS} {CHEAP} {MOVES}
"""

PRODUCTS = Rule(LAYERS, "macs", "conv and linear MACs", is_joint=True)
"""What every account starts from."""
ADDITIONS = Rule(LAYERS, "macs", "their additions, counted apart", is_joint=True)
BIASES = "an addition a bias"
SCALED = "an operation an element, one more if scaled"
ELEMENTS = "an operation an element"
PARTS = "a square, two scalings, a mean over padded channels"
PARTS_AMOUNT = "4*inputs + size*positions - positions"
"""Of a local response normalization, which PyTorch composes of functions."""
IMAGE = "The figure is that of one image."

FVCORE = Convention(
    "fvcore", "fvcore 0.1.5.post20221221, FlopCountAnalysis", MAC,
    rules=(
        PRODUCTS,
        Rule("batch_norm", "inputs + affine*inputs", SCALED),
        Rule("adaptive_avg_pool", "inputs", ELEMENTS),
    ),
    zero=f"""
        local_response_norm relu relu6 silu softmax subsample radial_basis
        max_pool avg_pool adaptive_max_pool {CHEAP} {MOVES}
    """,
)  # fmt: skip

TORCH = Convention(
    "torch", "PyTorch 2.13, torch.utils.flop_counter.FlopCounterMode", FLOP,
    rules=(
        PRODUCTS,
        ADDITIONS,
    ),
    zero=NO_LAYERS,
)  # fmt: skip

PTFLOPS = Convention(
    "ptflops", "ptflops 0.7.5, backend pytorch (its default)", MAC,
    rules=(
        replace(PRODUCTS, seen=MODULE),
        Rule(LAYERS, "adds", BIASES, seen=MODULE),
        Rule("batch_norm", "inputs + affine*inputs", SCALED, seen=MODULE),
        Rule("relu6", "inputs", ELEMENTS, seen=MODULE),
        Rule("relu6", "inputs", ELEMENTS, seen=FUNCTION),
        Rule(f"relu silu softmax subsample {POOLS}", "inputs", ELEMENTS),
        Rule("local_response_norm", PARTS_AMOUNT, PARTS),
        Rule(f"relu {POOLS}", "inputs", "once more",
             "It hooks the module, and replaces the function that the module calls.",
             seen=MODULE),
    ),
    zero=f"radial_basis {CHEAP} {MOVES}",
    one_sample=(MODULE,),
    batch_quirk="What hooks count is divided by the batch; what functions do is not.",
)  # fmt: skip

PTFLOPS_ATEN = Convention(
    "ptflops-aten", "ptflops 0.7.5, backend aten", MAC,
    rules=(
        PRODUCTS,
        Rule(LAYERS, "adds", BIASES),
    ),
    zero=NO_LAYERS,
)  # fmt: skip

THOP = Convention(
    "thop", "thop 0.1.1.post2209072238, profile", MAC,
    rules=(
        replace(PRODUCTS, seen=MODULE),
        Rule("batch_norm", "2*inputs + 2*affine*inputs",
             "two operations an element, two more if scaled", seen=MODULE),
        Rule("softmax", "exps + divs + compares",
             "exponentials, divisions, additions but the first", seen=MODULE),
        Rule("avg_pool", "outputs", "a division an output", seen=MODULE),
        Rule("adaptive_avg_pool", "inputs + outputs",
             "an addition an element, a division an output", seen=MODULE),
        Rule("adaptive_avg_pool", "doubles", "a unit lost",
             "It divides in doubles, and cuts the product to a whole number.",
             seen=MODULE, is_whole=True),
    ),
    zero=f"""
        local_response_norm relu relu6 silu subsample radial_basis
        max_pool adaptive_max_pool {CHEAP} {MOVES}
    """,
)  # fmt: skip

TORCHINFO = Convention(
    "torchinfo", "torchinfo 1.8.0, total mult-adds", MAC,
    rules=(
        replace(PRODUCTS, seen=MODULE),
        Rule(LAYERS, "adds", BIASES, seen=MODULE),
        Rule("batch_norm subsample", "weights", "an operation a weight",
             "It takes a weight to be used once a sample, not at every position.",
             seen=MODULE),
    ),
    zero=f"""
        local_response_norm relu relu6 silu softmax radial_basis
        {POOLS} {CHEAP} {MOVES}
    """,
)  # fmt: skip

DEEPSPEED = Convention(
    "deepspeed", "deepspeed 0.19.8, get_model_profile; also calflops 0.3.2", FLOP,
    rules=(
        PRODUCTS,
        ADDITIONS,
        Rule("conv table_conv", "adds", BIASES),
        Rule("batch_norm", "inputs + affine*inputs", SCALED),
        Rule(f"relu silu softmax subsample {POOLS}", "inputs", ELEMENTS),
        Rule("relu6", "inputs", ELEMENTS, seen=FUNCTION),
        Rule("local_response_norm", PARTS_AMOUNT, PARTS),
    ),
    zero=f"radial_basis {CHEAP} {MOVES}",
)  # fmt: skip

XLA = Convention(
    "xla", "jaxlib 0.10.2, HloCostAnalysis of convolutions and products", FLOP,
    rules=(
        PRODUCTS,
        ADDITIONS,
        Rule("conv", "-2*padding", "taps on padding",
             "A tap that falls on padding multiplies nothing, and does not count."),
    ),
    zero=NO_LAYERS,
)  # fmt: skip

TORCHVISION = Convention(
    "torchvision", "torchvision 0.28, weights.meta['_ops'] (in units of 10⁹)", MAC,
    rules=(PRODUCTS,),
    zero=NO_LAYERS,
    one_sample=(CALLED,),
    batch_quirk=IMAGE,
)  # fmt: skip

PYCLS = Convention(
    "pycls", "pycls 0.1.1, pycls.core.net.complexity", MAC,
    rules=(
        PRODUCTS,
        Rule("linear", "adds", BIASES),
        Rule("conv table_conv", "biases", "an addition a bias",
             "A bias of a convolution counts once, not at every position."),
    ),
    zero=NO_LAYERS,
    one_sample=(CALLED,),
    batch_quirk=IMAGE,
)  # fmt: skip

ALL = Convention(
    "all", "costmodel, every arithmetic operation and comparison", FLOP,
    rules=(
        replace(PRODUCTS, seen=ANYHOW),
        replace(ADDITIONS, seen=ANYHOW),
        Rule(LAYERS, "adds", BIASES, seen=ANYHOW),
        Rule("radial_basis", "2*macs + adds", "every operation", seen=ANYHOW),
        Rule(f"""
             batch_norm local_response_norm relu relu6 silu softmax subsample
             {POOLS} {CHEAP}
             """, "adds + muls + divs + exps + compares", "every operation",
             seen=ANYHOW),
    ),
    zero=MOVES,
)  # fmt: skip

CONVENTIONS = {
    convention.name: convention
    for convention in (
        FVCORE, TORCH, PTFLOPS, PTFLOPS_ATEN, THOP, TORCHINFO, DEEPSPEED, XLA,
        TORCHVISION, PYCLS, ALL,
    )
}  # fmt: skip
"""Every convention by its name."""

TORCHVISION_WRITES: dict[str, dict[str, str]] = {
    "densenet": {"adaptive_avg_pool": "function", "head.relu1": "function"},
    "googlenet": {"relu": "function"},
    "inception_v3": {"relu": "function", "avg_pool": "function",
                     "mixed_6a.max_pool1": "function",
                     "mixed_7a.max_pool1": "function"},
    "mnasnet": {"adaptive_avg_pool": "arithmetic"},
    "mobilenet_v2": {"adaptive_avg_pool": "function"},
    "shufflenet_v2": {"adaptive_avg_pool": "arithmetic"},
}  # fmt: skip
"""What torchvision's own code does not write as modules, by family."""
