"""YOLOv4 (Bochkovskiy et al. 2020) and its small variant: detectors with two or three output branches."""

from __future__ import annotations

from functools import partial

from sensenet.pretrained.layers import (
    IMAGE,
    Layer,
    activation,
    add,
    batch_normalization,
    concatenate,
    convolution,
    max_pool,
    pad,
    second_half,
    upsample,
)
from sensenet.records import frozen

COCO_CLASSES = 80
ANCHORS = 3
BOX_NUMBERS = 5
"""The numbers of a box before its classes: dx, dy, dw, dh and confidence."""


@frozen
class Branch:
    """One output of a detector: its layer, pixels per cell, anchors [width, height], scale of the center."""

    layer: Layer
    strides: int
    anchors: tuple[tuple[int, int], ...]
    xyscale: float


def _convolve(x: Layer, filters: int, size: int, function: str, strides: int = 1) -> Layer:
    """Return convolution, batch normalization and activation; with strides, padded only above and left."""
    if strides > 1:
        x = pad(x, (1, 0))
    padding = "valid" if strides > 1 else "same"
    return activation(batch_normalization(convolution(x, filters, size, strides, padding)), function)


_mish = partial(_convolve, function="mish")
_leaky = partial(_convolve, function="leaky_relu")


def _logits(x: Layer, filters: int) -> Layer:
    x = _leaky(x, filters, 3)
    return convolution(x, ANCHORS * (BOX_NUMBERS + COCO_CLASSES), 1, bias="zeros")


DARKNET_STAGES = ((128, 2), (256, 8), (512, 8), (1024, 4))
"""(filters, residual blocks) of each stage after the first one."""


def _darknet_block(x: Layer, narrow: int, wide: int) -> Layer:
    return add(x, _mish(_mish(x, narrow, 1), wide, 3))


def _darknet_stage(x: Layer, filters: int, blocks: int, wide: int, narrow: int) -> Layer:
    """Return a stage at half the size: residual blocks on one path, joined with a path without any."""
    x = _mish(x, filters, 3, strides=2)
    main = _mish(x, wide, 1)
    for _ in range(blocks):
        main = _darknet_block(main, narrow, wide)
    joined = concatenate(_mish(main, wide, 1), _mish(x, wide, 1))
    return _mish(joined, filters, 1)


def _darknet() -> tuple[Layer, Layer, Layer]:
    """Return the features of CSPDarknet53 at 1/8, 1/16 and 1/32 of the image's size."""
    x = _darknet_stage(_mish(IMAGE, 32, 3), 64, blocks=1, wide=64, narrow=32)
    found = []
    for filters, blocks in DARKNET_STAGES:
        x = _darknet_stage(x, filters, blocks, wide=filters // 2, narrow=filters // 2)
        found.append(x)
    return found[1], found[2], found[3]


def _alternate(x: Layer, filters: int, count: int) -> Layer:
    """Return `count` convolutions: alternately 1 by 1 to `filters` channels and 3 by 3 to twice as many."""
    for turn in range(count):
        x = _leaky(x, 2 * filters, 3) if turn % 2 else _leaky(x, filters, 1)
    return x


def _pool_at_three_sizes(x: Layer) -> Layer:
    return concatenate(*(max_pool(x, size, strides=1) for size in (13, 9, 5)), x)


def yolov4() -> tuple[Branch, ...]:
    """Return the branches of YOLOv4 for 416 by 416 pixels: grids of 52, 26 and 13 cells per side."""
    fine, medium, coarse = _darknet()
    coarse = _alternate(_pool_at_three_sizes(_alternate(coarse, 512, 3)), 512, 3)
    # Up: each finer grid learns what the coarser one found…
    medium = concatenate(_leaky(medium, 256, 1), upsample(_leaky(coarse, 256, 1)))
    medium = _alternate(medium, 256, 5)
    fine = concatenate(_leaky(fine, 128, 1), upsample(_leaky(medium, 128, 1)))
    fine = _alternate(fine, 128, 5)
    # … and down again.
    medium = _alternate(concatenate(_leaky(fine, 256, 3, strides=2), medium), 256, 5)
    coarse = _alternate(concatenate(_leaky(medium, 512, 3, strides=2), coarse), 512, 5)
    return (
        Branch(_logits(fine, 256), 8, ((12, 16), (19, 36), (40, 28)), 1.2),
        Branch(_logits(medium, 512), 16, ((36, 75), (76, 55), (72, 146)), 1.1),
        Branch(_logits(coarse, 1024), 32, ((142, 110), (192, 243), (459, 401)), 1.05),
    )


def _tiny_stage(x: Layer, filters: int) -> tuple[Layer, Layer]:
    """Return the stage's result, and the concatenation within it, which YOLO's finer branch reads."""
    x = _leaky(x, filters, 3)
    first = _leaky(second_half(x), filters // 2, 3)
    second = _leaky(first, filters // 2, 3)
    added = _leaky(concatenate(second, first), filters, 1)
    return concatenate(x, added), added


def tinyyolov4() -> tuple[Branch, ...]:
    """Return the branches of the small YOLOv4 for 416 by 416 pixels: grids of 26 and 13 cells per side."""
    x = _leaky(_leaky(IMAGE, 32, 3, strides=2), 64, 3, strides=2)
    for filters in (64, 128, 256):
        x, added = _tiny_stage(x, filters)
        x = max_pool(x, 2, strides=2)
    coarse = _leaky(_leaky(x, 512, 3), 256, 1)
    medium = concatenate(upsample(_leaky(coarse, 128, 1)), added)
    return (
        Branch(_logits(medium, 256), 16, ((23, 27), (37, 58), (81, 82)), 1.05),
        Branch(_logits(coarse, 512), 32, ((81, 82), (135, 169), (344, 319)), 1.05),
    )
