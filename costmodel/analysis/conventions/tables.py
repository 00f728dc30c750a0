"""How each tool counts, as tables; ``docs/conventions.md`` explains them.

They were read in the tools' sources at the versions named, and each total is compared
with what the tool itself prints.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.analysis.conventions.rule import (
    ANYHOW,
    CALLED,
    FLOP,
    FUNCTION,
    HOLDER,
    MAC,
    MODULE,
    NAMED,
    Convention,
    Rule,
)


LAYERS = "conv table_conv linear conv_transpose"
"""The layers whose multiply–accumulates every tool counts."""
TENSORS = "matmul einsum attention"
"""Products of operands, which most tools count apart or miss."""
POOLS = "max_pool avg_pool adaptive_avg_pool adaptive_max_pool"
CHEAP = "elementwise reduction"
"""What only this package counts; most tools warn of it, or silently leave it out.

Elementwise functions that some tool counts by a rule of their own have kinds of their
own, given in :class:`costmodel.network.operators.functions.Function`.
"""
MOVES = "source rearrangement"
"""What moves or renames elements, which no tool counts."""
NORMS = "layer_norm group_norm instance_norm"
"""Normalizations by the sample's own statistics."""
NO_LAYERS = f"""
    {NORMS} rms_norm batch_norm local_response_norm softmax subsample radial_basis
    {POOLS} resize {CHEAP} {MOVES}
"""

PRODUCTS = Rule(LAYERS, "macs", "conv and linear MACs", is_joint=True)
"""The first item of every account."""
ADDITIONS = Rule(LAYERS, "macs", "their additions, counted apart", is_joint=True)
BIASES = "one addition per bias"
SCALED = "one operation per element, one more if scaled"
ELEMENTS = "one operation per element"
ESTIMATED = "four operations per element, one more if scaled"
ESTIMATE = "4*inputs + affine*inputs"
"""Of a normalization by the sample's own statistics."""
PARTS = "a square, two scalings, a mean over padded channels"
PARTS_AMOUNT = "4*inputs + size*positions - positions"
"""Of a local response normalization, which PyTorch composes of functions."""
LEFT = "elements of the left operand times columns of the right one"
SUMS = "one operation per element of a sum or product by name"
OF_TENSORS = "MACs of products of tensors"
TEXT = "It reads the count from a text with four digits."
ON_OUTPUTS = "It counts every tap at every output, as for a convolution."
IMAGE = "The figure is that of one image."

FVCORE_RESIZES = "planar*nearest*outputs + 4*bilinear*outputs + planar*area*inputs"
"""It has rules for kernels of two axes, but for neither sequences nor volumes."""
THOP_RESIZES = (
    "nearest*outputs + 5*linear*outputs + 11*bilinear*outputs + 259*bicubic*outputs"
)
"""For volumes it warns that trilinear interpolation is not implemented, and adds 0."""

FVCORE = Convention(
    "fvcore", "fvcore 0.1.5.post20221221, FlopCountAnalysis", MAC,
    rules=(
        PRODUCTS,
        Rule("batch_norm", "inputs + affine*inputs", SCALED),
        Rule(NORMS, ESTIMATE, ESTIMATED),
        Rule("adaptive_avg_pool", "planar*inputs", ELEMENTS),
        Rule("matmul", "left_columns", LEFT),
        Rule("einsum", "einsum_half", OF_TENSORS, TEXT, is_whole=True),
        Rule("resize", FVCORE_RESIZES,
             "1 (nearest) or 4 (bilinear) per output; one per element of areas"),
    ),
    zero=f"""
        local_response_norm softmax subsample radial_basis
        max_pool avg_pool adaptive_max_pool attention rms_norm
        {CHEAP} {MOVES}
    """,
)  # fmt: skip

TORCH = Convention(
    "torch", "PyTorch 2.13, torch.utils.flop_counter.FlopCounterMode", FLOP,
    rules=(
        PRODUCTS,
        ADDITIONS,
        Rule("matmul einsum", "2*macs", "products and sums of tensors"),
        Rule("attention", "2*macs", "products and sums of both products",
             "That is on a GPU; the fused kernel of a CPU is not counted."),
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
        Rule("arithmetic", "sums", SUMS, seen=FUNCTION),
        Rule("group_norm instance_norm", "inputs + affine*inputs", SCALED,
             seen=MODULE),
        Rule("layer_norm", "inputs", ELEMENTS, seen=MODULE),
        Rule(f"relu prelu silu subsample {POOLS}", "inputs", ELEMENTS,
             seen=NAMED),
        Rule("softmax", "plain*inputs", ELEMENTS, seen=NAMED),
        Rule("elu", "inputs", ELEMENTS, seen=NAMED),
        Rule("leaky_relu", "inputs", ELEMENTS, seen=MODULE),
        Rule("elu", "inputs", "once more",
             "It hooks the module, and replaces the function that the module calls.",
             seen=MODULE),
        Rule("local_response_norm", PARTS_AMOUNT, PARTS, seen=NAMED),
        Rule("matmul", "left_columns", LEFT, seen=NAMED),
        Rule("resize", "outputs", "one operation per output", seen=NAMED),
        Rule("resize", "area*inputs", "one operation per element of areas",
             seen=NAMED),
        Rule(f"relu prelu {POOLS}", "inputs", "once more",
             "It hooks the module, and replaces the function that the module calls.",
             seen=MODULE),
        Rule("resize", "outputs", "once more",
             "It hooks the module, and replaces the function that the module calls.",
             seen=MODULE),
    ),
    zero=f"radial_basis einsum attention rms_norm {CHEAP} {MOVES}",
    one_sample=(MODULE,),
    batch_quirk="What hooks count is divided by the batch; what functions do is not.",
)  # fmt: skip

PTFLOPS_ATEN = Convention(
    "ptflops-aten", "ptflops 0.7.5, backend aten", MAC,
    rules=(
        PRODUCTS,
        Rule(LAYERS, "adds", BIASES),
        Rule("matmul einsum", "macs", OF_TENSORS),
    ),
    zero=f"attention {NO_LAYERS}",
)  # fmt: skip

THOP = Convention(
    "thop", "thop 0.1.1.post2209072238, profile", MAC,
    rules=(
        replace(PRODUCTS, seen=MODULE),
        Rule("batch_norm layer_norm instance_norm", "2*inputs + 2*affine*inputs",
             "two operations per element, two more if scaled", seen=MODULE),
        Rule("prelu", "inputs", ELEMENTS, seen=MODULE),
        Rule("softmax", "plain*exps + divs + plain*compares",
             "exponentials, divisions, additions but the first", seen=MODULE),
        Rule("avg_pool", "outputs", "one division per output", seen=MODULE),
        Rule("adaptive_avg_pool", "inputs + outputs",
             "one addition per element, one division per output", seen=MODULE),
        Rule("adaptive_avg_pool", "doubles", "a unit lost",
             "It divides in doubles, and cuts the product to a whole number.",
             seen=MODULE, is_whole=True),
        Rule("conv_transpose", "kernels*positions - macs", "taps at outputs",
             ON_OUTPUTS, seen=MODULE),
        Rule("resize", THOP_RESIZES,
             "1 (nearest), 5 (linear), 11 (bilinear) or 259 (bicubic) per output",
             seen=MODULE),
    ),
    zero=f"""
        local_response_norm subsample radial_basis group_norm
        rms_norm max_pool adaptive_max_pool {TENSORS} {CHEAP} {MOVES}
    """,
)  # fmt: skip

TORCHINFO = Convention(
    "torchinfo", "torchinfo 1.8.0, total mult-adds", MAC,
    rules=(
        replace(PRODUCTS, seen=HOLDER),
        Rule(LAYERS, "adds", BIASES, seen=HOLDER),
        Rule(f"batch_norm subsample prelu rms_norm {NORMS}", "weights",
             "one operation per weight",
             "It takes a weight to be used once per sample, not at every position.",
             seen=HOLDER),
        Rule("linear", "rows*weights - rows*macs - rows*adds", "one MAC per weight",
             "It takes a weight to be used once per sample, not at every position.",
             seen=HOLDER),
        Rule("conv_transpose", "kernels*positions - macs", "taps at outputs",
             ON_OUTPUTS, seen=HOLDER),
    ),
    zero=f"""
        local_response_norm softmax radial_basis
        {POOLS} {TENSORS} resize {CHEAP} {MOVES}
    """,
)  # fmt: skip

DEEPSPEED = Convention(
    "deepspeed", "deepspeed 0.19.8, get_model_profile; also calflops 0.3.2", FLOP,
    rules=(
        replace(PRODUCTS, seen=NAMED),
        replace(ADDITIONS, seen=NAMED),
        Rule("arithmetic", "sums", SUMS, seen=FUNCTION),
        Rule("conv table_conv conv_transpose", "adds", BIASES, seen=NAMED),
        Rule("matmul", "2*left_columns", f"{LEFT}, and sums"),
        Rule("attention", "2*macs", "products and sums of both products", seen=NAMED),
        Rule("einsum", "einsum_whole", "products and sums", TEXT, seen=NAMED,
             is_whole=True),
        Rule("resize", "by_scale*outputs", "one operation per output", seen=NAMED),
        Rule("resize", "to_shape*plane", "one operation per output of a channel",
             "If the size is given, it forgets channels and batch.", seen=NAMED,
             is_whole=True),
        Rule("resize", "area*inputs", "one operation per element of areas",
             seen=NAMED),
        Rule("batch_norm", "inputs + affine*inputs", SCALED, seen=NAMED),
        Rule(NORMS, ESTIMATE, ESTIMATED, seen=NAMED),
        Rule(f"relu prelu silu subsample {POOLS}", "inputs", ELEMENTS,
             seen=NAMED),
        Rule("softmax", "plain*inputs", ELEMENTS, seen=NAMED),
        Rule("elu leaky_relu", "inputs", ELEMENTS, seen=NAMED),
        Rule("relu6", "inputs", ELEMENTS, seen=FUNCTION),
        Rule("local_response_norm", PARTS_AMOUNT, PARTS, seen=NAMED),
    ),
    zero=f"radial_basis rms_norm {CHEAP} {MOVES}",
)  # fmt: skip

XLA = Convention(
    "xla", "jaxlib 0.10.2, HloCostAnalysis of convolutions and products", FLOP,
    rules=(
        PRODUCTS,
        ADDITIONS,
        Rule("conv conv_transpose", "-2*padding", "taps on padding",
             "A tap that falls on padding multiplies nothing, and does not count."),
        Rule(TENSORS, "2*macs", "products and sums of tensors"),
        Rule("einsum", "2*muls", "sums of single products",
             "A product without a sum counts as one with a sum."),
    ),
    zero=NO_LAYERS,
)  # fmt: skip

TORCHVISION = Convention(
    "torchvision", "torchvision 0.28, weights.meta['_ops'] (in units of 10⁹)", MAC,
    rules=(PRODUCTS, Rule(TENSORS, "macs", OF_TENSORS)),
    zero=NO_LAYERS,
    one_sample=(CALLED,),
    batch_quirk=IMAGE,
)  # fmt: skip

PYCLS = Convention(
    "pycls", "pycls 0.1.1, pycls.core.net.complexity", MAC,
    rules=(
        PRODUCTS,
        Rule("linear", "adds", BIASES),
        Rule("conv table_conv conv_transpose", "biases", "one addition per bias",
             "A bias of a convolution counts once, not at every position."),
        Rule(TENSORS, "macs", OF_TENSORS),
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
        Rule(TENSORS, "2*macs + adds + muls + divs + exps", "every operation",
             seen=ANYHOW),
        Rule(f"""
             batch_norm local_response_norm relu relu6 silu softmax subsample
             {POOLS} resize {CHEAP} {NORMS} rms_norm
             """, "2*macs + adds + muls + divs + exps + compares", "every operation",
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
