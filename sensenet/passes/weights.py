"""Arithmetic on weights, as every folding pass does it: in float64, stored as float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from attrs import evolve

from sensenet.ir.graph import Value, apply
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Tensor

Weights = npt.NDArray[np.float64]
Change = Callable[[Weights, Weights], tuple[Weights, Weights]]


def apply_changed(layer: Dense, change: Change, x: Value, name: str) -> Value | None:
    """The layer with `change(kernel, bias)` for its weights, on x; None where one is not finite in float32.

    A layer without bias counts as one with zeros, and stays without where they stay zeros.
    """
    bias = np.zeros(layer.units) if layer.bias is None else layer.bias.float64
    with np.errstate(all="ignore"):
        new_kernel, new_bias = map(Tensor.float32, change(layer.kernel.float64, bias))
    if not (new_kernel.finite and new_bias.finite):
        return None
    keeps_none = layer.bias is None and not np.any(new_bias.array)
    changed = evolve(layer, kernel=new_kernel, bias=None if keeps_none else new_bias)
    return apply(changed, x, name=name).value
