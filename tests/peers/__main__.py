"""Count with one tool: ``python -m tests.peers TOOL``.

Reads requests, a line of JSON each, and writes ``{"counted": …}`` or ``{"error": …}``.
A request has ``layers`` for the tools of ``tests.peers.layers``, or ``settings`` of one
of pycls's networks. For all others it has ``size`` (batch, channels, height, width) and
either ``network`` (a network's JSON, to be compiled) or ``torchvision`` (the name of
one of its networks).
"""

from __future__ import annotations

import io
import json
import sys
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import torch

from tests.peers.layers import LAYER_COUNTERS, pycls_network
from tests.peers.tools import COUNTERS
from tests.zoo import torchvision_models, torchvision_network


def answer(tool: str, request: dict[str, Any]) -> Any:
    """Return what the tool counts."""
    from costmodel.bridge.compile import compile  # noqa: A004
    from costmodel.network.graph import Network

    if "settings" in request:
        return pycls_network(request["settings"])
    if tool in LAYER_COUNTERS:
        return [LAYER_COUNTERS[tool](layer) for layer in request["layers"]]
    if "torchvision" in request:
        module = torchvision_network(request["torchvision"]).to_empty(device="cpu")
    else:
        module = compile(Network.from_json(request["network"]))
    return COUNTERS[tool](module, tuple(request["size"]))


def main(tool: str) -> None:
    """Answer requests until there are none."""
    warnings.simplefilter("ignore")
    torch.set_grad_enabled(False)
    torchvision_models()  # two tools import torchvision, which needs some help here
    for line in sys.stdin:
        chatter = io.StringIO()  # tools report their progress on the same stream
        try:
            with redirect_stdout(chatter), redirect_stderr(chatter):
                result = {"counted": answer(tool, json.loads(line))}
        except Exception:  # noqa: BLE001 - whatever a tool raises is an answer
            result = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
