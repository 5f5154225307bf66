"""Arrays in an .npz archive, written the same for the same arrays and read without trusting the file.

The header of an array is a Python literal, which NumPy evaluates. Here it is matched with one regular
expression: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, as NumPy writes it.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Mapping

import numpy as np

from sensenet.errors import ArtifactError
from sensenet.files.reading import read_members
from sensenet.ir.types import Array

DTYPES = {dtype.str: dtype for dtype in map(np.dtype, (np.float32, np.int32, np.bool_, np.uint8))}
"""The dtypes that are read, by their names in headers: those of the IR, and bytes of text."""

MAGIC = b"\x93NUMPY"

LENGTHS: Mapping[bytes, struct.Struct] = {b"\x01\x00": struct.Struct("<H"), b"\x02\x00": struct.Struct("<I")}
"""How each version of the format spells the length of the header."""

LONGEST_HEADER = 4096
"""Bytes; NumPy writes 118, and more only for very many axes."""

HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|=][a-z][0-9]{1,2})', 'fortran_order': False, "
    rb"'shape': \((?P<shape>(?:[0-9]{1,19}, ){0,63}(?:[0-9]{1,19},?)?)\), ?\} *\n"
)

_SUFFIX = ".npy"


def write_npz(arrays: Mapping[str, Array]) -> bytes:
    """Return an archive that `numpy.load` reads too."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def read_npz(content: bytes, where: str) -> dict[str, Array]:
    """Return the arrays of an archive, by name; raises ArtifactError, naming `where`, for other content."""
    return {
        name.removesuffix(_SUFFIX): read_array(member, f"{where}: {name}")
        for name, member in read_members(content, where).items()
    }


def read_array(member: bytes, where: str) -> Array:
    """Return a view on the bytes of an .npy file, which must be as many as its header says.

    Raises ArtifactError, naming `where`, for other content, and for dtypes that sensenet does not write.
    """
    start, length = _find_header(member, where)
    header = HEADER.fullmatch(member, start, start + length)
    dtype = DTYPES.get(header["dtype"].decode()) if header else None
    if header is None or dtype is None:
        known = ", ".join(DTYPES)
        raise ArtifactError(
            f"{where} has a header that sensenet does not write: expected C order and {known}"
        )
    shape = tuple(int(size) for size in header["shape"].decode().replace(",", " ").split())
    numbers = memoryview(member)[start + length :]
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ArtifactError(
            f"{where} is declared {dtype}{list(shape)} and holds {len(numbers)} bytes, not that many numbers"
        )
    try:
        array = np.frombuffer(numbers, dtype).reshape(shape)
    except ValueError as error:  # more axes, or larger ones, than NumPy has
        raise ArtifactError(f"{where} is declared {dtype}{list(shape)}: {error}") from error
    if dtype == np.bool_ and (array.view(np.uint8) > 1).any():
        raise ArtifactError(f"{where} holds bytes that are neither true nor false")
    return array


def _find_header(member: bytes, where: str) -> tuple[int, int]:
    """Return where the header begins, and its length."""
    version = member[len(MAGIC) : len(MAGIC) + 2]
    if member.startswith(MAGIC) and version in LENGTHS:
        start = len(MAGIC) + 2 + LENGTHS[version].size
        if len(member) >= start:
            (length,) = LENGTHS[version].unpack_from(member, len(MAGIC) + 2)
            if length <= min(LONGEST_HEADER, len(member) - start):
                return start, length
    raise ArtifactError(f"{where} is not an array in NumPy's format")
