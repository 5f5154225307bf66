"""Rounds the kernels and biases of layers to few bits.

A kernel has one scale for each channel of the layer's result, and no zero point: whole numbers from -127 to
127. A bias is a whole number of 32 bits, at the scale of the products: that of the input times the kernel's.

The IR stores both as the float32 numbers that these mean. `layer_steps` finds the scales of a rounded layer
in its numbers, and returns exactly the whole numbers that it was rounded to.
"""

from __future__ import annotations

import attrs
import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import DepthwiseConvolution2D
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.types import FLOAT32_TINY, Array, Tensor
from sensenet.records import frozen

ROUNDING = 1e-6
"""What a product of a whole number and a scale, in float32, may be off by, relative to it."""

LARGEST_BIAS = 2.0**30
"""Steps of a bias, at most: half of 32 bits, so that products can be added."""


@frozen(kw_only=True)
class LayerSteps:
    """The whole numbers of a layer: kernel i32[…, n] and bias i32[n], with scales f32[n] of n channels."""

    kernel: Array
    bias: Array
    kernel_scale: Tensor
    bias_scale: Tensor


CLIPPING = np.linspace(1.0, 0.4, 25)
"""The shares of a channel's largest weight that are tried as the largest one of 4 bits."""


def largest_step(bits: int) -> int:
    """Return the largest whole number of so many bits; in a kernel, the least is its negative."""
    return (1 << (bits - 1)) - 1


def channel_scales(kernel: Array, least: Array | float = 0.0, bits: int = 8) -> Array:
    """Return f64[n], the scales of a kernel f32[…, n] in which no weight is cut off: at least `least`.

    A channel of zeros has that of the largest channel, if `least` is 0.
    """
    largest = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0, initial=0).astype(np.float64)
    scale = np.maximum(largest / largest_step(bits), least)
    of_zeros = (largest.max(initial=0) or 1.0) / largest_step(bits)
    found: Array = np.maximum(np.where(scale > 0, scale, of_zeros), FLOAT32_TINY)
    return found


def nearest_scales(kernel: Array) -> Array:
    """Return f64[n], the scales of a kernel f32[…, n] of 4 bits: those whose squared errors are least.

    They may cut off the largest weights: with 15 steps, finer ones for all others are worth that.
    """
    weights = kernel.reshape(-1, kernel.shape[-1])
    most, whole = largest_step(4), channel_scales(kernel, bits=4)
    best, least = whole, np.full(len(whole), np.inf)
    for share in CLIPPING:
        scale = np.maximum(whole * share, FLOAT32_TINY)
        errors = np.square(np.clip(np.rint(weights / scale), -most, most) * scale - weights).sum(axis=0)
        best = np.where(errors < least, scale, best)
        least = np.minimum(errors, least)
    return best


def _bias_of(op: Op) -> Array:
    """Return a layer's bias f32[n], zeros if it has none."""
    bias: Tensor | None = op.bias  # type: ignore[attr-defined]
    return np.zeros(kernel_of(op).shape[-1], np.float32) if bias is None else bias.array


def kernel_of(op: Op) -> Array:
    """Return a layer's kernel f32[…, n], with the channels of its result on the last axis."""
    kernel: Array = op.kernel.array  # type: ignore[attr-defined]
    if isinstance(op, DepthwiseConvolution2D):
        return kernel.reshape(*kernel.shape[:2], op.filters)
    return kernel


def kernel_scale(op: Op, input_scale: float) -> Tensor:
    """Return f32[n], a kernel's scales: so large that the bias has at most LARGEST_BIAS steps."""
    bias = _bias_of(op).astype(np.float64)
    return Tensor.float32(channel_scales(kernel_of(op), np.abs(bias) / (LARGEST_BIAS * input_scale)))


def layer_steps(op: Op, input_scale: float) -> LayerSteps:
    """Return a layer's numbers in steps, for an input of that scale."""
    scale = kernel_scale(op, input_scale)
    bias_scale = Tensor.float32(np.maximum(scale.float64 * input_scale, FLOAT32_TINY))
    return LayerSteps(
        kernel=_quantize(scale).evaluate(kernel_of(op)),
        bias=_quantize(bias_scale, bits=32).evaluate(_bias_of(op)),
        kernel_scale=scale,
        bias_scale=bias_scale,
    )


def round_layer(op: Op, input_scale: float) -> Op:
    """Return the layer with the numbers of its steps."""
    steps = layer_steps(op, input_scale)
    kernel = _dequantize(steps.kernel_scale).evaluate(steps.kernel).reshape(op.kernel.shape)  # type: ignore[attr-defined]
    changes = {"kernel": Tensor.owning(kernel)}
    if op.bias is not None:  # type: ignore[attr-defined]
        changes["bias"] = Tensor.owning(_dequantize(steps.bias_scale).evaluate(steps.bias))
    return attrs.evolve(op, **changes)  # type: ignore[misc]


def is_in_steps(op: Op, input_scale: float) -> bool:
    """Return whether a layer's numbers are those of its steps, up to the rounding of products."""
    rounded = round_layer(op, input_scale)
    pairs = [(op.kernel, rounded.kernel)]  # type: ignore[attr-defined]
    if op.bias is not None:  # type: ignore[attr-defined]
        pairs.append((op.bias, rounded.bias))  # type: ignore[attr-defined]
    return all(np.allclose(one.array, other.array, rtol=ROUNDING, atol=0) for one, other in pairs)


def _no_zero_point(scale: Tensor) -> Tensor:
    return Tensor.int32(np.zeros(scale.shape, np.int32))


def _quantize(scale: Tensor, bits: int = 8) -> Quantize:
    return Quantize(scale=scale, zero_point=_no_zero_point(scale), axis=-1, bits=bits)


def _dequantize(scale: Tensor) -> Dequantize:
    return Dequantize(scale=scale, zero_point=_no_zero_point(scale), axis=-1)
