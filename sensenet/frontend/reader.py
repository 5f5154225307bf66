"""Documents as plain Python values in which weights are float32 arrays (docs/frontend.md has the figures).

simdjson parses the text into a compact form of its own. Members that hold weights are packed from there, row
by row, into float32 arrays; the rest, which is small, becomes ordinary dicts and lists. Whatever simdjson
doesn't take (integers beyond 64 bits, deep nesting, faults) is left to the standard library's parser, which
says where a fault is.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import simdjson

from sensenet.errors import DocumentError
from sensenet.frontend.arrays import Float32Array, NotAnArrayError, pack_rows, split_rows

WEIGHT_KEYS = frozenset(
    {
        *("weights", "offset", "scale", "mean", "stdev", "gamma", "beta", "variance"),
        *("kernel", "bias", "depth_kernel", "point_kernel", "mean_image"),
    }
)
"""Members that are packed into arrays when they are lists."""

MOST_BYTES = simdjson.MAXSIZE_BYTES
"""4 GiB: what the parser takes."""

WEIGHTS_DEPTH = 32
"""No weights stand deeper than this."""

MOST_MEMBERS = 1000
"""simdjson finds a member by going through them all; no object with weights has so many."""

COUNTED_ENTRIES = 0xFFFFFF
"""simdjson counts the entries of a list up to here."""

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_file(path: str | os.PathLike[str]) -> Any:
    """The value in a JSON file, plain or compressed with gzip; raises DocumentError naming the file."""
    name = os.fsdecode(path)
    try:
        content = Path(name).read_bytes()
    except FileNotFoundError as error:
        raise DocumentError(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise DocumentError(f"{name}: this is a directory, not a document") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise DocumentError(f"{name}: it cannot be read ({getattr(error, 'strerror', error)})") from error
    return read_bytes(content, name)


def read_bytes(content: bytes, name: str = "the document") -> Any:
    """The value of JSON text in UTF-8, plain or compressed with gzip; raises DocumentError."""
    if content.startswith(GZIP_MAGIC):
        content = _decompress(content, name)
    content = content.removeprefix(BYTE_ORDER_MARK)
    if len(content) > MOST_BYTES:
        raise DocumentError(f"{name}: longer than {MOST_BYTES >> 30} GiB")
    if not content.strip():
        raise DocumentError(f"{name}: it is empty")
    try:
        return _plain(simdjson.Parser().parse(content), 0)
    except (ValueError, RuntimeError):
        return _read_slowly(content, name)


def _decompress(content: bytes, name: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            return stream.read(MOST_BYTES + 1)
    except EOFError as error:
        raise DocumentError(f"{name}: the gzip file is cut off") from error
    except (OSError, zlib.error) as error:
        raise DocumentError(f"{name}: the gzip file is damaged ({error})") from error


def _plain(value: Any, depth: int) -> Any:
    """The Python value of what simdjson holds, weights packed."""
    if isinstance(value, simdjson.Object) and depth < WEIGHTS_DEPTH:
        keys = list(value)
        if _findable(keys):
            return {key: _member(key, value[key], depth + 1) for key in keys}
    elif isinstance(value, simdjson.Array) and depth < WEIGHTS_DEPTH:
        if isinstance(next(iter(value), None), simdjson.Object):
            return [_plain(entry, depth + 1) for entry in value]
    elif not isinstance(value, simdjson.Object | simdjson.Array):
        return value
    # Not `as_dict`, which is slower, and writes out of bounds for lists longer than COUNTED_ENTRIES.
    return json.loads(value.mini)


def _findable(keys: Sequence[str]) -> bool:
    """Whether simdjson finds each of these keys: no repeated ones, no null characters."""
    return len(keys) <= MOST_MEMBERS and len(set(keys)) == len(keys) and not any("\0" in key for key in keys)


def _member(key: str, value: Any, depth: int) -> Any:
    if key in WEIGHT_KEYS and isinstance(value, simdjson.Array):
        try:
            return _pack(value)
        except NotAnArrayError:  # whoever needs the array reports the fault, with its path
            pass
    return _plain(value, depth)


def _pack(array: simdjson.Array) -> Float32Array:
    shape, rows = split_rows(array, lambda value: isinstance(value, simdjson.Array))
    return pack_rows(shape, rows, plain=_row)


def _row(row: Any) -> list[Any]:
    """A row of numbers. `as_buffer` checks that they are, and bounds what `as_list` makes."""
    try:
        regular = row.as_buffer(of_type="d").size == 8 * len(row) and len(row) < COUNTED_ENTRIES
    except TypeError as error:
        raise NotAnArrayError("something that is no number") from error
    if not regular:
        raise NotAnArrayError("a list")
    entries: list[Any] = row.as_list()
    return entries


def _read_slowly(content: bytes, name: str) -> Any:
    """What the standard library makes of a text that simdjson did not take; raises DocumentError."""
    try:
        text = content.decode()
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_float)
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{name}: this is no JSON document: byte {error.start} is not UTF-8 text"
        ) from error
    except json.JSONDecodeError as error:
        cut = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated string")
        raise DocumentError(
            f"{name}: {'the text is cut off' if cut else 'this is no JSON document'}: "
            f"{error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise DocumentError(f"{name}: lists and objects are nested too deep to be read from text") from error
    except ValueError as error:
        raise DocumentError(f"{name}: {error}") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:30]} is too large")
    return number
