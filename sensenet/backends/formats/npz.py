"""Writes arrays to an .npz archive deterministically, and reads them from files that may be hostile.

The header of an array is a Python literal, which NumPy evaluates. Here it must match a regular expression for
the form that NumPy writes: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Mapping

import numpy as np

from sensenet.errors import ArtifactError
from sensenet.files.archives import read_members
from sensenet.ir.types import Array

DTYPES = {dtype.str: dtype for dtype in map(np.dtype, (np.float32, np.int32, np.bool_, np.uint8))}
"""The dtypes that are read, by their names in headers: those of the IR, and uint8 for text."""

MAGIC = b"\x93NUMPY"

LENGTHS: Mapping[bytes, struct.Struct] = {b"\x01\x00": struct.Struct("<H"), b"\x02\x00": struct.Struct("<I")}
"""The struct of the header's length, by version of the format."""

LONGEST_HEADER = 4096
"""The most bytes of a header; NumPy writes 118, and more only for very many axes."""

HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|=][a-z][0-9]{1,2})', 'fortran_order': False, "
    rb"'shape': \((?P<shape>(?:[0-9]{1,19}, ){0,63}(?:[0-9]{1,19},?)?)\), ?\} *\n"
)

_SUFFIX = ".npy"


def write_npz(arrays: Mapping[str, Array]) -> bytes:
    """Return the arrays, by name, as an archive that `numpy.load` reads too."""
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
    """Return the array in an .npy file, as a view of its bytes.

    Raises ArtifactError, naming `where`, for other content, for a dtype that sensenet does not write, and if
    the number of bytes differs from the header's.
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
            f"{where} is declared {dtype}{list(shape)}, but has {len(numbers)} bytes of numbers"
        )
    try:
        array = np.frombuffer(numbers, dtype).reshape(shape)
    except ValueError as error:  # more or larger axes than NumPy supports
        raise ArtifactError(f"{where} is declared {dtype}{list(shape)}: {error}") from error
    if dtype == np.bool_ and (array.view(np.uint8) > 1).any():
        raise ArtifactError(f"{where} is a bool array with bytes other than 0 and 1")
    return array


def _find_header(member: bytes, where: str) -> tuple[int, int]:
    """Return the header's start and length, in bytes."""
    version = member[len(MAGIC) : len(MAGIC) + 2]
    if member.startswith(MAGIC) and version in LENGTHS:
        start = len(MAGIC) + 2 + LENGTHS[version].size
        if len(member) >= start:
            (length,) = LENGTHS[version].unpack_from(member, len(MAGIC) + 2)
            if length <= min(LONGEST_HEADER, len(member) - start):
                return start, length
    raise ArtifactError(f"{where} is not an array in NumPy's format")
