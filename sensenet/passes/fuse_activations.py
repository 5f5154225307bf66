"""fuse-activations: an activation after a linear layer becomes the layer's own.

    %1 = dense(%0) {kernel=…, bias=…, activation=linear} : f32[?,4]
    %2 = activation(%1) {function=relu} : f32[?,4]
becomes
    %2 = dense(%0) {kernel=…, bias=…, activation=relu} : f32[?,4]

Valid, and exact, because the layer applies the same function to the same float32 sum. Must not fire where
the layer has an activation already, or where something else reads it before the activation: the layer would
then be computed twice.
"""

from __future__ import annotations

from attrs import evolve

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.passes.rewrite import Uses, rewriting_pass


def fuse_activation(node: Node, uses: Uses) -> Value | None:
    """The layer below with this activation."""
    if not isinstance(node.op, Activation):
        return None
    (x,) = node.inputs
    match x.op:
        case Dense(activation=ActivationFunction.LINEAR) as layer if uses.only(x):
            fused = evolve(layer, activation=node.op.function)
            return apply(fused, *x.node.inputs, name=node.name).value
    return None


PASS = rewriting_pass("fuse-activations", fuse_activation)
