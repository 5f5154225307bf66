"""Bounds the memory that tags of an image take in Pillow before 13.0, which reads shared bytes once per tag.

Half a megabyte of tags that all refer to the same half megabyte took 4.8 GiB. Remove this module when no
older Pillow is supported.
"""

from __future__ import annotations

import re
import struct

BOUNDED_SINCE = 13
"""The major version of Pillow that reads at most the bytes of a file."""

UNIT_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""The number of bytes of a value, by type of tag."""

JPEG_START = b"\xff\xd8"

EXIF_SEGMENT = re.compile(rb"\xff\xe1(..)Exif\0\0", re.DOTALL)

SHORTEST_TAG = 12


def tag_bytes(content: bytes) -> int:
    """Return the most bytes that all tags of a TIFF or JPEG file take; 0 for other content.

    Pillow joins several EXIF segments of a JPEG file, so every tag counts as referring to all of them.
    """
    if not content.startswith(JPEG_START):
        return _directory_bytes(content)
    segments = list(EXIF_SEGMENT.finditer(content))
    sizes = [int.from_bytes(segment[1], "big") for segment in segments]
    if len(segments) > 1:
        return sum(sizes) ** 2 // SHORTEST_TAG
    return sum(_directory_bytes(content[each.end() :][: sizes[0]]) for each in segments)


def _directory_bytes(content: bytes) -> int:
    """Return the bytes of the tags in the first directory, each at most as long as the content."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return 0
    try:
        is_big = struct.unpack_from(order + "H", content, 2) == (43,)
        (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), content, 8 if is_big else 4)
    except struct.error:
        return 0
    start += 8 if is_big else 2  # the number of tags; fewer are read if the content ends
    entry = struct.Struct(order + ("HHQ8x" if is_big else "HHI4x"))
    count = int.from_bytes(content[start - (8 if is_big else 2) : start], "little" if order == "<" else "big")
    entries = content[start:][: min(count, len(content)) * entry.size]
    entries = entries[: len(entries) // entry.size * entry.size]
    return sum(
        min(UNIT_SIZES.get(kind, 0) * length, len(content)) for _, kind, length in entry.iter_unpack(entries)
    )
