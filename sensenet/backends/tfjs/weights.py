"""The weight files of a graph model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import Factory

from sensenet.errors import ArtifactError
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.records import frozen

Manifest = Sequence[Mapping[str, Any]]

DTYPES = ("bool", "float16", "float32", "int32", "uint8", "uint16")
"""The dtypes of weights, as they are stored and as they are loaded."""


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
            loaded = dequantize(array, entry["dtype"], entry.get("quantization", {}))
            weights[entry["name"]] = loaded.reshape(entry["shape"])
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


def dequantize(array: Array, dtype: str, quantization: Mapping[str, Any]) -> Array:
    """Return the numbers of quantized ones, of a dtype: q · scale + min, as TensorFlow.js computes it."""
    if "scale" not in quantization:
        return array.astype(dtype)
    scale, least = float(quantization["scale"]), float(quantization["min"])
    with np.errstate(all="ignore"):  # of a damaged file
        values: Array = array * np.float64(scale) + least
        return values.astype(dtype)


@frozen(eq=False)
class Stored:
    """A weight as files have it, the dtype that loading gives it, and how: see `dequantize`."""

    array: Array
    dtype: str
    quantization: Mapping[str, Any] = Factory(dict)


def write_weights(weights: Mapping[str, Stored], shard_size: int) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of weights, in their order, and the files that hold them, by name: at least one."""
    entries = [_describe(name, stored) for name, stored in weights.items()]
    content = b"".join(_bytes(stored.array) for stored in weights.values())
    starts = range(0, max(len(content), 1), shard_size)
    shards = {
        f"group1-shard{number}of{len(starts)}.bin": content[start : start + shard_size]
        for number, start in enumerate(starts, 1)
    }
    return [{"paths": list(shards), "weights": entries}], shards


def _describe(name: str, stored: Stored) -> dict[str, Any]:
    entry = {"name": name, "shape": list(stored.array.shape), "dtype": stored.dtype}
    if stored.quantization:
        return {**entry, "quantization": {"dtype": stored.array.dtype.name, **stored.quantization}}
    return entry


def _bytes(array: Array) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
