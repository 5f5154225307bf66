"""Initial values for weights that a document replaces by a name, such as `"glorot_uniform"` (SPEC §4).

The real values come from an h5 file or from training. Until then, values are drawn from the layer's seed, so
they are always the same.

    zeros, ones        what they say
    glorot_uniform     uniform in [-a, a], a = √(6 / (fan_in + fan_out))
    glorot_normal      normal with standard deviation √(2 / (fan_in + fan_out))

For shape [h, w, in, out] fan_in is h·w·in and fan_out h·w·out; for [in, out] they are in and out; for [n]
both are n.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sensenet.frontend.json.arrays import Float32Array

Shape = tuple[int, ...]


def _glorot_uniform(shape: Shape, generator: np.random.Generator) -> Float32Array:
    limit = math.sqrt(6 / sum(_fans(shape)))
    return generator.uniform(-limit, limit, shape).astype(np.float32)


def _glorot_normal(shape: Shape, generator: np.random.Generator) -> Float32Array:
    return generator.normal(0, math.sqrt(2 / sum(_fans(shape))), shape).astype(np.float32)


def _fans(shape: Shape) -> tuple[int, int]:
    window = math.prod(shape[:-2])
    return window * shape[-2 if len(shape) > 1 else -1], window * shape[-1]


INITIALIZERS: dict[str, Callable[[Shape, np.random.Generator], Float32Array]] = {
    "zeros": lambda shape, _: np.zeros(shape, np.float32),
    "ones": lambda shape, _: np.ones(shape, np.float32),
    "glorot_uniform": _glorot_uniform,
    "glorot_normal": _glorot_normal,
}


def initial_values(name: str, shape: Shape, seed: int) -> Float32Array:
    """Return float32[shape]: the values of the initializer of that name, one of INITIALIZERS."""
    return INITIALIZERS[name](shape, np.random.default_rng(seed % 2**64))
