"""Arithmetic on weights for all folding passes, in float64, stored as float32, and its limits.

Changed weights give the same answers up to rounding only if float32 holds them with all digits and no large
numbers cancel in a weight that the network would have summed itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Value, apply
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.magnitudes import LARGEST, in_range
from sensenet.passes.analysis.sums import Sums, as_sums
from sensenet.passes.infrastructure.rules import Declined

Change = Callable[[Sums, Sums], tuple[Sums, Sums]]

Layer = TypeVar("Layer", bound=Dense | Convolution2D | DepthwiseConvolution2D | SeparableConvolution2D)

LARGEST_CANCELLATION = 2.0**8
"""The largest ratio of the terms of a weight, in total, to their sum or to 1: float32 then rounds away 1.5e-5
of the sum. In the recorded models, the largest ratio is 12."""

LARGEST_CANCELLATION_OF_PIXELS = 2.0**13
"""The same for convolutions, whose answers are compared relative to the largest one: pixels of 0 to 255 may
be centered in the bias of a window of some hundred weights."""

NOT_FINITE = Declined("a weight would not be finite in float32")
OUT_OF_RANGE = Declined("a weight would be near the ends of float32's range")
CANCELS = Declined("large numbers would cancel in a weight, and leave their rounding errors")


def with_weights(layer: Layer, kernels: Mapping[str, Sums], bias: Sums) -> Layer | Declined:
    """Return the layer with new kernels, by attribute, and a new bias; decline beyond the limits here.

    A layer without a bias stays without one if the new bias would be zeros.
    """
    limit = LARGEST_CANCELLATION if isinstance(layer, Dense) else LARGEST_CANCELLATION_OF_PIXELS
    rounded = round_weights([*kernels.values()], bias, limit)
    if isinstance(rounded, Declined):
        return rounded
    *new_kernels, new_bias = rounded
    keeps_none = layer.bias is None and not np.any(new_bias.array)
    changes: dict[str, Any] = dict(zip(kernels, new_kernels, strict=True))
    return evolve(layer, **changes, bias=None if keeps_none else new_bias)


def round_weights(
    kernels: Sequence[Sums], bias: Sums, limit: float = LARGEST_CANCELLATION
) -> tuple[Tensor, ...] | Declined:
    """Return the kernels and the bias in float32; decline beyond the limits here.

    The last axis of each is that of the results.
    """
    rounded = tuple(Tensor.float32(sums.value) for sums in (*kernels, bias))
    if not all(tensor.finite for tensor in rounded):
        return NOT_FINITE
    *new_kernels, new_bias = rounded
    if not all(map(in_range, new_kernels)) or new_bias.largest > LARGEST:
        return OUT_OF_RANGE
    if any(cancels(sums, limit) for sums in (bias, *map(_by_result, kernels))):
        return CANCELS
    return rounded


def cancels(sums: Sums, limit: float = LARGEST_CANCELLATION) -> bool:
    """Return whether the terms of a sum exceed `limit` times the larger of its remainder and 1."""
    if sums.terms is None:
        return False
    return bool(np.any(sums.terms > limit * np.maximum(np.abs(sums.rest), 1.0)))


def apply_changed(layer: Dense, change: Change, x: Value, name: str) -> Value | Declined:
    """Return the layer with the weights `change(kernel, bias)`, on x; decline beyond the limits here.

    A layer without a bias counts as one with zeros.
    """
    bias = np.zeros(layer.units) if layer.bias is None else layer.bias.float64
    with np.errstate(all="ignore"):
        new_kernel, new_bias = change(as_sums(layer.kernel.float64), as_sums(bias))
    changed = with_weights(layer, {"kernel": new_kernel}, new_bias)
    return changed if isinstance(changed, Declined) else apply(changed, x, name=name).value


def _by_result(kernel: Sums) -> Sums:
    """Return the largest entry of each result, with the largest terms: a single entry may be near 0."""
    if kernel.terms is None:
        return kernel
    axes = tuple(range(kernel.value.ndim - 1))
    return Sums(np.max(np.abs(kernel.value), axes, initial=0), np.max(kernel.terms, axes, initial=0))
