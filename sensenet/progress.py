"""Shows a progress bar on terminals only."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and the bytes of the whole file, or None if unknown; or with steps."""

Line = Callable[[str, int, int | None, float], str]
"""Returns the text of a bar from its label, what is done, the whole, and the speed a second."""

MEGABYTE = 1e6
BAR_WIDTH = 24
SECONDS_BETWEEN_DRAWINGS = 0.1


def bar_line(label: str, done: int, total: int | None, speed: float) -> str:
    """Return the text of the bar; `speed` is in bytes per second."""
    rate = f"{speed / MEGABYTE:.1f} MB/s"
    if not total:
        return f"{label}  {done / MEGABYTE:.1f} MB  {rate}"
    return f"{_bar(label, done, total)}  {done / MEGABYTE:.1f}/{total / MEGABYTE:.1f} MB  {rate}"


def step_line(label: str, done: int, total: int | None, _: float) -> str:
    """Return the text of the bar for steps instead of bytes."""
    return f"{label}  {done}" if not total else f"{_bar(label, done, total)}  {done}/{total}"


def row_line(label: str, done: int, total: int | None, speed: float) -> str:
    """Return the text of the bar for rows, of which the total may be an estimate."""
    rows = f"{done:,} rows  {speed:,.0f}/s"
    return f"{_bar(label, done, total)}  {rows}" if total else f"{label}  {rows}"


def _bar(label: str, done: int, total: int) -> str:
    filled = min(BAR_WIDTH, BAR_WIDTH * done // total)
    return f"{label}  [{'#' * filled}{'-' * (BAR_WIDTH - filled)}] {100 * done // total:3d}%"


def ignore_progress(done: int, total: int | None) -> None:
    """Show nothing."""


@contextmanager
def progress_bar(label: str, stream: TextIO | None = None, line: Line = bar_line) -> Iterator[Progress]:
    """Yield a function that draws a bar on `stream` (default stderr), at most ten times a second.

    It shows nothing if the stream is not a terminal. The line is erased at the end.
    """
    stream = sys.stderr if stream is None else stream
    # A program without a console, as on Windows, has no stderr.
    if stream is None or not stream.isatty():
        yield ignore_progress
        return
    begin: tuple[float, int] | None = None
    drawn = float("-inf")

    def show(done: int, total: int | None) -> None:
        nonlocal begin, drawn
        now = time.monotonic()
        begin = begin or (now, done)  # bytes of an earlier attempt do not count as speed
        if now - drawn < SECONDS_BETWEEN_DRAWINGS and done != total:
            return
        drawn = now
        speed = (done - begin[1]) / max(now - begin[0], 1e-3)
        columns = shutil.get_terminal_size().columns
        stream.write("\r\x1b[K" + line(label, done, total, max(speed, 0.0))[: columns - 1])
        stream.flush()

    try:
        yield show
    finally:
        stream.write("\r\x1b[K")
        stream.flush()
