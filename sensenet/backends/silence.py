"""Keeps the chatter of TensorFlow and LiteRT off the terminal, and nothing that others write.

TensorFlow's C++ code heeds TF_CPP_MIN_LOG_LEVEL, which `import_tensorflow` sets; its Python code logs through
`logging`. Some lines heed nothing: what TensorFlow writes before it has read its options (7 lines in builds
with CUDA), and LiteRT's notice of its delegate, once a process. They can only be kept away by turning the
descriptors of stdout and stderr elsewhere, which belong to all threads, and to processes that any of them
forks meanwhile. So that is done only while there is one thread; with other threads, these lines appear.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

from sensenet.files.interrupts import deferred_interrupts

_silent = threading.local()
"""`depth`: in how many blocks of `silence` a thread is."""


class _ErrorsAlone(logging.Filter):
    """Lets errors pass, and in threads that are not in `silence` everything."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or not getattr(_silent, "depth", 0)


_errors_alone = _ErrorsAlone()


@contextlib.contextmanager
def silence(*loggers: str) -> Iterator[None]:
    """Let the named loggers of `logging` pass only errors, in this thread, until the block ends.

    In a process of one thread, nothing is written to the descriptors of stdout and stderr meanwhile either.
    """
    for name in loggers:
        logging.getLogger(name).addFilter(_errors_alone)  # which adds it once
    _silent.depth = getattr(_silent, "depth", 0) + 1
    try:
        with _descriptors_elsewhere() if _is_alone() else contextlib.nullcontext():
            yield
    finally:
        _silent.depth -= 1


def _is_alone() -> bool:
    """Return whether Python runs in this thread alone, be others Python's or of a C library that calls it."""
    return len(sys._current_frames()) == 1


@contextlib.contextmanager
def _descriptors_elsewhere() -> Iterator[None]:
    stack = contextlib.ExitStack()
    try:
        with deferred_interrupts():  # one between two steps would leave them elsewhere for good
            sink = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, sink)
            for descriptor in (1, 2):
                copy = _duplicate(descriptor)
                if copy is not None:
                    stack.callback(os.close, copy)
                    stack.callback(os.dup2, copy, descriptor)
                    os.dup2(sink, descriptor)
        yield
    finally:
        with deferred_interrupts():
            stack.close()


def _duplicate(descriptor: int) -> int | None:
    """Return a copy of a descriptor; None if it is closed, as in a process without a terminal."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None
