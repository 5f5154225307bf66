"""merge-dense: merge a linear layer and the layer that reads it.

    %1 = dense(%0) {kernel=#…:f32[64,32], bias=…, activation=linear} : f32[?,32]
    %2 = dense(%1) {kernel=#…:f32[32,10], bias=…, activation=softmax} : f32[?,10]
becomes
    %2 = dense(%0) {kernel=#…:f32[64,10], bias=…, activation=softmax} : f32[?,10]

Valid because (x @ A + a) @ B + b = x @ (A @ B) + (a @ B + b), up to rounding. Must not fire if the first
layer has an activation or another reader, nor if the product has more weights than the two layers: a narrow
linear layer between wide ones saves work. A product that is not finite in float32 is left alone.
"""

from __future__ import annotations

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.dense import Dense
from sensenet.passes.analysis.sums import Sums, as_sums
from sensenet.passes.analysis.weights import apply_changed
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rounding_pass


def merge_linear_layer(node: Node, uses: Uses) -> Value | Declined | None:
    """Return one layer for a linear layer and its reader."""
    if not isinstance(node.op, Dense):
        return None
    (x,) = node.inputs
    match x.op:
        case Dense(activation=ActivationFunction.LINEAR) as first:
            if not uses.only(x):
                return also_read(x)
            if not _pays(first, node.op):
                return Declined(
                    f"the product with {x.node.name!r} would have more weights than the two layers"
                )
            return _merge(first, node, x.node.inputs[0])
    return None


def _pays(first: Dense, second: Dense) -> bool:
    """Return whether the product has at most as many weights as the two kernels."""
    inputs = first.kernel.shape[0]
    return inputs * second.units <= first.kernel.array.size + second.kernel.array.size


def _merge(first: Dense, node: Node, source: Value) -> Value | Declined:
    def multiply(kernel: Sums, bias: Sums) -> tuple[Sums, Sums]:
        shift = as_sums(0.0) if first.bias is None else (first.bias.float64 @ kernel).moved()
        return first.kernel.float64 @ kernel, bias + shift

    assert isinstance(node.op, Dense)
    return apply_changed(node.op, multiply, source, node.name)


PASS = rounding_pass("merge-dense", merge_linear_layer)
