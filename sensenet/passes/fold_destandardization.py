"""fold-destandardization: fold the destandardization of a regression into its last linear layer.

    %1 = dense(%0) {kernel=…, bias=…, activation=linear} : f32[?,1]
    %2 = destandardize(%1) {mean=f32[]{50.0}, stdev=f32[]{2.0}} : f32[?,1]
becomes
    %2 = dense(%0) {kernel=… · 2, bias=… · 2 + 50, activation=linear} : f32[?,1]

Valid because (x @ K + b) · stdev + mean = x @ (K · stdev) + (b · stdev + mean), up to rounding; the answer is
rounded to float32 near the mean in both forms. Must not fire if the layer has an activation or another
reader, nor if a weight would not be finite.
"""

from __future__ import annotations

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.tabular import Destandardize
from sensenet.passes.analysis.weights import apply_changed
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rounding_pass


def scale_last_layer(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the linear layer below, in the objective's units."""
    if not isinstance(node.op, Destandardize):
        return None
    (x,) = node.inputs
    stdev, mean = node.op.stdev.float64, node.op.mean.float64
    match x.op:
        case Dense(activation=ActivationFunction.LINEAR) as layer:
            if not uses.only(x):
                return also_read(x)
            return apply_changed(
                layer,
                lambda kernel, bias: (kernel * stdev, bias * stdev + mean),
                x.node.inputs[0],
                node.name,
            )
    return None


PASS = rounding_pass("fold-destandardization", scale_last_layer)
