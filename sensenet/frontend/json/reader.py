"""Reads documents as Python values in which weights are float32 arrays (docs/frontend.md has measurements).

The lists of weights are cut out of the text while it is read, and become float32 arrays (see `weight_lists`).
The rest is small, and becomes dicts and lists. simdjson parses both if it is installed, else the standard
library, which takes several times as long; lists of large documents are read by machine code, if llvmlite is
installed (`machine_code_reader`). Text that simdjson rejects (NaN, infinities, integers beyond 64
bits, deep nesting, syntax errors) is always parsed by the standard library, whose errors have a position.
Numbers may be infinite or NaN: the code that uses them checks that.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from sensenet.errors import DocumentError, MissingPackageError
from sensenet.frontend.json import standard_parser
from sensenet.frontend.json.arrays import Float32Array
from sensenet.frontend.json.cursor import quote
from sensenet.frontend.json.standard_parser import BYTE_ORDER_MARK
from sensenet.frontend.json.weight_lists import Read, cut_weights
from sensenet.limits import require_memory

parser: ModuleType = standard_parser
with contextlib.suppress(ImportError):  # simdjson has no wheel for some Pythons and machines
    parser = import_module("sensenet.frontend.json.simdjson_parser")

MOST_BYTES = 0xFFFFFFFF
"""The most bytes of a text that simdjson parses: 4 GiB."""

BYTES_FOR_MACHINE_CODE = 1 << 26
"""The bytes of a stored document from which it pays to load LLVM, or code from the cache."""

GZIP_MAGIC = b"\x1f\x8b"

OTHER_ENCODING_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""The byte order marks of other encodings: that of UTF-32 in little-endian order begins with UTF-16's."""

LONGEST_START = 30
"""How many characters a message shows of a text that is not JSON."""

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

RESOURCE = re.compile(r"(?:(?:public|shared)/)?(?P<kind>[a-z]{1,30})/[0-9A-Za-z]{24,27}")
"""The id of a resource of BigML, or of a shared one."""

BYTES_PER_BYTE = 12
"""The memory per byte of a stored document that is always allowed: ordinary JSON takes at most this."""

LIST_BYTES, ENTRY_BYTES = 84, 52
"""The bytes of a list or object, and of an entry, in Python and in the parser together."""

Arrays = dict[str, Float32Array]
"""The weights that were cut out, by the text that replaces each."""


class ListReader(Protocol):
    """Reads one list after another."""

    def read(self, text: bytes | memoryview) -> Float32Array | None:
        """Return a JSON list as a read-only float32 array; None for any other text, or a ragged list."""


Allow = Callable[[int], None]
"""Raises LimitError if a document takes more than the allowed number of bytes."""


class _NotTakenError(Exception):
    """Raised for a text that simdjson rejects, or that has weights in unexpected places."""


def read_file(path: str | os.PathLike[str]) -> Any:
    """Return the value in a JSON file, plain or gzipped; raise DocumentError naming the file."""
    name = os.fsdecode(path)
    with contextlib.ExitStack() as stack:
        with _naming(name):
            stream: io.BufferedIOBase = stack.enter_context(open(name, "rb"))
            if not stream.seekable():
                stream = io.BytesIO(stream.read())
        return _read(stream, name)


def read_bytes(content: bytes, name: str = "the document") -> Any:
    """Return the value of JSON text in UTF-8, plain or compressed with gzip; raises DocumentError."""
    return _read(io.BytesIO(content), name)


def _read(stream: io.BufferedIOBase, name: str) -> Any:
    """Return the value in a stream; the whole text is in memory only if simdjson rejects it."""
    with _naming(name):
        compressed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        stored = stream.seek(0, io.SEEK_END)
        stream.seek(0)
    text = gzip.GzipFile(fileobj=stream) if compressed else stream

    def allow(size: int) -> None:
        require_memory(size - BYTES_PER_BYTE * stored, f"{name}: the content of its {stored} bytes")

    with contextlib.suppress(_NotTakenError):
        return _read_quickly(_make_read(text, name, allow), stored, allow)
    with _naming(name):
        text.seek(0)
        content = text.read()
    allow(_value_bytes(content))
    return _read_slowly(content.removeprefix(BYTE_ORDER_MARK), name)


def _value_bytes(text: bytes | bytearray) -> int:
    """Return an estimate of the memory that the value of a JSON text takes."""
    lists = text.count(b"[") + text.count(b"{")
    return LIST_BYTES * lists + ENTRY_BYTES * text.count(b",") + len(text)


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Raise DocumentError, naming the file, for errors of the system or of gzip in the block."""
    try:
        yield
    except FileNotFoundError as error:
        raise DocumentError(f"{name}: no such file{_hint_for(name)}") from error
    except IsADirectoryError as error:
        raise DocumentError(f"{name}: this is a directory, not a document") from error
    except EOFError as error:
        raise DocumentError(f"{name}: the gzip file is cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DocumentError(f"{name}: the gzip file is damaged ({error})") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise DocumentError(f"{name}: it cannot be read ({getattr(error, 'strerror', error)})") from error


def _hint_for(name: str) -> str:
    """Return what to do if a missing file has the name of something else, else ""."""
    if ADDRESS.match(name):
        return "; download it, and give the path of the file"
    if RESOURCE.fullmatch(name):
        return "; download the resource from BigML, and give the path of the file"
    return ""


def _make_read(stream: io.BufferedIOBase, name: str, allow: Allow) -> Read:
    """Return a function that reads the stream; it raises DocumentError for errors and for too long texts."""
    size = 0

    def read(memory: memoryview) -> int:
        nonlocal size
        with _naming(name):
            count = stream.readinto(memory)
        size += count
        allow(size)
        if size > MOST_BYTES:
            raise DocumentError(f"{name}: longer than {MOST_BYTES >> 30} GiB")
        return count

    return read


def _list_reader(stored: int) -> ListReader:
    """Return the reader of lists for a document of so many bytes."""
    lists: ListReader = parser.ListReader()
    if stored < BYTES_FOR_MACHINE_CODE or sys.byteorder != "little":
        return lists
    from sensenet.frontend.json import machine_code_reader

    try:
        return machine_code_reader.ListReader(lists.read)
    except MissingPackageError:
        return lists


def _read_quickly(read: Read, stored: int, allow: Allow) -> Any:
    """Return the value of a text of about so many bytes, with weights as arrays.

    Raises _NotTakenError if simdjson rejects it.
    """
    rest, arrays = _read_weights(read, stored, allow)
    allow(_value_bytes(rest))
    try:
        value = parser.parse(rest, arrays)
    except (ValueError, RuntimeError):
        value = _read_rest(rest, arrays)
    if arrays:
        raise _NotTakenError
    return value


def _read_rest(rest: bytearray, arrays: Arrays) -> Any:
    """Return the value of a text that simdjson rejects, for example for a NaN; raises _NotTakenError."""
    try:
        return standard_parser.parse(rest, arrays)
    except (ValueError, RecursionError) as error:
        raise _NotTakenError from error


def _read_weights(read: Read, stored: int, allow: Allow) -> tuple[bytearray, Arrays]:
    """Return the text with replacements for its weights, and the weights by replacement."""
    lists = _list_reader(stored)
    arrays: Arrays = {}
    rest = bytearray()
    unique = os.urandom(16).hex()  # so that no document contains it
    for before, weights in cut_weights(read, stored):
        rest += before
        allow(parser.NUMBERS_BYTES * len(weights))
        array = lists.read(weights) if weights else None
        if array is None:
            rest += weights
        else:
            name = f"{unique}-{len(arrays)}"
            arrays[name] = array
            rest += f'"{name}"'.encode()
    return rest, arrays


def _read_slowly(content: bytes, name: str) -> Any:
    """Return the value of a text, parsed by the standard library; raise DocumentError if it is invalid."""
    if not content.strip():
        raise DocumentError(f"{name}: the file is empty")
    try:
        text = content.decode()
        return json.loads(text)
    except UnicodeDecodeError as error:
        if content.startswith(OTHER_ENCODING_MARKS):
            raise DocumentError(f"{name}: the text is UTF-16 or UTF-32: save it as UTF-8") from error
        raise DocumentError(f"{name}: not a JSON document: byte {error.start} is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        if not error.doc[: error.pos].strip():
            start = quote(error.doc[error.pos :][:LONGEST_START])
            raise DocumentError(f"{name}: not a JSON document: it begins with {start}") from error
        cut = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated string")
        raise DocumentError(
            f"{name}: {'the text is cut off' if cut else 'not a JSON document'}: "
            f"{error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise DocumentError(f"{name}: lists and objects are nested too deep to be read from text") from error
    except ValueError as error:
        raise DocumentError(f"{name}: {error}") from error
