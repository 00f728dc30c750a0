"""Write down what tools count: ``python -m tests.peers.record``, by ``nox -s peers``.

The file lets every test run compare conventions with tools that are not installed.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from costmodel.network.graph import Network
from tests.peers.networks import COUNTED, KNOWN, ORIGINALS, in_modules, known, original
from tests.peers.process import PACKAGES, Peer
from tests.peers.tools import COUNTERS


RECORD = Path(__file__).with_name("counts.json")


def input_size(network: Network) -> tuple[int, ...]:
    """Return batch, channels, height and width."""
    return (int(network.batch), *map(int, network.inputs[0].output.sizes))


def counts(tool: str) -> dict[str, dict[str, int]]:
    """Return what a tool counts of networks, compiled and as torchvision has them."""
    networks = {name: in_modules(known(name)) for name in KNOWN} | COUNTED
    found: dict[str, dict[str, int]] = {}
    with Peer(tool) as peer:
        for name, network in networks.items():
            size = input_size(network)
            compiled = peer.count(network=network.to_json(), size=size)
            found[name] = {"compiled": compiled}
        for name in ORIGINALS:
            counted = peer.count(torchvision=name, size=input_size(original(name)))
            found.setdefault(name, {})["torchvision"] = counted
    return found


def main() -> None:
    """Run every tool, and write the record."""
    packages = ["torch", "torchvision", *(PACKAGES.get(t, t) for t in COUNTERS)]
    versions = {package: version(package) for package in sorted(set(packages))}
    record = {"versions": versions, "counts": {tool: counts(tool) for tool in COUNTERS}}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
