"""Spaces of architecture search: sets of networks, one file per paper."""

from costmodel.zoo.spaces import mobile, nasbench101, nasbench201, nasnet, nats, regnet


__all__ = ["mobile", "nasbench101", "nasbench201", "nasnet", "nats", "regnet"]
