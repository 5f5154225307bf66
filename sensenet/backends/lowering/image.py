"""Emit functions of the ops that bring pictures of any size to the network's size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.backends.lowering.basic import hide_constant
from sensenet.backends.lowering.emit import Emit
from sensenet.ir.op import Op
from sensenet.ir.ops import image
from sensenet.ir.ops.image import RescaleType


def _rescale(tf: Any, op: image.Rescale, x: Any) -> Any:
    """The float32 arithmetic of `sensenet.ir.ops.image.rescale`, on sizes known when it runs.

    A picture too thin to leave anything, which the interpreter refuses, gives NaN with the method pad and
    the nearest pixels with crop.
    """
    target = np.array([op.height, op.width], np.float32)
    source = tf.cast(tf.shape(x)[1:3], tf.float32)
    scaled, offsets = _placement(tf, op.method, source, target)
    ratios = source / (hide_constant(tf, scaled, x) if op.method is RescaleType.WARP else scaled)
    positions = [np.arange(size, dtype=np.float32) for size in (op.height, op.width)]
    for axis, position in enumerate(positions):
        centres = position + offsets[axis] + np.float32(0.5)
        indices = tf.minimum(tf.floor(centres * ratios[axis]), source[axis] - 1.0)
        x = tf.gather(x, tf.cast(indices, tf.int32), axis=axis + 1)
    return x if op.method is not RescaleType.PAD else _fill_outside(tf, x, positions, scaled)


def _placement(tf: Any, method: RescaleType, source: Any, target: Any) -> tuple[Any, Any]:
    """f32[2], f32[2]: the size that the picture is scaled to, and the first row and column kept of it."""
    nowhere = np.zeros(2, np.float32)
    if method is RescaleType.WARP:
        return target, nowhere
    ratios = target / source
    exact = source * (tf.reduce_min(ratios) if method is RescaleType.PAD else tf.reduce_max(ratios))
    if method is RescaleType.PAD:
        return tf.round(exact), nowhere
    return tf.round(exact), tf.round((exact - target) / 2.0)


def _fill_outside(tf: Any, x: Any, positions: Any, scaled: Any) -> Any:
    """The picture with the mean of its part inside `scaled` outside it; f32[b, h, w, c].

    The sum is taken row by row first, where the sums of whole numbers up to 255 are exact in float32.
    """
    inside = tf.logical_and(positions[0][:, None] < scaled[0], positions[1] < scaled[1])[:, :, None]
    rows = tf.reduce_sum(tf.where(inside, x, 0.0), axis=(2, 3))
    count = scaled[0] * scaled[1] * x.shape[3]
    mean = tf.reduce_sum(rows, axis=1) / count
    return tf.where(inside, x, mean[:, None, None, None])


EMIT: Mapping[type[Op], Emit] = {
    image.Index: lambda tf, op, x: x[(slice(None),) * op.axis + (op.index,)],
    image.Rescale: _rescale,
}
