"""Takes fused ops apart before TensorFlow runs a graph model.

TensorFlow.js has kernels for them. Those of TensorFlow itself trust their attributes, and end the process for
some that a damaged file has; and it has none for depthwise convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sensenet.backends.graph_loops import data_inputs
from sensenet.backends.tfjs.layer_operators import FUSED
from sensenet.backends.tfjs.names import BIAS, FUSED_OPS, NO_BIAS
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

INPUTS: Mapping[str, int] = {BIAS: 3, NO_BIAS: 2}
"""How many inputs a fused op has, by its first part."""

ACTIVATIONS = frozenset(FUSED.values())
"""What may follow that part."""


def split_fused(graph_def: Any) -> None:
    """Replace the fused ops of a GraphDef, in place; raises ArtifactError for one that is damaged."""
    nodes = [part for node in graph_def.node for part in _split(node)]
    del graph_def.node[:]
    graph_def.node.extend(nodes)


def _split(node: Any) -> Iterator[Any]:
    if node.op not in LINEAR:
        yield node
        return
    first, *activations = [part.decode(errors="replace") for part in node.attr[FUSED_OPS].list.s] or [""]
    inputs = data_inputs(node)
    fits = first in INPUTS and len(inputs) == INPUTS[first]
    if not fits or len(activations) > 1 or not ACTIVATIONS.issuperset(activations):
        raise ArtifactError(f"the node {node.name[:80]!r} is not an op, a bias and an activation")
    operands, bias = inputs[: INPUTS[NO_BIAS]], inputs[INPUTS[NO_BIAS] :]
    order = [name for name in node.input if name.startswith("^")]
    steps: list[tuple[str, list[str], tuple[str, ...]]] = [(LINEAR[node.op], [*operands, *order], ATTRIBUTES)]
    if bias:
        steps.append((BIAS, bias, ("T", "data_format")))
    steps += [(activation, [], ("T",)) for activation in activations]
    before: list[str] = []
    for number, (op, more, attributes) in enumerate(steps, 1):
        name = node.name if number == len(steps) else f"{node.name}/{op}"
        yield _make(node, op, name, [*before, *more], attributes)
        before = [name]


def _make(node: Any, op: str, name: str, inputs: list[str], attributes: tuple[str, ...]) -> Any:
    """Return a NodeDef with those of the attributes that a fused one has."""
    made = type(node)(name=name, op=op, input=inputs, device=node.device)
    for attribute in attributes:
        if attribute in node.attr:
            made.attr[attribute].CopyFrom(node.attr[attribute])
    return made
