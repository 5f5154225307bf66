"""Shows progress on stderr if that is a terminal, by tqdm, which is imported only then."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import IO, Any, TextIO

from sensenet.errors import SettingsError
from sensenet.plain_text import one_line

Progress = Callable[[int, int | None], None]
"""Called with what is done and the whole, which is None if unknown: in bytes, rows or steps."""

BYTES = {"unit": "B", "unit_scale": True}
ROWS = {"unit": " rows", "unit_scale": True}
STEPS = {"unit": " steps"}

LONGEST_LABEL = 40
USUAL_COLUMNS = 80


def ignore_progress(done: int, total: int | None) -> None:
    """Show nothing."""


@contextmanager
def progress_bar(
    label: str, unit: Mapping[str, Any] = BYTES, results: IO[Any] | None = None
) -> Iterator[Progress]:
    """Yield a function that draws a bar, at most ten times a second, which is erased at the end.

    There is none if stderr is not a terminal, or if `results`, which is written meanwhile, is one too.
    """
    if not _can_draw(results):
        yield ignore_progress
        return
    bar: Any = None

    def show(done: int, total: int | None) -> None:
        nonlocal bar
        if bar is None:  # what an earlier attempt did does not count as speed
            bar = _bar_class()(desc=_shorten(label), total=total, initial=done, **unit)
        bar.total = total
        bar.ncols = _columns(sys.stderr)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def status_line(results: IO[Any] | None = None) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the current step in a line, which an empty text and the end erase.

    There is none in the cases of `progress_bar`.
    """
    if not _can_draw(results):
        yield lambda _: None
        return
    line = _bar_class()(bar_format="{desc}")

    def show(text: str) -> None:
        line.ncols = _columns(sys.stderr)
        line.set_description_str(one_line(text))
        if not text:
            line.clear()

    try:
        yield show
    finally:
        line.close()


@contextmanager
def above_progress() -> Iterator[None]:
    """Take what is drawn off the terminal while something else is written to stderr."""
    if "tqdm" not in sys.modules:
        yield
        return
    with _bar_class().external_write_mode(file=sys.stderr):
        yield


@cache
def _bar_class() -> Any:
    try:
        from tqdm import tqdm
    except ValueError as error:
        raise SettingsError(f"an environment variable TQDM_… has a wrong value: {error}") from error

    class Bar(tqdm):  # type: ignore[misc]
        """A bar that leaves nothing behind: no line, no thread, and no semaphore of the system."""

        monitor_interval = 0
        _lock = threading.RLock()

        def __init__(self, **options: Any) -> None:
            columns = _columns(sys.stderr)
            super().__init__(file=sys.stderr, leave=False, miniters=1, ncols=columns, nrows=24, **options)

    return Bar


def _can_draw(results: IO[Any] | None) -> bool:
    """Return whether lines can be erased on stderr, which may be missing, and `results` are elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return results is None or not results.isatty()


def _columns(stream: TextIO) -> int:
    """Return the columns that a line may take on a terminal, which may not know its size."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max((columns or USUAL_COLUMNS) - 1, 1)  # at 0, tqdm cuts nothing off


def _shorten(label: str) -> str:
    """Return the label in a line, or the end of a long one."""
    line = one_line(label)
    return line if len(line) <= LONGEST_LABEL else f"…{line[1 - LONGEST_LABEL :]}"
