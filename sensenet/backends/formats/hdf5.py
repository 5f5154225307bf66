"""Reads HDF5 files, which may be damaged or hostile, in a separate process.

The HDF5 library hangs or crashes on some files. The process (see `hdf5_process`) takes 0.2 s, has limits on
memory and on processor time, and does not follow links to other files.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field

from sensenet.errors import ArtifactError, BrokenPackageError, LimitError, MissingPackageError
from sensenet.ir.types import Array
from sensenet.limits import memory_limit
from sensenet.records import frozen

PURPOSE = "reading an h5 file"

SECONDS = 10
"""The most processor time that reading may take, plus one second per BYTES_PER_SECOND bytes."""

BYTES_PER_SECOND = 20_000_000

PATIENCE = 30
"""The most time that reading may take, as a multiple of the most processor time: the machine may be busy."""

COMMAND = """
import json, sys
sys.path[:], budget, seconds, skipped = json.loads(sys.argv[1])
from sensenet.backends.formats.hdf5_process import main
main(budget, seconds, skipped)
"""


@frozen(kw_only=True, eq=False)
class StoredArray:
    """A dataset of a file. If `problem` is not empty, it is the reason why `array` is None."""

    shape: tuple[int, ...] | None
    dtype: str
    problem: str
    array: Array | None = field(default=None, repr=False)

    def read(self, where: str) -> Array:
        """Return the numbers; raises ArtifactError, or LimitError, naming `where`, if they were not read."""
        if self.array is None:
            error = LimitError if "limit on memory" in self.problem else ArtifactError
            raise error(f"{where} {self.problem}")
        return self.array


@frozen(kw_only=True, eq=False)
class StoredFile:
    """The content of a file by path: each group's attributes that are lists of names, and the datasets."""

    groups: Mapping[str, Mapping[str, tuple[str, ...]]]
    arrays: Mapping[str, StoredArray]


def read_hdf5(content: bytes, where: str, skipped: tuple[str, ...] = ()) -> StoredFile:
    """Return the groups and datasets of a file, except those in the `skipped` groups.

    Raises ArtifactError, naming `where`, for a file that is damaged, or on which the HDF5 library crashes or
    hangs; MissingPackageError if h5py is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingPackageError("h5py", "tensorflow", PURPOSE)
    budget = memory_limit() + len(content)
    seconds = SECONDS + len(content) // BYTES_PER_SECOND
    output = _run(content, budget, seconds, skipped, where)
    line, _, data = output.partition(b"\n")
    try:
        header = json.loads(line)
    except ValueError:
        raise ArtifactError(
            f"{where} is damaged: the HDF5 library crashed on it, or took more than {seconds} s"
        ) from None
    if header.get("broken"):
        raise BrokenPackageError("h5py", "tensorflow", PURPOSE, str(header["error"])[:200])
    if "error" in header:
        raise ArtifactError(f"{where} is truncated, damaged or not an h5 file ({header['error']})")
    groups = {
        path: {name: tuple(names) for name, names in attributes.items()}
        for path, attributes in header["groups"].items()
    }
    return StoredFile(groups=groups, arrays=dict(_split(header["arrays"], data)))


def _run(content: bytes, budget: int, seconds: int, skipped: tuple[str, ...], where: str) -> bytes:
    """Return the output of the process, which is incomplete if it crashed."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise ArtifactError(f"{where} cannot be read: this program has no Python interpreter to start")
    paths = [os.path.abspath(entry) for entry in sys.path]
    arguments = json.dumps([paths, budget, seconds, skipped])
    command = [sys.executable, "-I", "-c", COMMAND, arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # threads reserve address space
    try:
        process = subprocess.run(
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=PATIENCE * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return b""
    except OSError as error:
        raise ArtifactError(f"{where} cannot be read: no process can be started ({error})") from error
    return process.stdout if process.returncode == 0 else b""


def _split(described: Sequence[Any], data: bytes) -> Iterator[tuple[str, StoredArray]]:
    """Yield the datasets with their paths; their numbers are stored one after another in `data`."""
    position = 0
    for path, sizes, dtype, problem in described:
        shape = None if sizes is None else tuple(sizes)
        array = None
        if shape is not None and not problem:
            array = np.frombuffer(data, np.dtype(dtype), math.prod(shape), position).reshape(shape)
            position += array.nbytes
        yield path, StoredArray(shape=shape, dtype=dtype, problem=problem, array=array)
