"""fold-pixel-standardization: fold the standardization of pixels into the first convolution.

    %1 = subtract(%0, f32[3]{1.0, 2.0, 3.0}) {} : f32[?,8,8,3]
    %2 = standardize(%1) {mean=f32[]{127.5}, stdev=f32[]{127.5}} : f32[?,8,8,3]
    %3 = convolution_2d(%2) {kernel=K, bias=b, padding=valid, …} : f32[?,6,6,4]
becomes, with a mean of 127.5 + (1, 2, 3) in all,
    %3 = convolution_2d(%0) {kernel=K / 127.5, bias=b - Σ (mean / 127.5) · K, padding=valid, …} : f32[?,6,6,4]
or, if the convolution has same padding,
    %2 = subtract(%0, f32[3]{128.5, 129.5, 130.5}) {} : f32[?,8,8,3]
    %3 = convolution_2d(%2) {kernel=K / 127.5, bias=b, padding=same, …} : f32[?,8,8,4]

Valid up to rounding. The division always folds: a zero stays a zero, in padding too. The mean goes into the
bias only if no convolution reads zeros around the image, which would have to be shifted too, and if it is one
number per channel: a mean image that varies between pixels stays. At most one subtraction stays.

Pixels are 0 to 255, so a mean in that range is no larger than the pixels that it is taken from, and the sum
of products with raw pixels is not much less precise than with centered ones: at worst the folded
convolution's error is 0.08 of the tolerance of -O2, and 0.06 as it was (benchmarks/folding_images.py). Other
means stay. Must not fire if anything but convolutions, or paddings before them, reads the standardized
pixels.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.convolution import Pad2D
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.centering import Centered, find_centered
from sensenet.passes.analysis.linear_layers import (
    CONVOLUTIONS,
    apply_layer,
    is_convolution,
    reads_padding,
    scale_inputs,
)
from sensenet.passes.infrastructure.rules import Declined, Uses, rounding_pass

LARGEST_MEAN = 255.0
"""The brightest pixel."""


def merge_subtractions(node: Node, uses: Uses) -> Value | None:
    """Return one mean for two that are subtracted in a row."""
    outer = find_centered(node.value)
    if outer is None or not isinstance(outer.source.op, Subtract) or not uses.only(outer.source):
        return None
    inner = find_centered(outer.source)
    if inner is None:
        return None
    mean = Tensor.float32(inner.mean + outer.mean)
    if isinstance(node.op, Standardize):
        return apply(evolve(node.op, mean=mean), inner.source, name=node.name).value
    return _subtract(inner.source, mean, node.name)


def subtract_before(node: Node, uses: Uses) -> Value | None:
    """Return the standardization as a subtraction and a division, if only the division can fold."""
    if not isinstance(node.op, Standardize) or not _leads_to_convolutions(node.value, uses):
        return None
    centered = find_centered(node.value)
    if centered is None or centered.channel_stdevs is None:
        return None
    if not np.any(centered.mean) or _mean_folds(centered, node.value, uses):
        return None
    difference = _subtract(centered.source, node.op.mean, f"{node.name}_centered")
    return apply(_division(node.op.stdev), difference, name=node.name).value


def divide_after_padding(node: Node, uses: Uses) -> Value | None:
    """Return the padding moved before a division, which keeps zeros."""
    if not isinstance(node.op, Pad2D):
        return None
    (x,) = node.inputs
    centered = find_centered(x)
    if centered is None or np.any(centered.mean) or not _leads_to_convolutions(x, uses):
        return None
    stdev = centered.channel_stdevs
    if stdev is None:
        return None
    padded = apply(node.op, centered.source, name=node.name).value
    return apply(_division(Tensor.float32(stdev)), padded, name=x.node.name).value


def standardize_in_convolution(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the convolution on raw pixels, with the standardization in its weights."""
    layer = node.op
    if not isinstance(layer, CONVOLUTIONS):
        return None
    (x,) = node.inputs
    centered = find_centered(x)
    if centered is None:
        return None
    if not uses.only_by(x, is_convolution):
        return Declined(f"not every reader of {x.node.name!r} is a convolution")
    mean, stdev = centered.channel_means, centered.channel_stdevs
    if mean is None or stdev is None:
        return Declined("the mean or deviation is not one number for each channel")
    if np.any(mean) and not _mean_folds(centered, x, uses):
        return Declined("a convolution that pads with zeros reads it, or the mean is larger than any pixel")
    with np.errstate(all="ignore"):
        scale, shift = 1 / stdev, -mean / stdev
    return apply_layer(scale_inputs(layer, scale, shift), centered.source, node.name)


def _subtract(source: Value, mean: Tensor, name: str) -> Value:
    return apply(Subtract(), source, constant(mean, f"{name}_mean"), name=name).value


def _division(stdev: Tensor) -> Standardize:
    return Standardize(mean=Tensor.float32(0.0), stdev=stdev)


def _leads_to_convolutions(value: Value, uses: Uses) -> bool:
    """Return whether only convolutions read a value, directly or through a padding."""
    return uses.only_by(
        value,
        lambda reader: (
            is_convolution(reader)
            or (isinstance(reader.op, Pad2D) and uses.only_by(reader.value, is_convolution))
        ),
    )


def _mean_folds(centered: Centered, value: Value, uses: Uses) -> bool:
    """Return whether the mean of centered pixels can go into the bias of all their readers."""
    mean = centered.channel_means
    if mean is None or np.max(np.abs(mean)) > LARGEST_MEAN:
        return False
    return uses.only_by(
        value,
        lambda reader: isinstance(reader.op, CONVOLUTIONS) and not reads_padding(reader.op, value.type),
    )


PASS = rounding_pass(
    "fold-pixel-standardization",
    merge_subtractions,
    subtract_before,
    divide_after_padding,
    standardize_in_convolution,
)
