"""MobileNet (Howard et al. 2017) and MobileNetV2 (Sandler et al. 2018): depthwise separable convolutions."""

from __future__ import annotations

from sensenet.pretrained.layers import (
    IMAGE,
    Layer,
    activation,
    add,
    batch_normalization,
    convolution,
    depthwise_convolution,
    global_average_pool,
    pad,
)

MOBILENET_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
"""(filters, strides) of each block."""

MOBILENETV2_STAGES = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
"""(filters, blocks, strides of the first block) of each stage after the first block."""
EXPANSION = 6


def _relu6(x: Layer) -> Layer:
    return activation(batch_normalization(x), "relu6")


def mobilenet() -> Layer:
    """Return the features of MobileNet: 1024 values. Every 3 by 3 convolution is padded explicitly."""
    x = _relu6(convolution(pad(IMAGE, (1, 1)), 32, 3, strides=2, padding="valid"))
    for filters, strides in MOBILENET_BLOCKS:
        x = _relu6(depthwise_convolution(pad(x, (1, 1)), 3, strides, padding="valid"))
        x = _relu6(convolution(x, filters, 1))
    return global_average_pool(x)


def _narrow(x: Layer, filters: int, strides: int) -> Layer:
    """Return a depthwise convolution, then a 1 by 1 convolution to `filters` channels without activation."""
    x = _relu6(depthwise_convolution(x, 3, strides))
    return batch_normalization(convolution(x, filters, 1))


def mobilenetv2() -> Layer:
    """Return the features of MobileNetV2: 1280 values. A block that keeps the shape has a skip connection."""
    x = _relu6(convolution(IMAGE, 32, 3, strides=2))
    x = _narrow(x, 16, strides=1)
    channels = 16
    for filters, blocks, first_strides in MOBILENETV2_STAGES:
        for block in range(blocks):
            wide = _relu6(convolution(x, EXPANSION * channels, 1))
            y = _narrow(wide, filters, first_strides if block == 0 else 1)
            x = y if block == 0 else activation(add(y, x), "linear")
            channels = filters
    return global_average_pool(_relu6(convolution(x, 1280, 1, padding="valid")))
