"""fold-pixel-standardization: the first convolution takes pixels as they are.

    %1 = subtract(%0, f32[3]{1.0, 2.0, 3.0}) {} : f32[?,8,8,3]
    %2 = standardize(%1) {mean=f32[]{127.5}, stdev=f32[]{127.5}} : f32[?,8,8,3]
    %3 = convolution_2d(%2) {kernel=K, bias=b, padding=valid, …} : f32[?,6,6,4]
becomes, with a mean of 127.5 + (1, 2, 3) in all,
    %3 = convolution_2d(%0) {kernel=K / 127.5, bias=b - Σ (mean / 127.5) · K, padding=valid, …} : f32[?,6,6,4]
or, where the convolution has same padding,
    %2 = subtract(%0, f32[3]{128.5, 129.5, 130.5}) {} : f32[?,8,8,3]
    %3 = convolution_2d(%2) {kernel=K / 127.5, bias=b, padding=same, …} : f32[?,8,8,4]

Valid up to rounding. The division always folds: a zero stays a zero, in padding too. The mean goes into the
bias only where no convolution reads zeros beside the image, which would have to be shifted with it, and
where it is one number a channel: a mean image that is not the same for all pixels stays. What stays is one
subtraction, however many there were.

Pixels are 0 to 255, so a mean in that range is no larger than the pixels that it is taken from, and the sum
of products with raw pixels is not much less precise than with centered ones: at worst the folded
convolution's error is 0.08 of the tolerance of -O2, and 0.06 as it was (benchmarks/folding_images.py).
Other means stay.
Must not fire where something else than convolutions, or paddings before them, reads the standardised pixels.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.ops.basic import Subtract
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
    """One mean for two that are subtracted in a row."""
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
    """The standardisation as a subtraction and a division, where only the division can fold."""
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
    """The padding before a division, which keeps zeros as they are."""
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
    """The convolution on pixels that are not standardised, with the standardisation in its weights."""
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
    """Whether only convolutions read a value, some of them perhaps through a padding."""
    return uses.only_by(
        value,
        lambda reader: (
            is_convolution(reader)
            or (isinstance(reader.op, Pad2D) and uses.only_by(reader.value, is_convolution))
        ),
    )


def _mean_folds(centered: Centered, value: Value, uses: Uses) -> bool:
    """Whether the mean of centered pixels, the value, can go into the bias of all that reads it."""
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
