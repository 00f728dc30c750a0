"""The history of convolutional networks: one file a paper."""

from architectures import (
    alexnet,
    densenet,
    efficientnet,
    googlenet,
    inception_v3,
    lenet5,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    resnet_cifar,
    resnext,
    senet,
    vgg,
)


__all__ = [
    "alexnet",
    "densenet",
    "efficientnet",
    "googlenet",
    "inception_v3",
    "lenet5",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3",
    "resnet",
    "resnet_cifar",
    "resnext",
    "senet",
    "vgg",
]
