"""Arrays in an .npz archive, written the same for the same arrays and read without trusting the file."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.backends.files import read_members
from sensenet.errors import ArtifactError
from sensenet.ir.types import Array

KINDS = "biuf"
"""NumPy's letters for the dtypes that are read: booleans and numbers, no Python objects."""

_SUFFIX = ".npy"

npy: Any = np.lib.format  # its functions have no types


def write_npz(arrays: Mapping[str, Array]) -> bytes:
    """An archive that `numpy.load` reads too."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def read_npz(content: bytes, where: str) -> dict[str, Array]:
    """The arrays of an archive, by name; raises ArtifactError, naming `where`, for any other content."""
    return {
        name.removesuffix(_SUFFIX): _read_array(member, f"{where}: {name}")
        for name, member in read_members(content, where).items()
    }


def _read_array(member: bytes, where: str) -> Array:
    """A view on the member's bytes, which must be as many as its header says."""
    stream = io.BytesIO(member)
    try:
        version = npy.read_magic(stream)
        read_header = {
            (1, 0): npy.read_array_header_1_0,
            (2, 0): npy.read_array_header_2_0,
        }
        shape, fortran_order, dtype = read_header[version](stream)
    except (ValueError, KeyError, EOFError) as error:
        raise ArtifactError(f"{where} is no array ({error})") from error
    rest = len(member) - stream.tell()
    fits = all(size >= 0 for size in shape) and math.prod(shape) * dtype.itemsize == rest
    if dtype.kind not in KINDS or fortran_order or not fits:
        raise ArtifactError(
            f"{where} is declared {dtype}{list(shape)} and holds {rest} bytes; expected that many numbers"
        )
    return np.frombuffer(member, dtype, offset=stream.tell()).reshape(shape)
