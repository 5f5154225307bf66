"""How large weights may be for a graph to answer as before, up to rounding, when a pass rounds otherwise."""

from __future__ import annotations

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops.basic import Lookup
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.ir.ops.tabular import Forest, Standardize
from sensenet.ir.printer import tensors_of
from sensenet.ir.types import Tensor

SMALLEST, LARGEST = 2.0**-64, 2.0**64
"""Magnitudes that the largest number of a weight may have: the square roots of the ends of float32. Products
of two such numbers are neither infinite nor rounded to fewer digits."""

SMALLEST_DEVIATION = 2.0**-100
"""Columns in small units have small deviations; what is divided by smaller ones may come near 3e38."""

ADDS_OR_COMPARES = (Constant, Forest, Lookup)
"""Ops whose numbers are no factors, but thresholds and leaves."""


def in_range(weight: Tensor) -> bool:
    """Whether the largest magnitude is from `SMALLEST` to `LARGEST`; or all numbers are 0."""
    return weight.largest == 0 or SMALLEST <= weight.largest <= LARGEST


def amplifies(op: Op) -> bool:
    """Whether an op multiplies by such large numbers that each rounding error before it shows after it.

    What is infinite behind it in one network may be a finite answer; a pass that adds zeros times that
    number makes it NaN.
    """
    if isinstance(op, ADDS_OR_COMPARES):
        return False
    if isinstance(op, Standardize):
        return bool(np.any(np.abs(op.stdev.array) < SMALLEST_DEVIATION))
    if isinstance(op, BatchNormalization):
        return any(Tensor.float32(numbers).largest > LARGEST for numbers in op.scale_and_shift())
    return any(tensor.largest > LARGEST for tensor in tensors_of(op))
