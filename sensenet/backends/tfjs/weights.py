"""The weight files of a graph model, and what quantization makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Array
from sensenet.limits import require_memory

Manifest = Sequence[Mapping[str, Any]]

DTYPES = ("bool", "float16", "float32", "int32", "uint8", "uint16")
"""What weights are, as they are stored and as they are loaded."""


def read_weights(manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, Array]:
    """Return the weights of a manifest by name, as they are after they are loaded.

    Raises ArtifactError if a file is missing or too short, or an entry is damaged; LimitError if the manifest
    makes more of the files than the limit on memory allows.
    """
    weights: dict[str, Array] = {}
    stored_size, taken = sum(map(len, files.values())), 0
    for group in manifest:
        missing = [name for name in group["paths"] if name not in files]
        if missing:
            raise ArtifactError(f"the weight file {missing[0]!r} is missing")
        taken += sum(len(files[name]) for name in group["paths"])
        require_memory(taken - stored_size, "joining the weight files")
        content = b"".join(files[name] for name in group["paths"])
        position = 0
        for entry in group["weights"]:
            stored, dtype = _dtype(entry.get("quantization", entry)), _dtype(entry)
            length = math.prod(_shape(entry))
            if position + length * stored.itemsize > len(content):
                raise ArtifactError(f"the weight files end within the weight {entry['name']!r}")
            taken += length * dtype.itemsize
            require_memory(taken - 2 * stored_size, "holding the weights")
            array = np.frombuffer(content, stored, length, position)
            weights[entry["name"]] = _dequantize(array, entry).reshape(entry["shape"])
            position += array.nbytes
    return weights


def _dtype(entry: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the dtype of an entry, or of its quantization; raises ArtifactError for others than DTYPES."""
    if entry["dtype"] not in DTYPES:
        raise ArtifactError(f"the manifest is damaged: {entry['dtype']!r:.40} is not a dtype of weights")
    return np.dtype(entry["dtype"])


def _shape(entry: Mapping[str, Any]) -> list[int]:
    """Return the shape of an entry; raises ArtifactError for one that is not a list of sizes."""
    shape = entry["shape"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ArtifactError(f"the manifest is damaged: the weight {entry['name']!r:.80} has no shape")
    return shape


def _dequantize(array: Array, entry: Mapping[str, Any]) -> Array:
    """Return the numbers of quantized ones: q · scale + min, as TensorFlow.js computes it."""
    quantization = entry.get("quantization", {})
    if "scale" not in quantization:
        return array.astype(entry["dtype"])
    scale, least = float(quantization["scale"]), float(quantization["min"])
    values: Array = array * np.float64(scale) + least
    return values.astype(entry["dtype"])


def write_weights(
    write: Any,
    weights: Mapping[str, Array],
    kernels: Iterable[Array],
    *,
    dtype: str,
    shard_size: int,
    directory: Path,
) -> Any:
    """Write weight files, with the weights that are kernels stored as `dtype`; returns their manifest.

    Other weights stay as they are: a threshold of a tree, or the number that a column is divided by, must be
    exact, and they are few. `write` is tensorflowjs' function for the purpose.
    """
    contents = {kernel.tobytes() for kernel in kernels}
    names = [name for name, array in weights.items() if array.tobytes() in contents and _fits(array, dtype)]
    group = [{"name": name, "data": weights[name]} for name in sorted(weights)]
    chosen = {dtype: names} if names else {}
    return write([group], str(directory), shard_size, write_manifest=False, quantization_dtype_map=chosen)


def find_kernels(graph: Graph) -> list[Array]:
    """Return the arrays that dense and convolutional layers multiply by."""
    kernels: list[Array] = []
    for node in graph.nodes:
        match node.op:
            case Dense() | Convolution2D() | DepthwiseConvolution2D():
                kernels.append(node.op.kernel.array)
            case SeparableConvolution2D():
                kernels += [node.op.depth_kernel.array, node.op.point_kernel.array]
    return kernels


def _fits(array: Array, dtype: str) -> bool:
    """Return whether a type has numbers as large as the array's."""
    return dtype != "float16" or bool(np.abs(array).max(initial=0.0) <= np.finfo(np.float16).max)
