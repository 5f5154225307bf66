"""Xception (Chollet 2016): residual blocks of separable convolutions."""

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
    separable_convolution,
)

MIDDLE_FILTERS = 728
MIDDLE_BLOCKS = 8


def _relu(x: Layer) -> Layer:
    return activation(x, "relu")


def _separable(x: Layer, filters: int) -> Layer:
    return batch_normalization(separable_convolution(x, filters, 3))


def _halved(y: Layer, x: Layer, filters: int) -> Layer:
    """Return y, pooled, plus a 1 by 1 convolution of x, both at half the size with `filters` channels."""
    shortcut = batch_normalization(convolution(x, filters, 1, strides=2))
    return activation(add(max_pool(y, 3, strides=2), shortcut), "linear")


def _middle_block(x: Layer) -> Layer:
    y = x
    for _ in range(3):
        y = _separable(_relu(y), MIDDLE_FILTERS)
    return activation(add(y, x), "linear")


def xception() -> Layer:
    """Return the features of Xception: 2048 values."""
    x = _relu(batch_normalization(convolution(IMAGE, 32, 3, strides=2, padding="valid")))
    x = _relu(batch_normalization(convolution(x, 64, 3, padding="valid")))
    # The first block has no activation before its first convolution: x is the result of one.
    x = _halved(_separable(_relu(_separable(x, 128)), 128), x, 128)
    for filters in (256, MIDDLE_FILTERS):
        x = _halved(_separable(_relu(_separable(_relu(x), filters)), filters), x, filters)
    for _ in range(MIDDLE_BLOCKS):
        x = _middle_block(x)
    x = _halved(_separable(_relu(_separable(_relu(x), MIDDLE_FILTERS)), 1024), x, 1024)
    x = _relu(_separable(x, 1536))
    x = _relu(_separable(x, 2048))
    return global_average_pool(x)
