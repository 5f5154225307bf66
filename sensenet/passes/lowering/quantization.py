"""Lowering rules for quantize and dequantize, for targets that have no such op.

    %1 = quantize(%0) {scale=s, zero_point=z}    becomes  cast(clip(add(round(divide(%2, s)), z)))
    %1 = dequantize(%0) {scale=s, zero_point=z}  becomes  multiply(subtract(cast(%0), z), s)

where %2 is %0 with 0 in place of NaN, and clip is minimum(maximum(…, -128), 127).

Valid because these are the ops' own formulas, step by step: the results are the same, bit for bit.
"""

from __future__ import annotations

from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.arithmetic import Add, Cast, Divide, Equal, Maximum, Minimum, Multiply, Select, Subtract
from sensenet.ir.ops.elementwise import Round
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.types import DType
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.node_builder import NodeBuilder, named


def lower_quantize(node: Node, _: Uses) -> Value | None:
    """Return the number of steps, rounded and within bounds."""
    op, (x,) = node.op, node.inputs
    if not isinstance(op, Quantize):
        return None
    build, rank = NodeBuilder(node.name), x.type.rank
    known = build(Select(), build(Equal(), x, x), x, build.constant(0, DType.FLOAT32))
    steps = build(Round(), build(Divide(), known, op.along_axis(op.scale.array, rank)))
    moved = build(Add(), steps, op.along_axis(op.zero_point.array, rank))
    low, high = op.bounds
    return named(
        build(Cast(dtype=DType.INT32), build(Minimum(), build(Maximum(), moved, low), high)), node.name
    )


def lower_dequantize(node: Node, _: Uses) -> Value | None:
    """Return the steps from the zero point, times the scale."""
    op, (x,) = node.op, node.inputs
    if not isinstance(op, Dequantize):
        return None
    build, rank = NodeBuilder(node.name), x.type.rank
    moved = build(Subtract(), build(Cast(dtype=DType.FLOAT32), x), op.along_axis(op.zero_point.array, rank))
    return named(build(Multiply(), moved, op.along_axis(op.scale.array, rank)), node.name)
