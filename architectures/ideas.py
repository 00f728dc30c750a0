"""Ideas that networks build on, without a network of their own here."""

from __future__ import annotations

from costmodel.network.registry.lineage import add_idea


add_idea(
    "dropout",
    title="Dropout",
    year=2012,
    paper="arXiv:1207.0580",
    idea="units left out at random in training, at no cost in evaluation",
)
add_idea(
    "network_in_network",
    title="Network in network",
    year=2013,
    paper="arXiv:1312.4400",
    idea="1×1 convolutions, and global average pooling before the classifier",
)
add_idea(
    "separable_convolution",
    title="Separable convolution",
    year=2014,
    paper="arXiv:1403.1687",
    idea="filtering each channel by itself, then mixing channels at each position",
)
add_idea(
    "batch_normalization",
    title="Batch normalization",
    year=2015,
    paper="arXiv:1502.03167",
    idea="one scale and one shift per channel, which fold into the convolution before it",
)
add_idea(
    "highway",
    title="Highway networks",
    year=2015,
    paper="arXiv:1505.00387",
    idea="shortcuts that gates open, so that very deep networks train",
)
add_idea(
    "architecture_search",
    title="Neural architecture search",
    year=2016,
    paper="arXiv:1611.01578",
    idea="a controller that learns which layers to string together",
)
add_idea(
    "gelu",
    title="Gaussian error linear unit",
    year=2016,
    paper="arXiv:1606.08415",
    idea="an element times the probability that a normal variable is below it",
)
add_idea(
    "layer_normalization",
    title="Layer normalization",
    year=2016,
    paper="arXiv:1607.06450",
    idea="mean and variance over the channels of one sample, at run time as in training",
)
add_idea(
    "swin",
    title="Swin Transformer",
    year=2021,
    paper="arXiv:2103.14030",
    idea="attention within windows of 7×7, in stages that halve the feature map",
)
