"""Holds Ctrl-C back while files are put in place."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Hold SIGINT back until the block ends, and handle it then as the process would have.

    Yields a function that handles one that has come, for points at which stopping does no harm. Signals reach
    Python in the main thread only: in any other there is nothing to hold back.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield lambda: None
        return
    arrived: list[FrameType | None] = []

    def handle() -> None:
        if arrived:
            frame = arrived.pop()
            arrived.clear()
            previous(signal.SIGINT, frame)

    signal.signal(signal.SIGINT, lambda _, frame: arrived.append(frame))
    try:
        yield handle
    finally:
        signal.signal(signal.SIGINT, previous)
        handle()
