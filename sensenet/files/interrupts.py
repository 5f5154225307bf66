"""Defers Ctrl-C while files are moved into place."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Defer SIGINT until the block ends, and then handle it as usual.

    Yields a function that handles a deferred signal, to be called where stopping is safe. Signals reach
    Python in the main thread only: in other threads nothing is deferred.
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
