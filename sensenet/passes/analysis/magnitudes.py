"""Bounds on weights within which a pass that changes rounding keeps the answers, up to rounding."""

from __future__ import annotations

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.ir.ops.rearrangement import Lookup
from sensenet.ir.ops.tabular import Forest, Standardize
from sensenet.ir.printer import tensors_of
from sensenet.ir.types import Tensor

SMALLEST, LARGEST = 2.0**-64, 2.0**64
"""Magnitudes that the largest number of a weight may have: the square roots of the ends of float32. Products
of two such numbers are neither infinite nor rounded to fewer digits."""

SMALLEST_DEVIATION = 2.0**-100
"""Columns in small units have small deviations; quotients by smaller ones may come near 3e38."""

ADDS_OR_COMPARES = (Constant, Forest, Lookup)
"""Ops whose numbers are thresholds and leaves, not factors."""


def in_range(weight: Tensor) -> bool:
    """Return whether the largest magnitude is from `SMALLEST` to `LARGEST`; or all numbers are 0."""
    return weight.largest == 0 or SMALLEST <= weight.largest <= LARGEST


def amplifies(op: Op) -> bool:
    """Return whether an op multiplies by numbers so large that any rounding error before it shows.

    Otherwise a value after it that is infinite in one network could still lead to a finite answer, and a pass
    that adds zeros times that value would make the answer NaN.
    """
    if isinstance(op, ADDS_OR_COMPARES):
        return False
    if isinstance(op, Standardize):
        return bool(np.any(np.abs(op.stdev.array) < SMALLEST_DEVIATION))
    if isinstance(op, BatchNormalization):
        return any(Tensor.float32(numbers).largest > LARGEST for numbers in op.scale_and_shift())
    return any(tensor.largest > LARGEST for tensor in tensors_of(op))
