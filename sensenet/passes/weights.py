"""Arithmetic on weights, as every folding pass does it: in float64, stored as float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from attrs import evolve

from sensenet.ir.graph import Value, apply
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Tensor
from sensenet.passes.rewrite import Declined

Weights = npt.NDArray[np.float64]
Change = Callable[[Weights, Weights], tuple[Weights, Weights]]

Layer = TypeVar("Layer", bound=Dense | Convolution2D | DepthwiseConvolution2D | SeparableConvolution2D)


NOT_FINITE = Declined("a weight would not be finite in float32")


def with_weights(layer: Layer, kernels: Mapping[str, Weights], bias: Weights) -> Layer | None:
    """The layer with other kernels, by attribute, and another bias; None if one is not finite in float32.

    A layer without bias stays without if it would be zeros.
    """
    new_kernels: dict[str, Any] = {name: Tensor.float32(kernel) for name, kernel in kernels.items()}
    new_bias = Tensor.float32(bias)
    if not all(tensor.finite for tensor in (*new_kernels.values(), new_bias)):
        return None
    keeps_none = layer.bias is None and not np.any(new_bias.array)
    return evolve(layer, **new_kernels, bias=None if keeps_none else new_bias)


def apply_changed(layer: Dense, change: Change, x: Value, name: str) -> Value | Declined:
    """The layer with `change(kernel, bias)` for its weights, on x; declines if one is not finite in float32.

    A layer without bias counts as one with zeros.
    """
    bias = np.zeros(layer.units) if layer.bias is None else layer.bias.float64
    with np.errstate(all="ignore"):
        new_kernel, new_bias = change(layer.kernel.float64, bias)
    changed = with_weights(layer, {"kernel": new_kernel}, new_bias)
    return NOT_FINITE if changed is None else apply(changed, x, name=name).value
