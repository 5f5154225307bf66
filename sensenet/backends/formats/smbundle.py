"""Reads and writes the smbundle format: the files of a directory in one file (SPEC §10).

    guard       the ASCII text `bigml_tensorflow_saved_model_bundle`
    n           one byte: the number of header blocks
    header      n · 1024 bytes: JSON, padded with spaces
    content     the files' bytes, in header order

The header lists directories: `[[path relative to the root, [subdirectories], [[file, size], …]], …]`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from sensenet.errors import ArtifactError

GUARD = b"bigml_tensorflow_saved_model_bundle"
BLOCK = 1024
MOST_BLOCKS = 255
ROOT = "."


def is_bundle(content: bytes) -> bool:
    """Return whether bytes begin like a bundle."""
    return content.startswith(GUARD)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the bundle of files, given by relative path with `/` between the parts.

    Raises ArtifactError for a path that leaves the directory, or if the list of files exceeds the header.
    """
    directories: dict[str, tuple[set[str], list[str]]] = {ROOT: (set(), [])}
    for name in sorted(files):
        path = _safe_path(name)
        parents = [str(parent) for parent in path.parents]  # innermost first, the root "." last
        for child, parent in itertools.pairwise(parents):
            directories.setdefault(child, (set(), []))
            directories.setdefault(parent, (set(), []))[0].add(PurePosixPath(child).name)
        directories[parents[0]][1].append(path.name)
    listing: list[list[Any]] = []
    content: list[bytes] = []
    for directory in sorted(directories):
        children, names = directories[directory]
        parts = [files[str(PurePosixPath(directory) / name)] for name in names]
        sizes = [[name, len(part)] for name, part in zip(names, parts, strict=True)]
        listing.append([directory, sorted(children), sizes])
        content += parts
    header = json.dumps(listing).encode("ascii")
    blocks = -(-len(header) // BLOCK)
    if blocks > MOST_BLOCKS:
        raise ArtifactError(
            f"{len(files)} files are too many for one bundle: their list takes {blocks} blocks of {BLOCK} "
            f"bytes, but a bundle has at most {MOST_BLOCKS}"
        )
    return b"".join([GUARD, bytes([blocks]), header.ljust(blocks * BLOCK), *content])


def unpack(bundle: bytes) -> dict[str, bytes]:
    """Return the files of a bundle by relative path.

    Raises ArtifactError for bytes that are not a bundle, a damaged header, sizes whose sum differs from that
    of the content, and paths that are absolute, leave the directory, or occur twice.
    """
    if not is_bundle(bundle):
        raise ArtifactError("not an smbundle: it does not begin with the guard")
    start = len(GUARD) + 1
    if len(bundle) < start:
        raise ArtifactError("the bundle is cut off after the guard")
    end = start + bundle[len(GUARD)] * BLOCK
    if len(bundle) < end:
        raise ArtifactError(f"the bundle is cut off in its header: {len(bundle)} bytes, expected over {end}")
    entries = list(_entries(_parse_header(bundle[start:end])))
    expected = end + sum(size for _, size in entries)
    if len(bundle) != expected:
        problem = "cut off" if len(bundle) < expected else "longer than its header says"
        raise ArtifactError(f"the bundle is {problem}: {len(bundle)} bytes, expected {expected}")
    files: dict[str, bytes] = {}
    for name, size in entries:
        if name in files:
            raise ArtifactError(f"the bundle contains {name!r} twice")
        files[name] = bundle[end : end + size]
        end += size
    return files


def _parse_header(header: bytes) -> Any:
    try:
        return json.loads(header)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"the bundle's header is damaged: {error}") from error


def _entries(listing: Any) -> Iterator[tuple[str, int]]:
    """Yield the path and size of every file in a header."""
    try:
        for directory, _, sizes in listing:
            for name, size in sizes:
                if type(size) is not int or size < 0 or "/" in name:
                    raise ArtifactError(f"the bundle's header has a file {name!r} of size {size!r}")
                yield str(_safe_path(str(PurePosixPath(directory) / name))), size
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"the bundle's header is not a list of directories and files: {error}") from error


def _safe_path(name: str) -> PurePosixPath:
    """Return the path of a file below the root; raises ArtifactError for one elsewhere."""
    path = PurePosixPath(name)
    strange = any(part == ".." or set(part) & set("\\:\0") for part in path.parts)
    if path.is_absolute() or not path.parts or strange:
        raise ArtifactError(f"a bundle cannot contain the path {name!r}")
    return path
