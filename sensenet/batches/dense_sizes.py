"""Computes the memory that a column of Arrow takes once each row has its own value.

Dictionaries, runs and views of text let a small file have many rows with one long value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.batches.arrow import ArrowArray, RecordBatch, import_arrow
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.runtime.frames import run_positions

VIEW_BYTES = 16

WIDTH = 8
"""The bytes of a length, a position, or a number."""


def require_dense(batch: RecordBatch, names: Sequence[str]) -> None:
    """Raise LimitError if the columns of these names take too much memory with a value for each row."""
    size = sum(dense_size(batch.column(name), name) for name in names)
    require_memory(size, f"reading {batch.num_rows} rows")


def list_views(batch: RecordBatch) -> list[str]:
    """Return the names of the columns of views: validating them takes time, finding their sizes does not."""
    return [field.name for field in batch.schema if is_view(field.type)]


def is_view(kind: Any) -> bool:
    """Return whether a type is one of texts or bytes that may be the same memory."""
    types = import_arrow().types
    return bool(types.is_string_view(kind) or types.is_binary_view(kind))


def dense_size(array: ArrowArray, name: str) -> int:
    """Return the bytes of an array; raises ValueError for values within one another that share memory."""
    types = import_arrow().types
    kind = array.type
    if types.is_dictionary(kind):
        codes = array.indices.drop_null().to_numpy()
        return _sum_at(_value_sizes(array.dictionary, name), codes)
    if types.is_run_end_encoded(kind):
        return _sum_at(_value_sizes(array.values, name), run_positions(array))
    if is_view(kind):
        return int(_view_lengths(array).sum()) + VIEW_BYTES * len(array)
    if types.is_struct(kind):
        return sum(dense_size(array.field(number), name) for number in range(kind.num_fields))
    if (
        types.is_map(kind)
        or types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
    ):
        return WIDTH * len(array) + sum(dense_size(each, name) for each in _members(array))
    if types.is_nested(kind):
        raise ValueError(f"the column {name!r} of the type {kind} cannot be kept: cast it")
    return int(array.nbytes)


def _members(array: ArrowArray) -> Sequence[ArrowArray]:
    """Return the values of lists, or the keys and values of maps."""
    return [array.keys, array.items] if import_arrow().types.is_map(array.type) else [array.flatten()]


def _sum_at(sizes: Array, positions: Array) -> int:
    """Return the sum of the sizes at some positions."""
    return int(np.bincount(positions, minlength=len(sizes)).astype(np.float64) @ sizes)


def _value_sizes(values: ArrowArray, name: str) -> Array:
    """Return the size of each value: f64[values]."""
    types, compute = import_arrow().types, import_arrow("pyarrow.compute")
    kind = values.type
    if is_view(kind):
        return _view_lengths(values) + WIDTH
    if (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    ):
        lengths: Array = compute.fill_null(compute.binary_length(values), 0).to_numpy() + WIDTH
        return lengths
    if types.is_nested(kind):
        raise ValueError(f"the column {name!r} has values of the type {kind}: cast it")
    return np.full(len(values), max(WIDTH, kind.bit_width / 8))


def _view_lengths(array: ArrowArray) -> Array:
    views = np.frombuffer(array.buffers()[1], np.int32).reshape(-1, VIEW_BYTES // 4)
    return views[array.offset : array.offset + len(array), 0].clip(min=0).astype(np.float64)
