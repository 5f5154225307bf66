"""fuse-activations: make an activation part of the linear layer before it.

    %1 = dense(%0) {kernel=…, bias=…, activation=linear} : f32[?,4]
    %2 = activation(%1) {function=relu} : f32[?,4]
becomes
    %2 = dense(%0) {kernel=…, bias=…, activation=relu} : f32[?,4]

Layers are dense, or convolutions of any kind. Valid, and exact, because the layer applies the same function
to the same float32 sum. Must not fire if the layer has an activation already, or if something else reads it
before the activation: the layer would then be computed twice.
"""

from __future__ import annotations

from attrs import evolve

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import Activation
from sensenet.passes.analysis.linear_layers import is_linear
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rewriting_pass


def fuse_activation(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the layer below with this activation."""
    if not isinstance(node.op, Activation):
        return None
    (x,) = node.inputs
    if not is_linear(x.op):
        return None
    if not uses.only(x):
        return also_read(x)
    return apply(evolve(x.op, activation=node.op.function), *x.node.inputs, name=node.name).value


PASS = rewriting_pass("fuse-activations", fuse_activation)
