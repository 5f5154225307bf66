"""Ctrl-C and SIGTERM: deferred while files are moved into place, and both raised as exceptions."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks a program to stop."""


class Terminated(KeyboardInterrupt):
    """Raised for SIGTERM, so that all that cleans up after Ctrl-C does so."""


@contextlib.contextmanager
def raised_sigterm() -> Iterator[None]:
    """Raise Terminated in the block for SIGTERM, if that would end the process at once.

    Signals reach Python in the main thread only: in other threads nothing changes.
    """
    if not _in_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Defer SIGINT and SIGTERM until the block ends, and then handle the first as usual.

    Yields a function that handles a deferred signal, to be called where stopping is safe. Signals that end
    the process at once are not deferred, and none is in other threads than the main one.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS} if _in_main_thread() else {}
    previous = {number: handler for number, handler in handlers.items() if callable(handler)}
    arrived: list[tuple[int, FrameType | None]] = []

    def handle() -> None:
        if arrived:
            number, frame = arrived[0]
            arrived.clear()
            previous[signal.Signals(number)](number, frame)

    for number in previous:
        signal.signal(number, lambda *signaled: arrived.append(signaled))
    try:
        yield handle
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        handle()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
