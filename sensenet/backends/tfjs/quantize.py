"""Stores the kernels of layers in fewer bits; loading makes them float32 again.

The graph gets the numbers that are loaded, so the interpreter computes what TensorFlow.js does. All other
weights stay: a threshold of a tree, or the number that a column is divided by, must be exact; they are few.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from sensenet.backends.tfjs.weights import Stored, dequantize
from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.types import Array, Tensor
from sensenet.passes.quantization.selection import LAYERS
from sensenet.records import frozen

FLOAT = "float32"


@frozen(eq=False)
class Quantized:
    """A graph, and what those of its weights that are quantized are stored as."""

    graph: Graph
    stored: Mapping[Tensor, Stored]


def quantize(graph: Graph, kind: str) -> Quantized:
    """Return the graph with kernels of numbers that the dtype `kind` can store; `none` changes nothing."""
    stored: dict[Tensor, Stored] = {}
    if kind == "none":
        return Quantized(graph, stored)

    @functools.cache
    def round_kernel(kernel: Tensor) -> Tensor:
        found = _store(kernel.array, np.dtype(kind))
        if found is None:
            return kernel
        rounded = Tensor.owning(dequantize(found.array, found.dtype, found.quantization))
        stored[rounded] = found
        return rounded

    def replace(node: Node) -> Sequence[Value]:
        if not isinstance(node.op, LAYERS):
            return node.values
        op = attrs.evolve(node.op, kernel=round_kernel(node.op.kernel))
        return apply(op, *node.inputs, name=node.name, shares=node.shares).values

    return Quantized(rebuild(graph, replace), stored)


def _store(kernel: Array, dtype: np.dtype[Any]) -> Stored | None:
    """Return what a kernel is stored as; None for one that the dtype cannot store."""
    if not kernel.size or not np.isfinite(kernel).all():
        return None
    if dtype == np.float16:
        fits = np.abs(kernel).max() <= np.finfo(np.float16).max
        return Stored(kernel.astype(dtype), FLOAT, {"dtype": dtype.name}) if fits else None
    steps = int(np.iinfo(dtype).max)
    least, scale = _find_range(float(kernel.min()), float(kernel.max()), steps)
    numbers = np.clip(np.round((kernel.astype(np.float64) - least) / scale), 0, steps)
    return Stored(numbers.astype(dtype), FLOAT, {"min": least, "scale": scale})


def _find_range(least: float, largest: float, steps: int) -> tuple[float, float]:
    """Return the number that is stored as 0, and the step between numbers; 0 is one of them if in range."""
    if least == largest:
        return least, 1.0
    scale = (largest - least) / steps
    if least <= 0 <= largest:
        least = -float(np.round(-least / scale)) * scale
    return least, scale
