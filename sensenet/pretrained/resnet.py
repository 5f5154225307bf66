"""ResNet-18 and ResNet-50 (He et al. 2015): stages of residual blocks, each stage at half the size."""

from __future__ import annotations

from sensenet.pretrained.layers import (
    IMAGE,
    Layer,
    activation,
    add,
    batch_normalization,
    convolution,
    global_average_pool,
    max_pool,
    pad,
)

# Trained elsewhere with 1e-5, and written from a float32.
RESNET18_EPSILON = 9.999999747378752e-06
RESNET18_STAGES = ((64, 2), (128, 2), (256, 2), (512, 2))
"""(filters, blocks) of each stage."""
RESNET50_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))


def _relu(x: Layer) -> Layer:
    return activation(x, "relu")


def _normalized_18(x: Layer, filters: int, size: int, strides: int = 1) -> Layer:
    """Return padding, convolution and batch normalization; the padding is half the size on every side."""
    if size > 1:
        x = pad(x, (size // 2, size // 2))
    return batch_normalization(convolution(x, filters, size, strides, "valid"), RESNET18_EPSILON)


def _basic_block(x: Layer, shortcut: Layer, filters: int, strides: int) -> Layer:
    """Return the result of two 3 by 3 convolutions, plus the shortcut."""
    y = _relu(_normalized_18(x, filters, 3, strides))
    return _relu(add(_normalized_18(y, filters, 3), shortcut))


def resnet18() -> Layer:
    """Return the features of ResNet-18: 512 values."""
    x = _relu(_normalized_18(IMAGE, 64, 7, strides=2))
    x = max_pool(pad(x, (1, 1)), 3, strides=2, padding="valid")
    for stage, (filters, blocks) in enumerate(RESNET18_STAGES):
        for block in range(blocks):
            halve = stage > 0 and block == 0
            shortcut = _normalized_18(x, filters, 1, strides=2) if halve else x
            x = _basic_block(x, shortcut, filters, strides=2 if halve else 1)
    return global_average_pool(x)


def _normalized_50(x: Layer, filters: int, size: int, strides: int = 1, padding: str = "valid") -> Layer:
    return batch_normalization(convolution(x, filters, size, strides, padding, bias="zeros"))


def _bottleneck_block(x: Layer, shortcut: Layer, filters: int, strides: int) -> Layer:
    """Return convolutions 1 by 1 to `filters` channels, 3 by 3, 1 by 1 to 4 · `filters`, plus shortcut."""
    y = _relu(_normalized_50(x, filters, 1, strides))
    y = _relu(_normalized_50(y, filters, 3, padding="same"))
    return _relu(add(_normalized_50(y, 4 * filters, 1), shortcut))


def resnet50() -> Layer:
    """Return the features of ResNet-50: 2048 values. Its pool has no padding, so it reads 111 of 112 rows."""
    x = _relu(_normalized_50(pad(IMAGE, (3, 3)), 64, 7, strides=2))
    x = max_pool(x, 3, strides=2, padding="valid")
    for stage, (filters, blocks) in enumerate(RESNET50_STAGES):
        for block in range(blocks):
            strides = 2 if stage > 0 and block == 0 else 1
            shortcut = _normalized_50(x, 4 * filters, 1, strides) if block == 0 else x
            x = _bottleneck_block(x, shortcut, filters, strides)
    return global_average_pool(x)
