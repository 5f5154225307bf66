"""The limit on the memory that a file may make this process allocate.

A small file can require much memory: archives that expand, weights that are named instead of stored, shapes
that imply huge activations. Code that allocates memory as a file or argument demands calls `require_memory`
first. The limit is `memory_limit()` beyond the size of the file itself: 2 GiB, or the value of the
environment variable SENSENET_MEMORY_LIMIT, such as `8GiB`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from sensenet.errors import LimitError, SettingsError

VARIABLE = "SENSENET_MEMORY_LIMIT"
"""The environment variable that sets the limit; child processes inherit it."""

DEFAULT_MEMORY_LIMIT = 2 << 30
"""The limit in bytes, unless the variable is set."""

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}


def memory_limit() -> int:
    """Return the limit in bytes; raise SettingsError if the environment variable is not a size."""
    text = os.environ.get(VARIABLE)
    try:
        return parse_size(text) if text else DEFAULT_MEMORY_LIMIT
    except SettingsError as error:
        raise SettingsError(f"the environment variable {VARIABLE}: {error}") from error


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `500MiB`, `8GiB` or `1000000`; raise SettingsError for other
    text."""
    match = re.fullmatch(r"\s*([0-9]{1,15})\s*([KMGT]i?B?|B?)\s*", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise SettingsError(f"{text!r} is not a size: expected bytes, or a number with KiB, MiB, GiB or TiB")
    unit = match[2].upper()
    return int(match[1]) * _UNITS[unit if unit in _UNITS else unit[0] + "IB"]


def format_size(size: int) -> str:
    """Return a number of bytes as readable text: `1.5 GiB`."""
    if size >= 1 << 60:
        return "more than 1 EiB"
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def require_memory(size: int, what: str) -> None:
    """Raise LimitError if `what` needs more than the limit; `size` is in bytes."""
    limit = memory_limit()
    if size > limit:
        raise LimitError(
            f"{what} needs {format_size(size)} of memory, and the limit is {format_size(limit)}: "
            f"set {VARIABLE} to allow more"
        )


def limit_error(error: MemoryError) -> LimitError:
    """Return the LimitError for a MemoryError of the system or NumPy."""
    return LimitError(f"not enough memory: {error or 'the system refused to allocate more'}")


@contextlib.contextmanager
def memory_errors_reported() -> Iterator[None]:
    """Raise LimitError instead of MemoryError if memory runs out in the block."""
    try:
        yield
    except LimitError:
        raise
    except MemoryError as error:
        raise limit_error(error) from error
