"""The history of convolutional networks: one file a paper."""

from architectures import alexnet, lenet5, mobilenet_v1, resnet, resnet_cifar, vgg


__all__ = ["alexnet", "lenet5", "mobilenet_v1", "resnet", "resnet_cifar", "vgg"]
