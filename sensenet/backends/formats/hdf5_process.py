"""Reads an HDF5 file for `hdf5` in a separate process, since the library crashes or hangs on some files.

It reads the file from stdin, and writes to stdout a line of JSON, `{"groups", "arrays"}` or `{"error"}`, and
then the numbers of the arrays, one after another.

    groups    {path: {attribute: [name, …]}}; the root has the path ""
    arrays    [[path, shape or null, dtype, problem], …]; if there is a problem, no numbers follow for it

Links other than hard links are skipped, as are attributes other than lists of names. Nothing outside of the
file is read, and no plugin of the HDF5 library is loaded.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

MOST_OBJECTS = 2**16
"""The most groups and datasets of a file, and the most names in an attribute."""

MOST_LEVELS = 32

LARGEST_NAME = 64512
"""The most bytes of a name: no attribute of Keras' files is longer."""

NAME_ATTRIBUTES = re.compile(r"(layer_names|weight_names)\d*")

FILTERS = frozenset({1, 2, 3, 32000})
"""The numbers of the filters that h5py has built in: deflate, shuffle, fletcher32 and lzf."""

NO_PLUGINS = "::"
"""The value of HDF5_PLUGIN_PRELOAD that turns plugins off."""

SPARE_MEMORY = 2 << 30
"""The bytes of address space for everything but the numbers: Python, NumPy and the HDF5 library."""


def main(budget: int, seconds: int, skipped: Sequence[str]) -> None:
    """Read the file on stdin: at most `budget` bytes of numbers, and nothing from the `skipped` groups.

    The process ends after `seconds` of processor time.
    """
    os.environ["HDF5_PLUGIN_PRELOAD"] = NO_PLUGINS
    content = sys.stdin.buffer.read()
    _limit(2 * budget + len(content) + SPARE_MEMORY, seconds)
    header, arrays = _try_to_read(content, budget, skipped)
    sys.stdout.buffer.write(json.dumps(header).encode("ascii") + b"\n")
    for array in arrays:
        sys.stdout.buffer.write(array.tobytes())
    sys.stdout.buffer.flush()


def _limit(memory: int, seconds: int) -> None:
    """Limit memory and processor time, on systems that can."""
    try:
        import resource
    except ImportError:  # on Windows, the parent process ends this one
        return
    with contextlib.suppress(ValueError, OSError):  # there is a lower limit already
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _try_to_read(content: bytes, budget: int, skipped: Sequence[str]) -> tuple[dict[str, Any], list[Any]]:
    try:
        import h5py
    except Exception as error:  # a broken installation raises exceptions of many types
        return {"error": f"{type(error).__name__}: {error}", "broken": True}, []
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _read(h5py, file, budget, frozenset(skipped))
    except Exception as error:  # h5py raises exceptions of many types for damaged files
        return {"error": f"{type(error).__name__}: {error}"}, []


def _read(h5py: Any, file: Any, budget: int, skipped: frozenset[str]) -> tuple[dict[str, Any], list[Any]]:
    groups: dict[str, dict[str, list[str]]] = {}
    described: list[list[Any]] = []
    arrays: list[Any] = []
    for path, found in _walk(h5py, file, skipped):
        if len(groups) + len(described) >= MOST_OBJECTS:
            raise ValueError(f"more than {MOST_OBJECTS} groups and datasets")
        if isinstance(found, h5py.Group):
            groups[path] = _read_attributes(found)
            continue
        problem, size = _find_problem(found), 0
        if not problem:
            size = math.prod(found.shape) * found.dtype.itemsize
            problem = f"takes {size} bytes, more than the limit on memory" if size > budget else ""
        shape = None if found.shape is None else list(found.shape)
        described.append([path, shape, found.dtype.name, problem])
        if not problem:
            arrays.append(found[()].astype(found.dtype.newbyteorder("="), copy=False))
            budget -= size
    return {"groups": groups, "arrays": described}, arrays


def _walk(h5py: Any, file: Any, skipped: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Yield all groups and datasets with their paths, each once even if several links lead to it."""
    seen = {_address(h5py, file)}
    waiting = [("", file, 0)]
    while waiting:
        path, found, level = waiting.pop()
        yield path, found
        if not isinstance(found, h5py.Group):
            continue
        if level >= MOST_LEVELS:
            raise ValueError(f"more than {MOST_LEVELS} groups inside each other")
        for name in found:
            below = f"{path}/{name}" if path else str(name)
            if below in skipped or not isinstance(found.get(name, getlink=True), h5py.HardLink):
                continue
            member = found[name]
            address = _address(h5py, member)
            if address not in seen and isinstance(member, h5py.Group | h5py.Dataset):
                seen.add(address)
                waiting.append((below, member, level + 1))


def _address(h5py: Any, found: Any) -> Any:
    return h5py.h5o.get_info(found.id).addr


def _read_attributes(group: Any) -> dict[str, list[str]]:
    return {
        name: _read_names(group, name) for name in group.attrs if NAME_ATTRIBUTES.fullmatch(name) is not None
    }


def _read_names(group: Any, attribute: str) -> list[str]:
    declared = group.attrs.get_id(attribute)
    match declared.shape:
        case (size,) if size <= MOST_OBJECTS and declared.dtype.itemsize <= LARGEST_NAME:
            return [_text(name) for name in group.attrs[attribute]]
    raise ValueError(f"the attribute {attribute} is not a list of at most {MOST_OBJECTS} names")


def _text(name: Any) -> str:
    if isinstance(name, bytes):
        return name.decode()
    if not isinstance(name, str):
        raise ValueError(f"the name {name!r} is not text")
    return name


def _find_problem(dataset: Any) -> str:
    """Return the reason why the numbers of a dataset are not read, or "" if they are."""
    if dataset.shape is None or dataset.dtype.kind not in "biuf":
        return "holds no numbers"
    if dataset.is_virtual or dataset.external:
        return "points to other files, which sensenet does not read"
    chunks = dataset.chunks or dataset.shape
    if any(chunk > size for chunk, size in zip(chunks, dataset.shape, strict=True)):
        return "is stored in chunks that are larger than the dataset"
    filters = dataset.id.get_create_plist()
    if any(filters.get_filter(n)[0] not in FILTERS for n in range(filters.get_nfilters())):
        return "is compressed by a plugin, which sensenet does not load"
    return ""
