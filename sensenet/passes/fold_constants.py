"""fold-constants: compute ops of constants at compile time.

    %0 = constant() {value=f32[2]{1.0, 2.0}} : f32[2]
    %1 = multiply(%0, %0) {} : f32[2]
becomes
    %1 = constant() {value=f32[2]{1.0, 4.0}} : f32[2]

Valid because `evaluate` is what an op means, and it is pure. Must not fire if the result is larger than
`LARGEST_RESULT` elements and than all its inputs together, so that a model's size never explodes; nor if its
type is not the inferred one; nor for a loop, which might not end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sensenet.ir.graph import Node, Value, constant
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Constant
from sensenet.ir.types import Tensor, TensorType
from sensenet.passes.infrastructure.rules import Uses, rewriting_pass

LARGEST_RESULT = 4096
"""Elements (16 KiB of float32) that a folded constant may always have."""


def fold_constant(node: Node, _: Uses) -> Sequence[Value] | None:
    """Return constants for the node's results, if all inputs are constants."""
    operands = [value.op.value for value in node.inputs if isinstance(value.op, Constant)]
    if not node.inputs or len(operands) < len(node.inputs) or isinstance(node.op, While):
        return None
    limit = max(LARGEST_RESULT, sum(operand.array.size for operand in operands))
    if not all(_is_small(result, limit) for result in node.types):
        return None
    with np.errstate(all="ignore"):
        results = node.op.evaluate(*(operand.array for operand in operands))
    tensors = [Tensor(result) for result in (results if len(node.types) > 1 else (results,))]
    if tuple(tensor.type for tensor in tensors) != node.types:
        return None
    return [constant(tensor, node.name) for tensor in tensors]


def _is_small(result: TensorType, limit: int) -> bool:
    sizes = [size for size in result.shape if size is not None]
    return len(sizes) == result.rank and math.prod(sizes) <= limit


PASS = rewriting_pass("fold-constants", fold_constant)
