"""Writes columns of Arrow as CSV, with the text that Python's csv module writes, in a tenth of the time."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.batches.arrow import ArrowArray, RecordBatch, import_arrow
from sensenet.batches.outputs import PREDICTION
from sensenet.errors import ArtifactError
from sensenet.runtime.cells import find_repeated

Columns = list[tuple[str, ArrowArray]]
"""Names and their arrays, of numbers, texts and the like."""


def flatten(batch: RecordBatch, objective: str) -> Columns:
    """Return the columns of a scored batch that CSV has: one for each class, and each number of a list.

    The prediction is named after the model's objective, unless a kept column has that name. Raises
    ArtifactError for a column that CSV cannot hold, or two of one name.
    """
    name_of_prediction = PREDICTION if objective in batch.schema.names else objective
    columns: Columns = []
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        columns += _split(name_of_prediction if name == PREDICTION else name, array)
    doubled = find_repeated(name for name, _ in columns)
    if doubled is not None:
        raise ArtifactError(f"two columns of the CSV file would be named {doubled!r}: write another format")
    return columns


def _split(name: str, array: ArrowArray) -> Columns:
    types = import_arrow().types
    if types.is_struct(array.type):
        return [(field.name, member) for field, member in zip(array.type, array.flatten(), strict=True)]
    if types.is_fixed_size_list(array.type) and not types.is_nested(array.type.value_type):
        compute = import_arrow("pyarrow.compute")
        members = range(array.type.list_size)
        return [(f"{name} {number}", compute.list_element(array, number)) for number in members]
    if types.is_nested(array.type) or "binary" in str(array.type):
        raise ArtifactError(f"CSV cannot hold {name!r}, {array.type}: write .jsonl or .parquet")
    return [(name, array)]


def header_text(names: Sequence[str], delimiter: str) -> str:
    """Return the first line."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(names)
    return line.getvalue()


def rows_text(arrays: Sequence[ArrowArray], delimiter: str) -> bytes:
    """Return the lines of rows; a null is an empty cell."""
    pa, compute = import_arrow(), import_arrow("pyarrow.compute")
    if not len(arrays[0]):
        return b""
    texts = [_texts(array, delimiter) for array in arrays]
    if len(texts) == 1:  # an empty line would be no row
        empty = compute.equal(compute.fill_null(texts[0], ""), "")
        texts = [compute.if_else(empty, '""', texts[0])]
    separator = pa.scalar(delimiter, pa.large_string())
    lines = compute.binary_join_element_wise(*texts, separator, null_handling="replace", null_replacement="")
    whole = pa.LargeListArray.from_arrays([0, len(lines)], lines)
    joined = compute.binary_join(whole, pa.scalar("\n", pa.large_string()))
    return bytes(joined[0].as_buffer()) + b"\n"


def _texts(array: ArrowArray, delimiter: str) -> ArrowArray:
    pa = import_arrow()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        return _texts_of_numbers(array)
    texts = array.cast(pa.large_string())
    return _quote(texts, delimiter) if "string" in str(array.type) else texts


def _texts_of_numbers(numbers: ArrowArray) -> ArrowArray:
    """Return numbers as Python writes them: 1e-07 and 1.0, where Arrow writes 1e-7 and 1."""
    pa, compute = import_arrow(), import_arrow("pyarrow.compute")
    exact = numbers.cast(pa.float64())
    values: Any = exact.to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        size = np.abs(values)
        same = (size >= 1e-4) & (size < 1e7) & (values != np.floor(values))
    other = ~same & exact.is_valid().to_numpy(zero_copy_only=False)
    texts = exact.cast(pa.large_string())
    if not other.any():
        return texts
    written = pa.array(list(map(repr, values[other].tolist())), pa.large_string())
    return compute.replace_with_mask(texts, pa.array(other), written)


def _quote(texts: ArrowArray, delimiter: str) -> ArrowArray:
    """Return texts with quotes around those that need them."""
    pa, compute = import_arrow(), import_arrow("pyarrow.compute")
    needy = None
    for character in (delimiter, '"', "\n", "\r"):
        found = compute.match_substring(texts, character)
        needy = found if needy is None else compute.or_(needy, found)
    if not compute.any(needy).as_py():
        return texts
    quote = pa.scalar('"', pa.large_string())
    doubled = compute.replace_substring(texts, '"', '""')
    quoted = compute.binary_join_element_wise(quote, doubled, quote, pa.scalar("", pa.large_string()))
    return compute.if_else(needy, quoted, texts)
