"""Record batches with the places of their rows, for errors, and how far their source has been read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sensenet.batches.arrow import RecordBatch
from sensenet.records import frozen

Where = Callable[[int], str]
"""Returns the place of a row of a batch, such as `rows.csv, line 7`."""


@frozen
class Part:
    """A record batch, and where its rows come from.

    `share` is which part of its source, from 0 to 1, has been read with it; None if that is unknown.
    """

    batch: RecordBatch
    where: Where
    share: float | None = None


def read_share(stream: Any) -> float | None:
    """Return which part of a file has been read, from 0 to 1; None for a pipe. See `open_input`."""
    file = getattr(getattr(stream, "raw", None), "file", stream)
    try:
        size = os.fstat(file.fileno()).st_size
        return min(file.tell() / size, 1.0) if size else None
    except (OSError, ValueError):
        return None
