"""Finishes a topology that the converter made: a GraphDef as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

FUSED = frozenset({"_FusedMatMul", "_FusedConv2D", "FusedDepthwiseConv2dNative"})
FUSED_OPS = "fused_ops"
FUSABLE = frozenset({"BiasAdd", "Relu", "Relu6", "Elu", "LeakyRelu", "Sigmoid", "Prelu"})
"""What the kernels of TensorFlow.js' backends take as parts of a fused op; the converter fuses more."""

Node = dict[str, Any]


def finish_topology(topology: dict[str, Any]) -> dict[str, Any]:
    """Return the same graph in a deterministic order, of ops that all backends have."""
    finished: dict[str, Any] = json.loads(json.dumps(topology, sort_keys=True))
    finished["node"] = [part for node in finished["node"] for part in _split(node)]
    functions = finished.get("library", {}).get("function", [])
    functions.sort(key=lambda function: str(function["signature"]["name"]))
    for function in functions:
        function.pop("argAttr", None)  # shapes, which TensorFlow knows at one run and not at another
    return finished


def _split(node: Node) -> Iterator[Node]:
    """Yield a fused op without an activation that backends cannot fuse, and that activation."""
    parts = node["attr"][FUSED_OPS]["list"]["s"] if node["op"] in FUSED else []
    activation = base64.b64decode(parts[-1]).decode() if parts else ""
    if not parts or activation in FUSABLE:
        yield node
        return
    linear = f"{node['name']}/linear"
    yield {**node, "name": linear, "attr": {**node["attr"], FUSED_OPS: {"list": {"s": parts[:-1]}}}}
    yield {"attr": {"T": node["attr"]["T"]}, "input": [linear], "name": node["name"], "op": activation}
