"""Takes fused ops apart before TensorFlow runs a graph model.

TensorFlow.js has kernels for them. Those of TensorFlow itself trust their attributes, and end the process for
some that a damaged file has; and it has none for depthwise convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sensenet.backends.graph_loops import data_inputs
from sensenet.backends.tfjs.layer_operators import FUSED
from sensenet.backends.tfjs.names import BIAS, FUSED_OPS
from sensenet.errors import ArtifactError

LINEAR: Mapping[str, str] = {
    "_FusedConv2D": "Conv2D",
    "_FusedMatMul": "MatMul",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
"""Fused ops, with the op that they begin with."""

ATTRIBUTES = (
    *("T", "transpose_a", "transpose_b"),
    *("strides", "padding", "explicit_paddings", "data_format", "dilations"),
)
"""What the first op keeps."""

ACTIVATIONS = frozenset(FUSED.values())
"""What may follow the bias."""


def split_fused(graph_def: Any) -> None:
    """Replace the fused ops of a GraphDef, in place; raises ArtifactError for one that is damaged."""
    nodes = [part for node in graph_def.node for part in _split(node)]
    del graph_def.node[:]
    graph_def.node.extend(nodes)


def _split(node: Any) -> Iterator[Any]:
    if node.op not in LINEAR:
        yield node
        return
    parts = [part.decode(errors="replace") for part in node.attr[FUSED_OPS].list.s]
    inputs = data_inputs(node)
    if parts[:1] != [BIAS] or len(parts) > 2 or not ACTIVATIONS.issuperset(parts[1:]) or len(inputs) != 3:
        raise ArtifactError(f"the node {node.name[:80]!r} is not an op, a bias and an activation")
    *operands, bias = inputs
    order = [name for name in node.input if name.startswith("^")]
    ops = [LINEAR[node.op], *parts]
    names = [*(f"{node.name}/{op}" for op in ops[:-1]), node.name]
    yield _make(node, ops[0], names[0], [*operands, *order], ATTRIBUTES)
    yield _make(node, BIAS, names[1], [names[0], bias], ("T", "data_format"))
    if len(ops) == 3:
        yield _make(node, ops[2], names[2], [names[1]], ("T",))


def _make(node: Any, op: str, name: str, inputs: list[str], attributes: tuple[str, ...]) -> Any:
    """Return a NodeDef with those of the attributes that a fused one has."""
    made = type(node)(name=name, op=op, input=inputs, device=node.device)
    for attribute in attributes:
        if attribute in node.attr:
            made.attr[attribute].CopyFrom(node.attr[attribute])
    return made
