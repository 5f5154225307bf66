"""A limit of processor time, for what must not take forever on hostile input."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

SECONDS = 60
"""What takes milliseconds does not take so long on any machine; other programs that run do not count."""


@contextmanager
def limit_processor_time(seconds: float = SECONDS) -> Iterator[None]:
    """Fail the test if the block takes more processor time; do nothing on a system without such timers."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"it takes more than {seconds} seconds of processor time")

    previous = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
